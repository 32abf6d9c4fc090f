import { findQuarantines } from "../../../cli/quarantine/list.ts";
import { release } from "../../../cli/quarantine/release.ts";
import type { QuarantineReason } from "../../../contract/reasons.ts";
import { BUCKET, createWorld } from "../../worlds/memory.ts";
import { modelBucket } from "../model-bucket.ts";

export const OPERATOR = "arn:aws:sts::111111111111:assumed-role/operators/ann";

/** A world with a bucket as the commands see it. */
export function createOperatorWorld() {
  const world = createWorld();
  const bucket = modelBucket(world.s3, BUCKET);
  const options = { by: OPERATOR, now: world.clock.now };
  /** The only quarantine of a runner. */
  async function quarantineOf(runner: string) {
    const [found, ...others] = await findQuarantines(bucket, runner);
    if (!found || others.length > 0) throw new Error(`${runner} has ${others.length + (found ? 1 : 0)} quarantines`);
    return found;
  }
  return {
    ...world,
    bucket,
    options,
    quarantineOf,
    /** Uploads a runner's files and lets a run quarantine them for a reason that does not hold: as if its rules had been too strict. */
    async quarantineByMistake(runner: string, files: Readonly<Record<string, string>>, reason: QuarantineReason) {
      world.upload(runner, files);
      const bad = { "post-job-metrics.json": "{" };
      const objects = world.keys(`runners/large/${runner}/`);
      const originals = objects.map((key) => [...world.s3.objects(BUCKET, key)][0]);
      world.upload(runner, bad);
      await world.run();
      // The copies and the manifest of a run that read the files as they were.
      const { prefix, manifest } = await quarantineOf(runner);
      const changed = {
        ...manifest,
        reason,
        objects: originals.flatMap((object) => {
          if (!object) return [];
          const name = object.key.split("/").at(-1) ?? "";
          world.s3.plant(BUCKET, `${prefix}objects/${name}`, { ...object });
          return [
            {
              key: object.key,
              size: object.size,
              etag: object.etag,
              last_modified: new Date(object.lastModified).toISOString(),
              storage_class: object.storageClass,
              copied_to: `${prefix}objects/${name}`,
            },
          ];
        }),
      };
      if (!files["post-job-metrics.json"]) world.s3.deleteObject(BUCKET, `${prefix}objects/post-job-metrics.json`);
      world.s3.plant(BUCKET, `${prefix}manifest.json`, { body: Buffer.from(JSON.stringify(changed)) });
      return quarantineOf(runner);
    },
    release: async (runner: string, more: Partial<Parameters<typeof release>[2]> = {}) =>
      release(bucket, await quarantineOf(runner), { ...options, ...more }),
    records: (prefix: string) =>
      [...world.s3.objects(BUCKET, `${prefix}actions/`)].map(({ body }) =>
        JSON.parse(Buffer.from(body ?? []).toString()),
      ),
  };
}
