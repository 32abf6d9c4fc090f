/** The yardsticks that use the SDK as its documentation shows it. */
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { FILES_TO_READ } from "../../contract/runner-files.ts";
import { BUCKET, BUS } from "../worlds/memory.ts";

const s3 = new S3Client({ requestHandler: { httpsAgent: { maxSockets: 128 } } });

/** HEAD and GET of each file. */
export async function readWithSdk(prefix: string): Promise<string[]> {
  const keys = FILES_TO_READ.map((name) => `${prefix}/${name}`);
  const heads = await Promise.all(keys.map((Key) => s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }))));
  return Promise.all(
    keys.map(async (Key, index) => {
      const IfMatch = heads[index]?.ETag;
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key, IfMatch }));
      return (await Body?.transformToString()) ?? "";
    }),
  );
}

/** A straightforward port of the reference: one runner after the other, one request after the other. */
export async function collectWithSdk(flavor: string): Promise<number> {
  const events = new EventBridgeClient({});
  const runners = new Set<string>();
  for await (const { Contents = [] } of paginateListObjectsV2(
    { client: s3 },
    { Bucket: BUCKET, Prefix: `runners/${flavor}/` },
  )) {
    for (const { Key = "" } of Contents) runners.add(Key.slice(0, Key.lastIndexOf("/")));
  }
  for (const prefix of runners) {
    const texts: string[] = [];
    for (const name of FILES_TO_READ) {
      const object = { Bucket: BUCKET, Key: `${prefix}/${name}` };
      await s3.send(new HeadObjectCommand(object));
      texts.push((await (await s3.send(new GetObjectCommand(object))).Body?.transformToString()) ?? "");
    }
    for (const text of texts.slice(1)) {
      const entry = { EventBusName: BUS, Source: "x", DetailType: "x", Detail: JSON.stringify({ flavor, text }) };
      await events.send(new PutEventsCommand({ Entries: [entry] }));
    }
    for (const name of FILES_TO_READ)
      await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: `${prefix}/${name}` }));
  }
  return runners.size;
}
