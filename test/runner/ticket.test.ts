import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createTicket, formatTicket, runnerSession, type TicketRequest } from "../../cli/ticket.ts";
import { FILE_SIZE_BYTES_LIMIT } from "../../contract/runner-files.ts";
import { needs } from "../tools.ts";
import { BUCKET, installRunner, JOB } from "./fleet.ts";
import { ONE } from "./platforms.ts";
import { acceptPosts } from "./post-policy.ts";
import { startStub } from "./stub-server.ts";

const CREDENTIALS = { accessKeyId: "AKIATEST", secretAccessKey: "test/secret+", sessionToken: "tok/en+==" };
const FILES = [
  "runner-installation-start.timestamp",
  "runner-installed.timestamp",
  "pre-job-metrics.json",
  "post-job-metrics.json",
] as const;
/** What tests of the program need. */
const RUNNER = { tags: [needs("dash")] };
const STEPS = ["installation-start", "installed", "job-started", "job-completed"];

let cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps) cleanUp();
  cleanUps = [];
  vi.unstubAllEnvs();
});

async function startS3(now = Date.now) {
  const { answer, objects } = acceptPosts({ credentials: CREDENTIALS, now });
  const { endpoint, close } = await startStub(answer);
  cleanUps.push(close);
  const request: TicketRequest = {
    bucket: BUCKET,
    flavor: "large",
    storage: "runner-1",
    region: "eu-central-1",
    endpoint,
    lifetimeSeconds: 3600,
  };
  return { objects, endpoint, request };
}

/** A runner that has nothing but a ticket. */
function ticketRunner(ticket: string) {
  const runner = installRunner(ONE, {
    RUNNER_METRICS_BUCKET: undefined,
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    RUNNER_METRICS_TIMEOUT_SECONDS: "2",
  });
  cleanUps.push(runner.remove);
  const path = join(runner.home, "ticket");
  writeFileSync(path, ticket);
  return { runner, settings: { ...JOB, RUNNER_METRICS_TICKET: path } };
}

async function post(fields: Readonly<Record<string, string>>, url: string, content: string): Promise<string> {
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...fields, file: content })) form.append(name, value);
  const response = await fetch(url, { method: "POST", body: form });
  return `${response.status} ${await response.text()}`.trim();
}

describe("a ticket", () => {
  it("is all that a runner needs: its four files are stored, from the spool and from memory", RUNNER, async () => {
    const { objects, request } = await startS3();
    const { runner, settings } = ticketRunner(formatTicket(await createTicket(request, CREDENTIALS)));
    for (const step of STEPS) expect(await runner.step(step, settings)).toMatchObject({ code: 0, stderr: "" });
    expect([...objects.keys()].sort()).toEqual(FILES.map((file) => `${BUCKET}/runners/large/runner-1/${file}`).sort());
    for (const file of FILES)
      expect(objects.get(`${BUCKET}/runners/large/runner-1/${file}`)).toBe(runner.spooled(file));

    const full = ticketRunner(formatTicket(await createTicket({ ...request, storage: "runner-2" }, CREDENTIALS)));
    await full.runner.step("job-started", { ...full.settings, RUNNER_METRICS_SPOOL: "/dev/null/x" });
    expect(objects.get(`${BUCKET}/runners/large/runner-2/pre-job-metrics.json`)).toContain(
      '"repository":"acme/widgets"',
    );
  });

  it("lets it do so where the last line has lost its end on the way", RUNNER, async () => {
    const { objects, request } = await startS3();
    const { runner, settings } = ticketRunner(formatTicket(await createTicket(request, CREDENTIALS)).trimEnd());
    for (const step of STEPS) expect(await runner.step(step, settings)).toMatchObject({ code: 0, stderr: "" });
    expect(objects.size).toBe(4);
  });

  it("fixes key, bucket, size and time: nothing else can be done with it", async () => {
    let now = Date.now();
    const { request } = await startS3(() => now);
    const [start, installed] = await createTicket(request, CREDENTIALS);
    if (!start || !installed) throw new Error("no ticket");
    const { fields, url } = start;
    expect(await post(fields, url, "1700000000\n")).toBe("204");
    expect(await post(fields, url, "x".repeat(1024))).toBe("204");
    expect(await post(fields, url, "x".repeat(1025))).toBe("400 EntityTooLarge");
    expect(await post(fields, url, "")).toBe("400 EntityTooSmall");
    expect(await post({ ...fields, key: installed.fields.key ?? "" }, url, "1")).toBe("403 condition failed: key");
    expect(await post({ ...fields, acl: "public-read" }, url, "1")).toBe("403 extra fields: acl");
    expect(await post(fields, url.replace(BUCKET, "other"), "1")).toBe("403 condition failed: bucket");
    expect(await post({ ...fields, Policy: installed.fields.Policy ?? "" }, url, "1")).toBe(
      "403 SignatureDoesNotMatch",
    );
    // An hour after now is later than an hour after the ticket was made.
    now = Date.now() + 3601 * 1000;
    expect(await post(fields, url, "1")).toBe("403 Policy expired");
  });

  it("caps a file at the collector's limit", async () => {
    const { request } = await startS3();
    for (const { fields } of await createTicket(request, CREDENTIALS)) {
      const { conditions } = JSON.parse(Buffer.from(fields.Policy ?? "", "base64").toString());
      expect(conditions).toContainEqual(["content-length-range", 1, FILE_SIZE_BYTES_LIMIT]);
    }
  });

  it("that has expired is told on the runner, and fails no hook", RUNNER, async () => {
    const { request } = await startS3(() => Date.now() + 4_000_000);
    const ticket = await createTicket(request, CREDENTIALS);
    const { runner, settings } = ticketRunner(formatTicket(ticket));
    expect(await runner.step("installed", settings)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("HTTP 403, the ticket has expired or does not allow it"),
    });
  });

  it("that has no form for a file is told at once, by the file's name", RUNNER, async () => {
    const { objects, request } = await startS3();
    const [, ...others] = await createTicket(request, CREDENTIALS);
    const { runner, settings } = ticketRunner(formatTicket(others));
    const { code, stderr } = await runner.step("installation-start", settings);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^runner-metrics: installation-start: cannot store runner-installation-start.timestamp: the ticket has no form for it \(tried once in \d s\)\n$/,
    );
    expect(objects.size).toBe(0);
  });

  it("that somebody has garbled gives curl nothing to do but the form", RUNNER, async () => {
    const { objects, request } = await startS3();
    const garbage = [
      'runner-installed.timestamp field x" next',
      'runner-installed.timestamp url http://127.0.0.1:9/"\\noutput=/tmp/x',
      "runner-installed.timestamp output /tmp/x",
      "\u0000\u0001$(id)",
    ];
    const ticket = `${garbage.join("\n")}\n${formatTicket(await createTicket(request, CREDENTIALS))}`;
    const { runner, settings } = ticketRunner(ticket);
    expect(await runner.step("installed", settings)).toMatchObject({ code: 0, stderr: "" });
    expect(objects.size).toBe(1);
  });

  it("goes to the bucket's own host on AWS, or by path where the bucket's name has dots", async () => {
    // The other tests of this file may run against an emulator.
    for (const name of ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]) vi.stubEnv(name, undefined);
    const request = { flavor: "large", storage: "r", lifetimeSeconds: 60 };
    const url = async (bucket: string, region: string) =>
      (await createTicket({ ...request, bucket, region }, CREDENTIALS))[0]?.url.replace(/\/$/, "");
    expect(await url("metrics", "eu-central-1")).toBe("https://metrics.s3.eu-central-1.amazonaws.com");
    expect(await url("my.metrics", "eu-central-1")).toBe("https://s3.eu-central-1.amazonaws.com/my.metrics");
    expect(await url("metrics", "cn-north-1")).toBe("https://metrics.s3.cn-north-1.amazonaws.com.cn");
    expect(await url("metrics", "eusc-de-east-1")).toBe("https://metrics.s3.eusc-de-east-1.amazonaws.eu");
  });

  it("is refused for names that no runner can have, all of them told", async () => {
    const { request } = await startS3();
    const wrong = { ...request, bucket: "B", flavor: "Large", storage: "../x", region: "", lifetimeSeconds: 0 };
    await expect(createTicket(wrong, CREDENTIALS)).rejects.toThrow(
      /bucket .*; flavor .*; runner .*; region .*; lifetime must/,
    );
  });
});

describe("a runner's session", () => {
  it("is cut down to the runner's four files and tagged", () => {
    const session = runnerSession({ bucket: BUCKET, flavor: "large", storage: "AROA:i-1", lifetimeSeconds: 3600 });
    expect(session).toMatchObject({ RoleSessionName: "AROA-i-1", DurationSeconds: 3600 });
    expect(session.Tags).toEqual([
      { Key: "RunnerFlavor", Value: "large" },
      { Key: "RunnerStorage", Value: "AROA:i-1" },
    ]);
    expect(session.Policy.length).toBeLessThan(2048); // STS takes no more
    const [statement, ...others] = JSON.parse(session.Policy).Statement;
    expect(others).toEqual([]);
    expect(statement.Resource).toContain("arn:aws:s3:::metrics/runners/large/AROA:i-1/post-job-metrics.json");
  });

  it("has a policy that STS has room for, however long the names are, and a name of STS's form", () => {
    const storage = `r${"x".repeat(127)}`;
    const session = runnerSession({ bucket: "b".repeat(63), flavor: "f".repeat(32), storage, lifetimeSeconds: 900 });
    expect(session.Policy.length).toBeLessThan(2048);
    expect(session.RoleSessionName).toMatch(/^[\w+=,.@-]{2,64}$/);
    const short = runnerSession({ bucket: BUCKET, flavor: "f", storage: "r", lifetimeSeconds: 900 });
    expect(short.RoleSessionName).toMatch(/^[\w+=,.@-]{2,64}$/);
  });

  it("keeps two names apart that share a session's name", () => {
    const [one, two] = ["AROA:i-1", "AROA-i-1"].map((storage) =>
      runnerSession({ bucket: BUCKET, flavor: "f", storage, lifetimeSeconds: 900 }),
    );
    expect(one?.RoleSessionName).toBe(two?.RoleSessionName);
    expect(one?.Policy).toContain("/AROA:i-1/");
    expect(two?.Policy).not.toContain("/AROA:i-1/");
    expect(one?.Tags).not.toEqual(two?.Tags);
  });

  it("may encrypt with the bucket's key, if it is told which", () => {
    const request = { bucket: "b".repeat(63), flavor: "f".repeat(32), storage: "r".repeat(128), lifetimeSeconds: 900 };
    const kmsKeyArn = "arn:aws:kms:ap-southeast-2:123456789012:key/mrk-11111111222233334444555555555555";
    const { Policy } = runnerSession({ ...request, kmsKeyArn });
    expect(JSON.parse(Policy).Statement).toEqual([
      expect.objectContaining({ Action: "s3:PutObject" }),
      { Sid: "EncryptOwnMetrics", Effect: "Allow", Action: "kms:GenerateDataKey", Resource: [kmsKeyArn] },
    ]);
    expect(Policy.length).toBeLessThan(2048);
    const alias = "arn:aws:kms:ap-southeast-2:123456789012:alias/metrics";
    expect(() => runnerSession({ ...request, kmsKeyArn: alias })).toThrow("kms-key-arn must be the ARN of a key");
  });

  it("is refused outside of STS's 15 minutes to 12 hours", () => {
    for (const lifetimeSeconds of [899, 43_201, Number.NaN]) {
      expect(() => runnerSession({ bucket: BUCKET, flavor: "f", storage: "r", lifetimeSeconds })).toThrow(
        "lifetime must be 900 to 43200 s",
      );
    }
  });
});

describe("the command", () => {
  it("prints a ticket that a runner can use", RUNNER, async () => {
    const { objects, endpoint } = await startS3();
    const names = ["--bucket", BUCKET, "--flavor", "large", "--runner", "runner-1", "--region", "eu-central-1"];
    const program = fileURLToPath(new URL("../../cli/runner-metrics.ts", import.meta.url));
    const args = [program, "ticket", "post", ...names, "--endpoint", endpoint, "--lifetime", "60"];
    const { accessKeyId, secretAccessKey, sessionToken } = CREDENTIALS;
    const env = {
      PATH: process.env.PATH,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: sessionToken,
    };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    const { runner, settings } = ticketRunner(stdout);
    for (const step of STEPS) expect(await runner.step(step, settings)).toMatchObject({ code: 0, stderr: "" });
    expect(objects.size).toBe(4);
  });
});

// `npm run test:all -- localstack` sets it: no other emulator checks POST policies.
const emulator = process.env.TICKET_ENDPOINT;
if (emulator)
  describe("on an emulator that checks POST policies, a ticket", RUNNER, () => {
    it("stores what it allows and nothing else", async () => {
      const endpoint = emulator;
      await fetch(`${endpoint}/${BUCKET}`, { method: "PUT" });
      const credentials = { accessKeyId: "test", secretAccessKey: "test" };
      const storage = `runner-${Date.now()}`;
      const request = {
        bucket: BUCKET,
        flavor: "large",
        storage,
        region: "us-east-1",
        endpoint,
        lifetimeSeconds: 3600,
      };
      const ticket = await createTicket(request, credentials);
      const { runner, settings } = ticketRunner(formatTicket(ticket));
      for (const step of STEPS) expect(await runner.step(step, settings)).toMatchObject({ code: 0, stderr: "" });
      for (const file of FILES) {
        const response = await fetch(`${endpoint}/${BUCKET}/runners/large/${storage}/${file}`);
        expect(await response.text()).toBe(runner.spooled(file));
      }
      const [start] = ticket;
      if (!start) throw new Error("no ticket");
      expect(await post(start.fields, start.url, "x".repeat(1025))).toMatch(/^400 .*EntityTooLarge/s);
      expect(await post({ ...start.fields, key: "runners/large/other/x" }, start.url, "1")).toMatch(/^403 /);
      const [expired = start] = await createTicket({ ...request, lifetimeSeconds: 1 }, credentials);
      await sleep(2_000);
      expect(await post(expired.fields, expired.url, "1")).toMatch(/^403 .*expired/s);
    });
  });
