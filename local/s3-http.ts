import { hash } from "node:crypto";
import type { Call, HttpReply, HttpRequest } from "./http.ts";
import { isPostForm, parsePostForm, policyRefusal } from "./post-form.ts";
import {
  isS3Error,
  type ListInput,
  malformedXml,
  type PutInput,
  readBytes,
  type S3Error,
  type S3Model,
  type S3Object,
  s3Error,
} from "./s3.ts";
import { bucketsXml, copyXml, deleteXml, errorXml, listXml, locationXml, parseDelete, postXml } from "./s3-xml.ts";

/** The model, and its clock: milliseconds since the epoch. */
export interface S3Service {
  readonly model: S3Model;
  readonly now: () => number;
}

/** Where a request points to, path-style. */
interface Target {
  readonly bucket: string;
  readonly key: string;
}

type Run = Call["run"];

/** Parts of S3 that are not here: a client that asks for one gets an error, instead of getting something else. */
const SUBRESOURCES_MISSING = [
  ..."accelerate acl analytics attributes cors encryption intelligent-tiering inventory legal-hold lifecycle".split(
    " ",
  ),
  ..."logging metrics notification object-lock ownershipControls partNumber policy policyStatus".split(" "),
  ..."publicAccessBlock replication requestPayment restore retention select tagging torrent uploadId".split(" "),
  ..."uploads versioning versions website".split(" "),
];
const HEADERS_KEPT = [
  ..."cache-control content-disposition content-encoding content-language content-type expires".split(" "),
  "x-amz-website-redirect-location",
];
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html */
const METADATA_BYTES_MAX = 2048;

/** Understands a REST request to S3, path-style. Signatures are not verified. */
export function s3Call({ model, now }: S3Service, request: HttpRequest): Call {
  const target = parsePath(request.path);
  const refuse: Call["refuse"] = (code, httpStatus, message) => {
    return errorReply(request, s3Error(code, httpStatus, message));
  };
  if (isS3Error(target)) {
    return { service: "s3", operation: "Unknown", run: () => errorReply(request, target), refuse };
  }
  const { bucket, key } = target;
  const [operation, run] = understand({ model, now }, request, target);
  return {
    service: "s3",
    operation,
    ...(bucket !== "" && { bucket }),
    ...(key !== "" && { key }),
    ...(operation === "DeleteObjects" && { keys: deleteKeys(request) }),
    run,
    refuse,
  };
}

/** The answer to CopyObject that looks like success: a 200 whose body is an error. */
export function errorInsideSuccess(code: string): HttpReply {
  const body = errorXml({ code, message: "The copy was not completed." }, "");
  return { status: 200, headers: { "content-type": "application/xml" }, body };
}

function understand(service: S3Service, request: HttpRequest, { bucket, key }: Target): [string, Run] {
  const { model } = service;
  const missing = SUBRESOURCES_MISSING.find((name) => request.query.has(name));
  if (missing !== undefined) return [`Unknown:${missing}`, () => errorReply(request, notImplemented(missing))];
  if (bucket === "") return ["ListBuckets", () => xmlReply(bucketsXml(model.listBuckets()))];
  return key === "" ? bucketCall(service, request, bucket) : objectCall(model, request, { bucket, key });
}

function bucketCall(service: S3Service, request: HttpRequest, bucket: string): [string, Run] {
  const { model } = service;
  const { method, query } = request;
  const plain = (outcome: S3Error | undefined, status: number): HttpReply => {
    return outcome === undefined
      ? { status, headers: { "x-amz-bucket-region": "us-east-1" } }
      : errorReply(request, outcome);
  };
  if (method === "PUT") return ["CreateBucket", () => plain(model.createBucket(bucket), 200)];
  if (method === "HEAD") return ["HeadBucket", () => plain(model.headBucket(bucket), 200)];
  if (method === "DELETE") return ["DeleteBucket", () => plain(model.deleteBucket(bucket), 204)];
  if (isPostForm(request)) return ["PostObject", () => postReply(service, request, bucket)];
  if (method === "POST" && query.has("delete")) return ["DeleteObjects", () => deleteReply(model, request, bucket)];
  if (method === "GET" && query.has("location")) return ["GetBucketLocation", () => xmlReply(locationXml())];
  if (method === "GET" && query.get("list-type") === "2") {
    return ["ListObjectsV2", () => listReply(model, request, bucket)];
  }
  return ["Unknown", () => errorReply(request, notImplemented(`${method} of a bucket`))];
}

function objectCall(model: S3Model, request: HttpRequest, target: Target): [string, Run] {
  const { method, headers } = request;
  if (method === "GET") return ["GetObject", () => getReply(model, request, target)];
  if (method === "HEAD") return ["HeadObject", () => getReply(model, request, target)];
  if (method === "DELETE") return ["DeleteObject", () => deleteOneReply(model, request, target)];
  if (method !== "PUT") return ["Unknown", () => errorReply(request, notImplemented(`${method} of an object`))];
  if ("x-amz-copy-source" in headers) return ["CopyObject", () => copyReply(model, request, target)];
  return ["PutObject", () => putReply(model, request, target)];
}

function listReply(model: S3Model, request: HttpRequest, bucket: string): HttpReply {
  const { query } = request;
  const maxKeys = query.get("max-keys");
  const input: ListInput = {
    prefix: query.get("prefix") ?? undefined,
    startAfter: query.get("start-after") ?? undefined,
    continuationToken: query.get("continuation-token") ?? undefined,
    delimiter: query.get("delimiter") ?? undefined,
    maxKeys: maxKeys === null ? undefined : Number(maxKeys),
  };
  if (maxKeys !== null && !/^[0-9]{1,9}$/.test(maxKeys)) {
    return errorReply(request, s3Error("InvalidArgument", 400, "Provided max-keys not an integer or within range"));
  }
  const page = model.listObjects(bucket, input);
  if (isS3Error(page)) return errorReply(request, page);
  return xmlReply(listXml(bucket, input, page, query.get("encoding-type") === "url"));
}

function putReply(model: S3Model, request: HttpRequest, { bucket, key }: Target): HttpReply {
  const { headers, body } = request;
  const refusal = bodyRefusal(request);
  if (refusal !== undefined) return errorReply(request, refusal);
  const put = model.putObject(bucket, key, putInput(request, body));
  if (isS3Error(put)) return errorReply(request, put);
  const encryption = put.kmsKeyId === undefined ? "AES256" : "aws:kms";
  return {
    status: 200,
    headers: {
      etag: put.etag,
      ...(!put.customerKey && { "x-amz-server-side-encryption": encryption }),
      ...(headers["x-amz-checksum-crc32"] && { "x-amz-checksum-crc32": String(headers["x-amz-checksum-crc32"]) }),
    },
  };
}

function postReply({ model, now }: S3Service, request: HttpRequest, bucket: string): HttpReply {
  const form = parsePostForm(request);
  if (isS3Error(form)) return errorReply(request, form);
  const { key = "", success_action_status: wanted } = form.fields;
  const refusal = policyRefusal(form, bucket, now());
  if (refusal !== undefined) return errorReply(request, refusal);
  if (key === "")
    return errorReply(request, s3Error("InvalidArgument", 400, "Bucket POST must contain a field named 'key'."));
  // A form has no conditions, whatever its fields or the request's headers say.
  const { "if-match": _, "if-none-match": __, ...headers } = form.fields;
  const put = model.putObject(bucket, key, putInput({ headers }, form.file));
  if (isS3Error(put)) return errorReply(request, put);
  const status = wanted === "200" || wanted === "201" ? Number(wanted) : 204;
  const answer = { etag: put.etag, location: `/${bucket}/${encodeURIComponent(key)}` };
  if (status !== 201) return { status, headers: answer };
  return { status, headers: { ...answer, "content-type": "application/xml" }, body: postXml(bucket, put) };
}

function putInput({ headers }: Pick<HttpRequest, "headers">, body: Uint8Array): PutInput {
  return {
    // A copy: the request's buffer may be a slice of a much larger one.
    body: Uint8Array.from(body),
    ifMatch: headers["if-match"],
    ifNoneMatch: headers["if-none-match"],
    storageClass: header(headers, "x-amz-storage-class"),
    kmsKeyId: header(headers, "x-amz-server-side-encryption-aws-kms-key-id"),
    customerKey: "x-amz-server-side-encryption-customer-algorithm" in headers,
    headers: keptHeaders(headers),
  };
}

function bodyRefusal({ headers, body }: HttpRequest): S3Error | undefined {
  const announced = header(headers, "x-amz-decoded-content-length");
  if (announced !== undefined && Number(announced) !== body.length) {
    return s3Error("IncompleteBody", 400, "The body has not the number of bytes that the headers announced.");
  }
  const md5 = header(headers, "content-md5");
  if (md5 !== undefined && md5 !== hash("md5", body, "base64")) {
    return s3Error("BadDigest", 400, "The Content-MD5 you specified did not match what we received.");
  }
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-meta-"));
  const bytes = metadata.reduce((sum, [name, value]) => sum + name.length - 11 + String(value).length, 0);
  if (bytes > METADATA_BYTES_MAX) {
    return s3Error("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size");
  }
  return undefined;
}

function keptHeaders(headers: HttpRequest["headers"]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (HEADERS_KEPT.includes(name) || name.startsWith("x-amz-meta-")) kept[name] = String(value);
  }
  const encoding = kept["content-encoding"]?.replace(/(^|,)\s*aws-chunked\s*(,|$)/, "");
  if (encoding === "") delete kept["content-encoding"];
  else if (encoding !== undefined) kept["content-encoding"] = encoding;
  return kept;
}

function getReply(model: S3Model, request: HttpRequest, { bucket, key }: Target): HttpReply {
  const { headers, method } = request;
  const conditions = { ifMatch: headers["if-match"], ifNoneMatch: headers["if-none-match"] };
  const object =
    method === "HEAD" ? model.headObject(bucket, key, conditions) : model.getObject(bucket, key, conditions);
  if (isS3Error(object)) return errorReply(request, object);
  const range = parseRange(headers.range, object.size);
  if (range === "unsatisfiable") {
    return errorReply(request, s3Error("InvalidRange", 416, "The requested range is not satisfiable"));
  }
  const [start, end] = range ?? [0, object.size];
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...objectHeaders(object),
      "content-length": String(end - start),
      ...(range !== undefined && { "content-range": `bytes ${start}-${end - 1}/${object.size}` }),
    },
    ...(method === "GET" && { body: object.body === undefined ? end - start : readBytes(object, start, end) }),
  };
}

function objectHeaders(object: S3Object): Record<string, string> {
  const { etag, lastModified, storageClass, kmsKeyId, headers } = object;
  return {
    "accept-ranges": "bytes",
    "content-type": "binary/octet-stream",
    ...headers,
    etag,
    "last-modified": new Date(lastModified).toUTCString(),
    ...(storageClass !== "STANDARD" && { "x-amz-storage-class": storageClass }),
    "x-amz-server-side-encryption": kmsKeyId === undefined ? "AES256" : "aws:kms",
    ...(kmsKeyId !== undefined && { "x-amz-server-side-encryption-aws-kms-key-id": kmsKeyId }),
  };
}

/** `[start, end)`; `undefined` if there is no range that S3 would look at. */
function parseRange(value: string | undefined, size: number): [number, number] | "unsatisfiable" | undefined {
  const [, from = "", to = ""] = /^bytes=([0-9]*)-([0-9]*)$/.exec(value ?? "") ?? [];
  if (from === "" && to === "") return undefined;
  if (from === "") return size === 0 || Number(to) === 0 ? "unsatisfiable" : [Math.max(0, size - Number(to)), size];
  if (to !== "" && Number(to) < Number(from)) return undefined;
  if (Number(from) >= size) return "unsatisfiable";
  return [Number(from), to === "" ? size : Math.min(size, Number(to) + 1)];
}

function copyReply(model: S3Model, request: HttpRequest, { bucket, key }: Target): HttpReply {
  const { headers } = request;
  const source = parseCopySource(header(headers, "x-amz-copy-source") ?? "");
  if (isS3Error(source)) return errorReply(request, source);
  const copied = model.copyObject(bucket, key, {
    sourceBucket: source.bucket,
    sourceKey: source.key,
    sourceIfMatch: header(headers, "x-amz-copy-source-if-match"),
    ifMatch: headers["if-match"],
    ifNoneMatch: headers["if-none-match"],
  });
  return isS3Error(copied) ? errorReply(request, copied) : xmlReply(copyXml(copied));
}

/** `[/]bucket/key`, percent-encoded; what stands after an unencoded `?` would be a version id. */
function parseCopySource(value: string): Target | S3Error {
  const decoded = decodeUri(value.split("?")[0]?.replaceAll("+", " ") ?? "")?.replace(/^\//, "") ?? "";
  const slash = decoded.indexOf("/");
  if (slash < 1 || slash === decoded.length - 1) {
    return s3Error(
      "InvalidArgument",
      400,
      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
    );
  }
  if (value.includes("?")) return s3Error("InvalidArgument", 400, "Invalid version id specified");
  return { bucket: decoded.slice(0, slash), key: decoded.slice(slash + 1) };
}

function deleteOneReply(model: S3Model, request: HttpRequest, { bucket, key }: Target): HttpReply {
  const refusal = model.deleteObject(bucket, key, { ifMatch: request.headers["if-match"] });
  return refusal === undefined ? { status: 204 } : errorReply(request, refusal);
}

function deleteReply(model: S3Model, request: HttpRequest, bucket: string): HttpReply {
  const refusal = bodyRefusal(request);
  if (refusal !== undefined) return errorReply(request, refusal);
  const wanted = parseDelete(request.body.toString("utf8"));
  if (wanted === undefined) return errorReply(request, malformedXml());
  const results = model.deleteObjects(bucket, wanted.targets);
  if (isS3Error(results)) return errorReply(request, results);
  return xmlReply(deleteXml(wanted.targets, results, wanted.quiet));
}

function deleteKeys(request: HttpRequest): string[] {
  return parseDelete(request.body.toString("utf8"))?.targets.map(({ key }) => key) ?? [];
}

function parsePath(path: string): Target | S3Error {
  const slash = path.indexOf("/", 1);
  const bucket = decodeUri(slash < 0 ? path.slice(1) : path.slice(1, slash));
  const key = decodeUri(slash < 0 ? "" : path.slice(slash + 1));
  if (bucket === undefined || key === undefined) return s3Error("InvalidURI", 400, "Couldn't parse the specified URI.");
  return { bucket, key };
}

function decodeUri(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function header(headers: HttpRequest["headers"], name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}

function notImplemented(what: string): S3Error {
  return s3Error("NotImplemented", 501, `${what} is not implemented.`);
}

function xmlReply(body: string): HttpReply {
  return { status: 200, headers: { "content-type": "application/xml" }, body };
}

/** An error has no body where the request was a HEAD, or the status is 304. */
function errorReply({ method, path }: HttpRequest, error: S3Error): HttpReply {
  const { httpStatus: status } = error;
  if (method === "HEAD" || status === 304) return { status };
  return { status, headers: { "content-type": "application/xml" }, body: errorXml(error, path) };
}
