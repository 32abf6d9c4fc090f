/** A proxy that passes requests on, and notes each as IAM sees it. */
import { createServer, request as forward, type IncomingMessage } from "node:http";
import { arnOf, BUCKET_ARN, type Request } from "./iam.ts";

export interface RecordedCalls {
  readonly endpoint: string;
  readonly calls: readonly Request[];
  close(): void;
}

/** `busId` is the logical id of the event bus, which is also its name here. */
export async function recordCalls(target: string, busId: string): Promise<RecordedCalls> {
  const calls: Request[] = [];
  const server = createServer(async (message, response) => {
    const body = await bodyOf(message);
    calls.push(...asIamSeesIt(message, body.toString(), busId));
    const { method, headers } = message;
    forward(new URL(message.url ?? "/", target), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The proxy has no port.");
  return { endpoint: `http://127.0.0.1:${address.port}`, calls, close: () => void server.close() };
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html */
function asIamSeesIt({ method, url = "/", headers }: IncomingMessage, body: string, busId: string): Request[] {
  const target = headers["x-amz-target"];
  if (typeof target === "string") {
    return [{ action: target.replace(/^AWSEvents\./, "events:"), resource: arnOf(busId) }];
  }
  const { pathname, searchParams } = new URL(url, "http://s3");
  const [, ...key] = pathname.slice(1).split("/").map(decodeURIComponent);
  const resource = `${BUCKET_ARN}/${key.join("/")}`;
  const object = (action: string, on = resource, context = {}): Request => ({ action, resource: on, context });

  if (method === "GET" && searchParams.has("list-type")) {
    const context = { "s3:prefix": searchParams.get("prefix") ?? "" };
    return [{ action: "s3:ListBucket", resource: BUCKET_ARN, context }];
  }
  if (method === "GET" || method === "HEAD") return [object("s3:GetObject")];
  if (method === "PUT" && headers["x-amz-copy-source"]) {
    const source = decodeURIComponent(String(headers["x-amz-copy-source"]));
    return [object("s3:GetObject", `arn:aws:s3:::${source}`), object("s3:PutObject")];
  }
  if (method === "PUT") {
    const condition = headers["if-none-match"];
    return [object("s3:PutObject", resource, condition === undefined ? {} : { "s3:if-none-match": condition })];
  }
  // A delete that names an ETag needs GetObject too.
  if (method === "DELETE") return [object("s3:DeleteObject"), object("s3:GetObject")];
  if (method === "POST" && searchParams.has("delete")) {
    return [...body.matchAll(/<Key>([^<]*)<\/Key>/g)].flatMap(([, name]) => [
      object("s3:DeleteObject", `${BUCKET_ARN}/${name}`),
      object("s3:GetObject", `${BUCKET_ARN}/${name}`),
    ]);
  }
  throw new Error(`${method} ${url} is a call that no permission is known for here`);
}
