import type { HttpReply, HttpRequest } from "./http.ts";
import type { RequestLog } from "./request-log.ts";
import type { S3Model, S3Object } from "./s3.ts";

/** Next to the two services, for those who run the server as a process of its own. No bucket's name begins with `_`. */
const CONTROL_PATH = "/_local/";

/** One line of `POST /_local/objects`. */
type PlantedObject = Partial<Omit<S3Object, "body">> & {
  readonly bucket: string;
  readonly key: string;
  /** The body, as UTF-8 text; without it the object is sparse. */
  readonly text?: string;
};

/** Whether a request is for `control`. */
export function isControl({ path }: HttpRequest): boolean {
  return path.startsWith(CONTROL_PATH);
}

/**
 * - `GET /_local/requests`: how many requests of each operation there were, as JSON
 * - `DELETE /_local/requests`: counts from zero
 * - `POST /_local/objects`: plants the objects of the body, one `PlantedObject` in JSON a line
 */
export function control({ s3, requests }: { s3: S3Model; requests: RequestLog }, request: HttpRequest): HttpReply {
  const name = `${request.method} ${request.path.slice(CONTROL_PATH.length)}`;
  if (name === "GET requests") return { status: 200, body: JSON.stringify(requests.counts()) };
  if (name === "DELETE requests") {
    requests.reset();
    return { status: 204 };
  }
  if (name !== "POST objects") return { status: 404 };
  for (const line of request.body.toString("utf8").split("\n")) {
    if (line !== "") plant(s3, JSON.parse(line));
  }
  return { status: 204 };
}

function plant(s3: S3Model, { bucket, key, text, ...object }: PlantedObject): void {
  s3.plant(bucket, key, { ...object, ...(text !== undefined && { body: Buffer.from(text) }) });
}
