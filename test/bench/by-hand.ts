/** The yardsticks that use no SDK: a loop of signed HEADs and GETs, and the whole job, as short as it can be written over node:https. */
import { createHmac, hash } from "node:crypto";
import { Agent, request } from "node:https";
import { FILES_TO_READ } from "../../contract/runner-files.ts";
import { BUCKET, BUS } from "../worlds/memory.ts";

const S3 = `${BUCKET}.s3.us-east-1.amazonaws.com`;
const EVENTS = "events.us-east-1.amazonaws.com";
const agent = new Agent({ keepAlive: true, maxSockets: 128 });
const keys = new Map<string, Buffer>();

interface Answer {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

function send(
  method: string,
  host: string,
  path: string,
  { query = "", body = "", headers = {} }: { query?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const service = host === EVENTS ? "events" : "s3";
  const time = new Date().toISOString().replace(/[-:]|\.[0-9]+/g, "");
  const scope = `${time.slice(0, 8)}/us-east-1/${service}/aws4_request`;
  const sha256 = hash("sha256", body);
  const all: Record<string, string> = { ...headers, host, "x-amz-content-sha256": sha256, "x-amz-date": time };
  const names = Object.keys(all).sort();
  const lines = names.map((name) => `${name}:${all[name]}\n`).join("");
  const canonical = `${method}\n${path}\n${query}\n${lines}\n${names.join(";")}\n${sha256}`;
  const signature = createHmac("sha256", keyOf(scope))
    .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash("sha256", canonical)}`)
    .digest("hex");
  all.authorization = `AWS4-HMAC-SHA256 Credential=test/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return new Promise((resolve, reject) => {
    const sent = request({ method, host, path: query ? `${path}?${query}` : path, headers: all, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        if (response.statusCode !== 200) reject(new Error(`${method} ${path}: ${response.statusCode}`));
        else resolve({ headers: response.headers, text: Buffer.concat(chunks).toString() });
      });
    });
    sent.on("error", reject).end(body);
  });
}

function keyOf(scope: string): Buffer {
  const known = keys.get(scope);
  if (known) return known;
  let key: Buffer | string = "AWS4test";
  for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
  keys.set(scope, key as Buffer);
  return key as Buffer;
}

/** Runs `work` for every item, 32 at once. */
export async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (const item of left) await work(item);
    }),
  );
}

/** HEAD and GET of each file. */
export async function readByHand(prefix: string): Promise<string[]> {
  const paths = FILES_TO_READ.map((name) => `/${prefix}/${name}`);
  const heads = await Promise.all(paths.map((path) => send("HEAD", S3, path)));
  const reads = paths.map((path, index) =>
    send("GET", S3, path, { headers: { "if-match": String(heads[index]?.headers.etag) } }),
  );
  return (await Promise.all(reads)).map(({ text }) => text);
}

/** Lists, reads, publishes, deletes: nothing is checked. */
export async function collectByHand(flavor: string): Promise<number> {
  const runners = new Map<string, string[]>();
  for (let token = ""; ; ) {
    const next = token ? `continuation-token=${encodeURIComponent(token)}&` : "";
    const query = `${next}list-type=2&prefix=${encodeURIComponent(`runners/${flavor}/`)}`;
    const { text } = await send("GET", S3, "/", { query });
    for (const [, key = "", etag = ""] of text.matchAll(/<Key>(.*?)<\/Key>.*?<ETag>(.*?)<\/ETag>/g)) {
      const prefix = key.slice(0, key.lastIndexOf("/"));
      runners.set(prefix, [...(runners.get(prefix) ?? []), `<Object><Key>${key}</Key><ETag>${etag}</ETag></Object>`]);
    }
    token = /<NextContinuationToken>(.*?)</.exec(text)?.[1] ?? "";
    if (!token) break;
  }
  const done: { events: object[]; objects: string[] }[] = [];
  await inParallel([...runners], async ([prefix, objects]) => {
    const [start = "", installed = "", pre = "", post = ""] = await readByHand(prefix);
    const [job, end] = [JSON.parse(pre), JSON.parse(post)];
    const details = [
      { timestamp: Number(installed), flavor, duration: Number(installed) - Number(start) },
      { ...job, flavor, idle: job.timestamp - Number(installed) },
      { ...job, ...end, flavor, job_duration: end.timestamp - job.timestamp },
    ];
    const events = details.map((detail, index) => ({
      EventBusName: BUS,
      Source: "runner-metrics",
      DetailType: ["RunnerInstalled", "RunnerStart", "RunnerStop"][index],
      Resources: [`arn:aws:s3:::${BUCKET}/${prefix}/`],
      Detail: JSON.stringify({ ...detail, event_id: hash("sha256", prefix + index).slice(0, 32), runner_name: prefix }),
    }));
    done.push({ events, objects });
  });
  const events = done.flatMap((one) => one.events);
  for (let from = 0; from < events.length; from += 10) {
    const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": "AWSEvents.PutEvents" };
    await send("POST", EVENTS, "/", { body: JSON.stringify({ Entries: events.slice(from, from + 10) }), headers });
  }
  const objects = done.flatMap((one) => one.objects);
  for (let from = 0; from < objects.length; from += 1_000) {
    const body = `<Delete>${objects.slice(from, from + 1_000).join("")}</Delete>`;
    const headers = { "content-md5": hash("md5", body, "base64") };
    await send("POST", S3, "/", { query: "delete=", body, headers });
  }
  return done.length;
}
