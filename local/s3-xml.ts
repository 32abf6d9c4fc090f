import { type DeleteTarget, isXmlText, type ListInput, type ListOutput, type S3Error, type S3Object } from "./s3.ts";

const HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n';
const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** Body of an error's answer. */
export function errorXml({ code, message }: Pick<S3Error, "code" | "message">, resource: string): string {
  const details = element("Code", code) + element("Message", message) + element("Resource", resource);
  return `${HEADER}<Error>${details}<RequestId>LOCAL</RequestId></Error>`;
}

/** Body of ListObjectsV2's answer. `urlEncoded` is what the client asked for with `encoding-type=url`. Otherwise keys that XML can't carry break it. */
export function listXml(bucket: string, input: ListInput, page: ListOutput, urlEncoded: boolean): string {
  const text = urlEncoded ? encodeKey : (key: string): string => key;
  const token = page.nextContinuationToken;
  return [
    `${HEADER}<ListBucketResult ${NAMESPACE}>`,
    element("Name", bucket),
    element("Prefix", text(input.prefix ?? "")),
    input.startAfter === undefined ? "" : element("StartAfter", text(input.startAfter)),
    input.continuationToken === undefined ? "" : element("ContinuationToken", input.continuationToken),
    token === undefined ? "" : element("NextContinuationToken", token),
    element("KeyCount", String(page.objects.length + page.commonPrefixes.length)),
    element("MaxKeys", String(input.maxKeys ?? 1000)),
    input.delimiter === undefined ? "" : element("Delimiter", text(input.delimiter)),
    urlEncoded ? element("EncodingType", "url") : "",
    element("IsTruncated", String(token !== undefined)),
    ...page.objects.map((object) => contentsXml(object, text)),
    ...page.commonPrefixes.map((prefix) => `<CommonPrefixes>${element("Prefix", text(prefix))}</CommonPrefixes>`),
    "</ListBucketResult>",
  ].join("");
}

/** Body of ListBuckets' answer. */
export function bucketsXml(buckets: readonly { readonly name: string; readonly createdAt: number }[]): string {
  const list = buckets.map(({ name, createdAt }) => {
    return `<Bucket>${element("Name", name)}${element("CreationDate", isoTime(createdAt))}</Bucket>`;
  });
  const owner = "<Owner><ID>local</ID></Owner>";
  return `${HEADER}<ListAllMyBucketsResult ${NAMESPACE}>${owner}<Buckets>${list.join("")}</Buckets></ListAllMyBucketsResult>`;
}

/** Body of GetBucketLocation's answer: us-east-1, which has no name here. */
export function locationXml(): string {
  return `${HEADER}<LocationConstraint ${NAMESPACE}/>`;
}

/** Body of CopyObject's answer. */
export function copyXml({ etag, lastModified }: S3Object): string {
  const result = element("ETag", etag) + element("LastModified", isoTime(lastModified));
  return `${HEADER}<CopyObjectResult ${NAMESPACE}>${result}</CopyObjectResult>`;
}

/** Body of a form upload's answer, where 201 was asked for. */
export function postXml(bucket: string, { key, etag }: S3Object): string {
  return `${HEADER}<PostResponse>${element("Bucket", bucket)}${element("Key", key)}${element("ETag", etag)}</PostResponse>`;
}

/** Body of DeleteObjects' answer. With `quiet`, only failures are listed. */
export function deleteXml(
  targets: readonly DeleteTarget[],
  results: readonly (S3Error | undefined)[],
  quiet: boolean,
): string {
  const list = targets.map(({ key }, index) => {
    const error = results[index];
    if (error === undefined) return quiet ? "" : `<Deleted>${element("Key", key)}</Deleted>`;
    return `<Error>${element("Key", key)}${element("Code", error.code)}${element("Message", error.message)}</Error>`;
  });
  return `${HEADER}<DeleteResult ${NAMESPACE}>${list.join("")}</DeleteResult>`;
}

/** What a DeleteObjects request asks for; `undefined` if it isn't well-formed. Knows no CDATA, comments or prefixes. */
export function parseDelete(body: string): { targets: DeleteTarget[]; quiet: boolean } | undefined {
  const xml = body.replace(/\r\n?/g, "\n");
  if (!isXmlText(xml) || !/<Delete[\s>]/.test(xml) || !xml.trimEnd().endsWith("</Delete>")) return undefined;
  const targets: DeleteTarget[] = [];
  for (const [, object = ""] of xml.matchAll(/<Object>([\s\S]*?)<\/Object>/g)) {
    const key = childText(object, "Key");
    if (key === undefined) return undefined;
    targets.push({ key, etag: childText(object, "ETag") });
  }
  return { targets, quiet: childText(xml, "Quiet") === "true" };
}

function contentsXml(object: S3Object, text: (key: string) => string): string {
  const { key, lastModified, etag, size, storageClass } = object;
  return [
    "<Contents>",
    element("Key", text(key)),
    element("LastModified", isoTime(lastModified)),
    element("ETag", etag),
    element("Size", String(size)),
    element("StorageClass", storageClass),
    "</Contents>",
  ].join("");
}

/** S3's own form of percent-encoding: a blank is `+`, a slash stays. */
function encodeKey(key: string): string {
  const encoded = encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/");
  return encoded.replace(/[!'()~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function element(name: string, text: string): string {
  return `<${name}>${escapeText(text)}</${name}>`;
}

/** A `\r` is left as it is, so that a parser makes `\n` of it: that is what clients of S3 see. */
function escapeText(text: string): string {
  if (!/[&<>"]/.test(text)) return text;
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function childText(xml: string, name: string): string | undefined {
  const start = xml.indexOf(`<${name}>`);
  const end = xml.indexOf(`</${name}>`, start);
  if (start < 0 || end < 0) return undefined;
  return unescapeText(xml.slice(start + name.length + 2, end));
}

function unescapeText(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#([0-9]+)|([a-z]+));/gi, (entity, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? entity;
    const code = hex === undefined ? Number.parseInt(decimal, 10) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : entity;
  });
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
