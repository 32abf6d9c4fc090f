import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { BUNDLING } from "../../infra/constructs/extract-metrics.ts";
import { startLocalGithub } from "../../local/github.ts";
import { startLocalSecretsManager } from "../../local/secrets-manager.ts";
import { startLocalAws } from "../../local/server.ts";
import { BUCKET, BUS, FILES } from "../harness.ts";
import { REPOSITORY, RUN_ID } from "./github-world.ts";

const HANDLER = fileURLToPath(new URL("../../functions/extract-metrics/handler.ts", import.meta.url));

/** Of everything that is deployed: what Lambda reads at each cold start. */
const BUNDLE_BYTES_MAX = 1_200_000;

const INVOKE = `
  import { handler } from "./handler.mjs";
  const summary = await handler({ flavor: "large" }, { getRemainingTimeInMillis: () => 60_000 });
  console.log(JSON.stringify(summary));
`;

test("what is deployed is small, and asks GitHub as what is tested does", async () => {
  const directory = await mkdtemp(join(tmpdir(), "bundle-"));
  const local = await startLocalAws();
  const github = await startLocalGithub();
  const secretsManager = await startLocalSecretsManager({ github: github.secret });
  try {
    const { metafile } = await build({
      entryPoints: [HANDLER],
      outfile: join(directory, "handler.mjs"),
      bundle: true,
      metafile: true,
      platform: "node",
      format: "esm",
      minify: BUNDLING.minify ?? false,
      target: BUNDLING.target ?? "",
      mainFields: [...(BUNDLING.mainFields ?? [])],
      banner: { js: BUNDLING.banner ?? "" },
    });
    expect(Object.values(metafile.outputs)[0]?.bytes).toBeLessThan(BUNDLE_BYTES_MAX);
    // A hook on every promise doubled the CPU of a run: X-Ray's SDK sets one.
    expect(await readFile(join(directory, "handler.mjs"), "utf8")).not.toContain("createHook");

    local.s3.createBucket(BUCKET);
    local.eventBridge.createBus(BUS);
    for (const [name, content] of Object.entries(FILES)) {
      local.s3.putObject(BUCKET, `runners/large/r-1/${name}`, { body: Buffer.from(content) });
    }
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
    await writeFile(join(directory, "invoke.mjs"), INVOKE);
    const env = {
      AWS_ENDPOINT_URL: local.endpoint,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsManager.endpoint,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      POWERTOOLS_LOG_LEVEL: "SILENT",
      POWERTOOLS_METRICS_DISABLED: "true",
      BUCKET_NAME: BUCKET,
      EVENT_BUS_NAME: BUS,
      GITHUB_SECRET_ID: "github",
      GITHUB_OWNERS: "acme",
      GITHUB_API_URL: github.apiUrl,
    };
    const options = { env: env as unknown as NodeJS.ProcessEnv };
    const { stdout } = await promisify(execFile)(process.execPath, [join(directory, "invoke.mjs")], options);
    expect(JSON.parse(stdout)).toMatchObject({ extracted: 1, verifications: { verified: 1 } });
  } finally {
    await Promise.all([local.close(), github.close(), secretsManager.close(), rm(directory, { recursive: true })]);
  }
});
