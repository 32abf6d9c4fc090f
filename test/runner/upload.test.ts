import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { effort } from "../effort.ts";
import { needs } from "../tools.ts";
import { installRunner, JOB, launch, type Runner, type Settings, startCloud } from "./fleet.ts";
import { ANY, describePlatforms, NODES, ONE } from "./platforms.ts";
import { type StubAnswer, type StubRequest, startStub } from "./stub-server.ts";

let cloud: Awaited<ReturnType<typeof startCloud>>;
let cleanUps: (() => void)[] = [];

beforeEach(async () => {
  cloud = await startCloud();
  cleanUps = [];
});
afterEach(async () => {
  for (const cleanUp of cleanUps) cleanUp();
  await cloud.close();
});

function newRunner(settings: Settings = {}, platform = ANY): Runner {
  const runner = installRunner(platform, { ...cloud.settings("large", "runner-1"), ...settings });
  cleanUps.push(runner.remove);
  return runner;
}

async function stub(answer: (request: StubRequest) => StubAnswer | Promise<StubAnswer>) {
  const server = await startStub(answer);
  cleanUps.push(server.close);
  return server;
}

const WITHOUT_KEYS = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
const FULL_LIFE = ["installation-start", "installed", "job-started", "job-completed"];

async function live(runner: Runner, steps = FULL_LIFE): Promise<string> {
  let stderr = "";
  for (const step of steps) {
    const finished = await runner.step(step, JOB);
    expect(finished).toMatchObject({ code: 0, stdout: "" });
    stderr += finished.stderr;
  }
  return stderr;
}

const stored = () => cloud.files("large").map((key) => key.replace("runners/large/", ""));

const puts = () => cloud.requests.log().map(({ key, status }) => `${key?.split("/").at(-1)} ${status}`);
const [START, INSTALLED, PRE, POST] = [
  "runner-installation-start.timestamp",
  "runner-installed.timestamp",
  "pre-job-metrics.json",
  "post-job-metrics.json",
] as const;

describe("the order of uploads", () => {
  it("is start, installed, pre and post, each once", async () => {
    expect(await live(newRunner())).toBe("");
    expect(puts()).toEqual([`${START} 200`, `${INSTALLED} 200`, `${PRE} 200`, `${POST} 200`]);
  });

  it("has no repetition as long as less than 45 minutes pass between any two steps", async () => {
    const runner = newRunner();
    for (const [index, step] of FULL_LIFE.entries()) {
      const offset = { CLOCK_OFFSET: String(index * 2_690) };
      expect(await runner.step(step, { ...JOB, ...offset })).toMatchObject({ code: 0, stderr: "" });
    }
    expect(puts()).toHaveLength(4);
  });

  const REPETITION_AT_THE_END = [
    ...[`${START} 412`, `${INSTALLED} 412`, `${PRE} 412`],
    ...[`${POST} 200`, `${START} 412`, `${INSTALLED} 412`, `${PRE} 412`],
  ];

  it("repeats the earlier files with each step after 45 minutes without an acknowledgement", async () => {
    const runner = newRunner();
    const at = [-2_700, 0, 1, 2];
    for (const [index, step] of FULL_LIFE.entries()) {
      const offset = { CLOCK_OFFSET: String(at[index]) };
      expect(await runner.step(step, { ...JOB, ...offset })).toMatchObject({ code: 0, stderr: "" });
    }
    expect(puts()).toEqual([
      ...[`${START} 200`],
      ...[`${START} 412`, `${INSTALLED} 200`],
      ...[`${START} 412`, `${INSTALLED} 412`, `${PRE} 200`],
      ...REPETITION_AT_THE_END,
    ]);
  });

  const gaps: [string, Record<string, string>][] = [
    ["the wall clock alone", { CLOCK_OFFSET: "2700", UPTIME_OFFSET: "0.001" }],
    ["the machine's uptime alone", { CLOCK_OFFSET: "0", UPTIME_OFFSET: "2700" }],
    ["a wall clock that was set back", { CLOCK_OFFSET: "-600", UPTIME_OFFSET: "0.001" }],
    ["an uptime that begins again", { CLOCK_OFFSET: "0", UPTIME_OFFSET: "-5000" }],
  ];
  it.each(effort(gaps.slice(-1), gaps))("repeats them also if only %s shows a gap", async (_, offsets) => {
    const runner = newRunner();
    await live(runner, FULL_LIFE.slice(0, 3));
    cloud.requests.reset();
    expect(await runner.step("job-completed", { ...JOB, ...offsets })).toMatchObject({ code: 0, stderr: "" });
    expect(puts()).toEqual(REPETITION_AT_THE_END);
  });

  const dates: [string, number | undefined, boolean][] = [
    ["shows that 45 minutes have passed", 2_700_000, true],
    ["shows that less have passed", 2_690_000, false],
    ["has no date", undefined, true],
  ];
  it.each(effort(dates.slice(0, 1), dates))("repeats them if S3's clock %s", async (_, laterMilliseconds, repeats) => {
    let later: number | undefined = 0;
    const stored = new Set<string>();
    const s3 = await stub(({ url }) => {
      const status = stored.has(url) ? 412 : 200;
      stored.add(url);
      const date = later === undefined ? "" : new Date(Date.now() + later).toUTCString();
      return { status, headers: { date } };
    });
    const runner = newRunner({ AWS_ENDPOINT_URL: s3.endpoint });
    await live(runner, FULL_LIFE.slice(0, 3));
    later = laterMilliseconds;
    s3.requests.length = 0;
    expect(await live(runner, FULL_LIFE.slice(3))).toBe("");
    const files = s3.requests.map(({ url }) => url.split("/").at(-1));
    expect(files).toEqual(repeats ? [POST, START, INSTALLED, PRE] : [POST]);
  });

  it("of a life costs at most 13 requests", { tags: needs("gate") }, async () => {
    const runner = newRunner();
    for (const [index, step] of FULL_LIFE.entries()) {
      const offset = { CLOCK_OFFSET: String(index * 5_000) };
      expect(await runner.step(step, { ...JOB, ...offset })).toMatchObject({ code: 0, stderr: "" });
    }
    expect(puts()).toHaveLength(13);
  });

  it("of a life under a name that is not new ends at the first file of another life, in every step", async () => {
    const [first, second] = [newRunner(), newRunner()] as const;
    expect(await live(first, ["installation-start"])).toBe("");
    cloud.requests.reset();
    const told = (step: string) =>
      `runner-metrics: ${step}: cannot store runner-installation-start.timestamp: there is one of another life: the storage's name, runner-1, is not new, so this life goes unrecorded until that one is collected (tried once in N s)\n`;
    expect((await live(second)).replaceAll(/ \d s/g, " N s")).toBe(FULL_LIFE.map(told).join(""));
    expect(cloud.requests.log().map(({ key, status }) => `${key?.split("/").at(-1)} ${status}`)).toEqual(
      FULL_LIFE.map(() => "runner-installation-start.timestamp 412"),
    );
    expect(await live(first, FULL_LIFE.slice(1))).toBe("");
  });

  it("is kept to once: what is stored is asked for with If-None-Match, and no more when all is stored", async () => {
    const runner = newRunner();
    await live(runner);
    cloud.requests.reset();
    expect(await live(runner, ["job-completed", "upload", "job-completed"])).toBe("");
    expect(await runner.step(["ended", "1"])).toMatchObject({ code: 0, stderr: "" });
    expect(cloud.requests.count()).toBe(0);
  });
});

describePlatforms("the time a step takes on $name", NODES, (platform) => {
  const LIMITS = { RUNNER_METRICS_TIMEOUT_SECONDS: "1" };

  it("is at most the limit of one file where nothing ever answers", async () => {
    const runner = newRunner(LIMITS, platform);
    cloud.faults.use(() => ({ kind: "stall" }));
    for (const step of ["installed", "job-completed"]) {
      cloud.requests.reset();
      const { code, stderr } = await runner.step(step, JOB);
      expect(code).toBe(0);
      // Each takes a second, and after the first one there is no time for another.
      expect(cloud.requests.count()).toBeLessThanOrEqual(1);
      expect(stderr.split("\n")).toEqual([expect.stringMatching(/cannot store .*: no answer/), ""]);
    }
  });
});

it("takes at most three times the limit of one file where every answer is slow", async () => {
  const runner = newRunner({ RUNNER_METRICS_TIMEOUT_SECONDS: "1" });
  await live(runner, ["installation-start", "installed", "job-started"]);
  cloud.faults.use(() => ({ kind: "delay", delayMs: 700 }));
  cloud.requests.reset();
  const { code } = await runner.step("job-completed");
  expect(code).toBe(0);
  // No more than five of 0.7 s begin in three seconds.
  expect(cloud.requests.count()).toBeLessThanOrEqual(5);
  cloud.faults.clear();
  expect(await live(runner, ["upload"])).toBe("");
  expect(stored()).toHaveLength(4);
});

it("says that the clock may be wrong where S3 refuses the corrected date too", async () => {
  const date = { Date: new Date(Date.now() + 3_600_000).toUTCString() };
  const s3 = await stub(() => ({ status: 403, headers: date }));
  const runner = newRunner({ AWS_ENDPOINT_URL: s3.endpoint });
  expect(await live(runner, ["installed"])).toContain("HTTP 403, maybe since the clock is wrong here");
  expect(s3.requests).toHaveLength(2);
});

it("takes no longer for it where S3 is slow besides", async () => {
  const date = { Date: new Date(Date.now() + 3_600_000).toUTCString() };
  const s3 = await stub(async () => {
    await sleep(900);
    return { status: 403, headers: date };
  });
  const runner = newRunner({ RUNNER_METRICS_TIMEOUT_SECONDS: "1" });
  await live(runner, FULL_LIFE.slice(0, 3));
  const { code } = await runner.step("job-completed", { AWS_ENDPOINT_URL: s3.endpoint });
  expect(code).toBe(0);
  expect(s3.requests.length).toBeLessThanOrEqual(4);
});

it("takes no longer for it where the clock is set back", async () => {
  const setBack = join(newRunner().home, "set-back.cjs");
  writeFileSync(setBack, "const now = Date.now; let reads = 0; Date.now = () => now() - (reads++ > 3 ? 600_000 : 0);");
  const runner = newRunner({ RUNNER_METRICS_TIMEOUT_SECONDS: "1", PRELOAD: setBack }, ONE);
  cloud.faults.use(() => ({ kind: "error", status: 500, code: "InternalError" }));
  cloud.requests.reset();
  const { code } = await runner.step("job-started", JOB);
  expect(code).toBe(0);
  // By the clock that was set back it would go on for ten minutes.
  expect(cloud.requests.count()).toBeLessThanOrEqual(3);
});

it("asks STS again with STS's own date where the clock is wrong", async () => {
  const ahead = new Date(Date.now() + 3 * 3_600_000);
  const hour = ahead.toISOString().slice(0, 13).replace(/-/g, "");
  const aws = await stub(({ method, headers }) => {
    if (!String(headers["x-amz-date"]).startsWith(hour)) return { status: 403, headers: { Date: ahead.toUTCString() } };
    return { body: method === "PUT" ? "" : "<UserId>AROAEXAMPLE:i-1</UserId>" };
  });
  const runner = newRunner({ AWS_ENDPOINT_URL: aws.endpoint, RUNNER_METRICS_STORAGE: undefined });
  expect(await live(runner, ["installed"])).toBe("");
  expect(aws.requests.at(-1)?.url).toContain("/AROAEXAMPLE%3Ai-1/runner-installed.timestamp");
});

describe("an answer that is no success", () => {
  it("is followed by more tries where it may pass: 503, 409, a reset connection", async () => {
    const runner = newRunner();
    const faults = [
      { kind: "error", status: 503, code: "SlowDown" },
      { kind: "error", status: 409, code: "ConditionalRequestConflict" },
      { kind: "reset" },
    ] as const;
    for (const [index, step] of FULL_LIFE.slice(0, 3).entries()) {
      let requests = 0;
      cloud.faults.use(() => (requests++ === 0 ? faults[index] : undefined));
      expect(await live(runner, [step])).toBe("");
    }
    expect(stored()).toHaveLength(3);
  });

  it("is told at once where it lasts: 403, 404", async () => {
    const runner = newRunner();
    cloud.faults.use(() => ({ kind: "error", status: 403, code: "AccessDenied" }));
    const denied = await runner.step("installed");
    expect(denied.stderr).toMatch(
      /^runner-metrics: installed: cannot store runner-installed.timestamp: HTTP 403, the credentials or the bucket's policy do not allow it \(tried once in \d s\)\n$/,
    );
    cloud.faults.clear();
    const wrong = await runner.step("upload", { RUNNER_METRICS_BUCKET: "no-such-bucket" });
    expect(wrong.stderr).toMatch(/HTTP 404, is there such a bucket\? \(tried once in \d s\)\n$/);
  });

  it("is tried again, as is said, by the next step, or after the last one by upload", {
    tags: needs("gate"),
  }, async () => {
    const runner = newRunner({ RUNNER_METRICS_TIMEOUT_SECONDS: "1", RUNNER_METRICS_FINAL_SECONDS: "5" });
    cloud.faults.use(() => ({ kind: "error", status: 503, code: "SlowDown" }));
    expect(await live(runner, ["installed"])).toMatch(/HTTP 503 \(tried once in \d s\); the next step tries again\n$/);
    const { stderr } = await runner.step(["ended", "0"]);
    expect(stderr).toMatch(/HTTP 503 \(tried [23] times in \d s\); upload tries again\n$/);
  });

  it("counts as success where the answer was lost after the effect", async () => {
    const runner = newRunner();
    let requests = 0;
    cloud.faults.use(() => (requests++ === 0 ? { kind: "reset", afterEffect: true } : undefined));
    expect(await live(runner, ["installed"])).toBe("");
    expect(stored()).toEqual(["runner-1/runner-installed.timestamp"]);
  });
});

describe("credentials", () => {
  const signed = (request: StubRequest | undefined) => ({
    credential: /Credential=([^/]+)/.exec(request?.headers.authorization ?? "")?.[1],
    token: request?.headers["x-amz-security-token"],
  });
  const inCloud = JSON.stringify({ AccessKeyId: "ASIA1", SecretAccessKey: "s/+=", Token: "t/+==", Expiration: "2099" });

  it("are the environment's, with its session token", async () => {
    const s3 = await stub(() => ({}));
    const runner = newRunner({ AWS_ENDPOINT_URL: s3.endpoint, AWS_SESSION_TOKEN: "tok/en+==" });
    expect(await live(runner, ["installed"])).toBe("");
    expect(signed(s3.requests[0])).toEqual({ credential: "AKIDEXAMPLE", token: "tok/en+==" });
    expect(s3.requests[0]?.headers.authorization).toMatch(/SignedHeaders=[^,]*if-none-match;[^,]*x-amz-security-token/);
  });

  it("are the EC2 instance's by IMDSv2, and the storage is its aws:userid", async () => {
    const server = await stub(({ method, url, headers }) => {
      if (url === "/latest/api/token" && method === "PUT") return { body: "v2-token" };
      if (url.startsWith("/latest/") && headers["x-aws-ec2-metadata-token"] !== "v2-token") return { status: 401 };
      if (url === "/latest/meta-data/iam/security-credentials/") return { body: "runner-role" };
      if (url === "/latest/meta-data/iam/security-credentials/runner-role") return { body: inCloud };
      if (method === "POST") return { body: "<A><Arn>x</Arn><UserId>AROAEXAMPLE:i-0abc</UserId></A>" };
      return {};
    });
    const runner = newRunner({
      ...WITHOUT_KEYS,
      AWS_EC2_METADATA_DISABLED: undefined,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: server.endpoint,
      AWS_ENDPOINT_URL: server.endpoint,
      RUNNER_METRICS_STORAGE: undefined,
    });
    expect(await live(runner, ["installed"])).toBe("");
    const put = server.requests.at(-1);
    expect(signed(put)).toEqual({ credential: "ASIA1", token: "t/+==" });
    expect(put?.url).toBe("/metrics/runners/large/AROAEXAMPLE%3Ai-0abc/runner-installed.timestamp");
    server.requests.length = 0;
    expect(await live(runner, ["job-started"])).toBe("");
    expect(server.requests.map(({ url }) => url.replace(/.*\//, ""))).toEqual([
      ...["token", "", "runner-role"],
      "pre-job-metrics.json", // the storage's name is known
    ]);
  });

  it("are those of an ECS task or an EKS pod, with the token of its file", async () => {
    const server = await stub(({ url, headers }) => {
      if (url !== "/v1/credentials") return {};
      return headers.authorization === "pod-token" ? { body: inCloud } : { status: 401 };
    });
    const runner = newRunner({
      ...WITHOUT_KEYS,
      AWS_ENDPOINT_URL: server.endpoint,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.endpoint}/v1/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: "/dev/null",
    });
    writeFileSync(join(runner.home, "token"), "pod-token");
    const settings = { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(runner.home, "token") };
    expect(await runner.step("installed", settings)).toMatchObject({ code: 0, stderr: "" });
    expect(signed(server.requests.at(-1))).toEqual({ credential: "ASIA1", token: "t/+==" });
  });

  it("R14 are not asked for at a host that AWS_CONTAINER_CREDENTIALS_RELATIVE_URI makes up", async () => {
    const server = await stub(() => ({ body: inCloud }));
    const AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = `@${new URL(server.endpoint).host}/`;
    const settings = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_AUTHORIZATION_TOKEN: "secret" };
    const runner = newRunner({ ...WITHOUT_KEYS, ...settings });
    expect(await live(runner, ["installed"])).toContain("_RELATIVE_URI is not one");
    expect(server.requests).toEqual([]);
  });

  describe("of a web identity (IRSA)", () => {
    const ROLE = "arn:aws:iam::111122223333:role/runners/large+x";
    const assumed = `<A><C><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s/+=</SecretAccessKey>
      <SessionToken>t/+==</SessionToken></C></A>`;
    const refused = "<E><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>x</Message></E>";

    /** STS, S3, and the machine's metadata, which nobody is to ask. */
    async function pod(settings: Settings, answer = assumed) {
      const server = await stub(({ method, url, body, headers }) => {
        if (url.startsWith("/latest/")) return { body: "node-role" };
        if (method !== "POST") return {};
        if (body.includes("Action=AssumeRoleWithWebIdentity")) {
          const session = new URLSearchParams(body.toString()).get("RoleSessionName");
          return answer === assumed ? { body: `${answer}${session}` } : { status: 400, body: answer };
        }
        return {
          body: `<A><UserId>AROAEXAMPLE:${headers["x-amz-security-token"] === "t/+==" ? "pod" : "x"}</UserId></A>`,
        };
      });
      const runner = newRunner({
        ...WITHOUT_KEYS,
        RUNNER_METRICS_STORAGE: undefined,
        RUNNER_METRICS_TIMEOUT_SECONDS: "1",
        AWS_EC2_METADATA_DISABLED: undefined,
        AWS_EC2_METADATA_SERVICE_ENDPOINT: server.endpoint,
        AWS_ENDPOINT_URL: server.endpoint,
        AWS_ROLE_ARN: ROLE,
        ...settings,
      });
      writeFileSync(join(runner.home, "web-identity"), "eyJ.web-identity.x");
      const settingsThen = { AWS_WEB_IDENTITY_TOKEN_FILE: join(runner.home, "web-identity"), ...settings };
      return { server, finished: await runner.step("installed", settingsThen) };
    }

    it("are STS's for the pod's token, in a session of the pod's name, which is the storage's", async () => {
      const { server, finished } = await pod({});
      expect(finished).toMatchObject({ code: 0, stderr: "" });
      const [request] = server.requests;
      expect(Object.fromEntries(new URLSearchParams(request?.body.toString()))).toEqual({
        Action: "AssumeRoleWithWebIdentity",
        Version: "2011-06-15",
        RoleArn: ROLE,
        RoleSessionName: hostname(),
        WebIdentityToken: "eyJ.web-identity.x",
      });
      expect(request?.headers.authorization).toBeUndefined();
      expect(server.requests).toHaveLength(3);
      expect(signed(server.requests.at(-1))).toEqual({ credential: "ASIA1", token: "t/+==" });
      expect(server.requests.at(-1)?.url).toBe("/metrics/runners/large/AROAEXAMPLE%3Apod/runner-installed.timestamp");
    });

    it("are for the session that AWS_ROLE_SESSION_NAME names", async () => {
      const { server } = await pod({ AWS_ROLE_SESSION_NAME: "runner-abc" });
      expect(server.requests[0]?.body.toString()).toContain("RoleSessionName=runner-abc&");
    });

    it("come after the environment's own", async () => {
      const { server, finished } = await pod({ AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "s" });
      expect(finished.stderr).toBe("");
      expect(signed(server.requests.at(-1)).credential).toBe("AKIDEXAMPLE");
    });

    it.each([
      [{}, refused, "STS refuses the web identity (InvalidIdentityToken)"],
      [{}, refused.replace("InvalidIdentityToken", "\u001b[1m"), "STS refuses the web identity"],
      [{}, "<html>", "STS has no answer to the web identity"],
      [{ AWS_ROLE_ARN: undefined }, assumed, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not"],
      [{ AWS_ROLE_SESSION_NAME: "a b" }, assumed, "AWS_ROLE_SESSION_NAME is not the name of a session"],
      [{ AWS_WEB_IDENTITY_TOKEN_FILE: "/nonexistent" }, assumed, "token of AWS_WEB_IDENTITY_TOKEN_FILE cannot be read"],
    ] as const)(
      "that can't be had are told, and the machine's are left alone: %j %s",
      async (settings, answer, told) => {
        for (const RUNNER_METRICS_STORAGE of [undefined, "runner-1"]) {
          const { server, finished } = await pod({ ...settings, RUNNER_METRICS_STORAGE }, answer);
          expect(finished.code).toBe(0);
          expect(finished.stderr).toContain(told);
          expect(finished.stderr.trimEnd().split("\n")).toHaveLength(1);
          expect(server.requests.filter(({ method }) => method !== "POST")).toEqual([]);
        }
      },
    );
  });

  it("that are nowhere are told", async () => {
    const runner = newRunner({ ...WITHOUT_KEYS, RUNNER_METRICS_TIMEOUT_SECONDS: "1" });
    expect(await live(runner, ["installed"])).toContain("no credentials found");
    const nameless = newRunner({ ...WITHOUT_KEYS, RUNNER_METRICS_STORAGE: undefined });
    expect(await live(nameless, ["installed"])).toBe(
      "runner-metrics: installed: RUNNER_METRICS_STORAGE is not set, and no credentials found (tried once in 0 s)\n",
    );
  });

  it("never stand on a command line, nor in the spool", async () => {
    const runner = newRunner({ AWS_SESSION_TOKEN: "tok/en+==" }, ONE);
    const seen: string[] = [];
    cloud.faults.use(() => {
      for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
        try {
          seen.push(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
        } catch {
          // It has ended.
        }
      }
      return undefined;
    });
    expect(await live(runner)).toBe("");
    expect(seen.join("\n")).toContain("runner-metrics.js");
    const spool = readdirSync(runner.spool).map((name) => readFileSync(join(runner.spool, name), "utf8"));
    for (const text of [...seen, ...spool]) expect(text).not.toMatch(/AKIDEXAMPLE|secret\/|tok\/en/);
  });
});

it("signs with S3's own date where the runner's clock is more than 10 minutes off", async () => {
  for (const hours of [1, -1, 25]) {
    const theirs = () => Date.now() + hours * 3_600_000;
    const s3 = await stub(({ headers }) => {
      const date = { Date: new Date(theirs()).toUTCString() };
      const [, year, month, day, ...time] =
        /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(headers["x-amz-date"]).split(", ", 1)[0] ?? "") ?? [];
      const signedAt = Date.parse(`${year}-${month}-${day}T${time.join(":")}Z`);
      const isFresh = Math.abs(signedAt - theirs()) < 15 * 60_000;
      return { status: isFresh ? 200 : 403, headers: date };
    });
    const runner = newRunner({ AWS_ENDPOINT_URL: s3.endpoint });
    expect(await live(runner), `${hours} h`).toBe("");
    expect(s3.requests[0]?.headers["if-none-match"]).toBe("*");
  }
});

describe("the spool", () => {
  it("is only the runner's to read", { tags: needs("coreutils") }, async () => {
    const runner = newRunner();
    await live(runner);
    const { stdout } = await launch(["sh", "-c", `ls -lad ${runner.spool} ${runner.spool}/*`], {
      PATH: process.env.PATH,
    }).finished;
    expect(stdout.match(/^[-d]rw[-x]------/gm)?.length).toBe(stdout.trim().split("\n").length);
  });

  it("begins a life with a new runner's installation, or after the last runner's end", async () => {
    const runner = newRunner();
    await live(runner);
    const next = { RUNNER_METRICS_STORAGE: "runner-2" };
    expect(await runner.step("installed", next)).toMatchObject({ code: 0, stderr: "" });
    expect(runner.spooled(POST)).toBe("");
    expect(stored()).toContain("runner-2/runner-installed.timestamp");
    expect(stored().filter((key) => key.startsWith("runner-2"))).toHaveLength(1);
  });

  it("keeps the first `installed` of a life", async () => {
    const runner = newRunner();
    await live(runner, ["installation-start", "installed"]);
    const first = runner.spooled(INSTALLED);
    expect(await runner.step("installed", { CLOCK_OFFSET: "100" })).toMatchObject({ code: 0, stderr: "" });
    expect(runner.spooled(INSTALLED)).toBe(first);
    expect(puts()).toHaveLength(2);
  });

  it("first finishes the upload of the life before", async () => {
    const runner = newRunner({ RUNNER_METRICS_TIMEOUT_SECONDS: "1" });
    const down = { AWS_ENDPOINT_URL: "http://127.0.0.1:9" };
    for (const step of FULL_LIFE) await runner.step(step, { ...JOB, ...down });
    expect(cloud.requests.count()).toBe(0);
    expect(await runner.step("installation-start", { RUNNER_METRICS_STORAGE: "runner-2" })).toMatchObject({
      code: 0,
      stderr: "",
    });
    expect(cloud.requests.log().map(({ key }) => key?.split("/").slice(-2).join("/"))).toEqual([
      ...[START, INSTALLED, PRE, POST].map((file) => `runner-1/${file}`),
      `runner-2/${START}`,
    ]);
  });

  it("that cannot be made is told, and what is known is sent all the same", async () => {
    const runner = newRunner({ RUNNER_METRICS_SPOOL: "/dev/null/spool" });
    expect(await live(runner, ["installed"])).toMatch(/cannot use the spool directory/);
    expect(stored()).toEqual(["runner-1/runner-installed.timestamp"]);
  });

  it("that is a link is not used", async () => {
    const runner = newRunner();
    const elsewhere = join(runner.home, "elsewhere");
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, runner.spool);
    expect(await live(runner, ["installed"])).toContain("is not a directory");
    expect(readdirSync(elsewhere)).toEqual([]);
  });
});

describe("settings", () => {
  it.each([
    ["RUNNER_METRICS_BUCKET", "bad bucket"],
    ["RUNNER_METRICS_BUCKET", "bucket/../other"],
    ["RUNNER_METRICS_FLAVOR", "Large"],
    ["RUNNER_METRICS_FLAVOR", "a".repeat(33)],
    ["RUNNER_METRICS_REGION", "us-east-1\nurl = x"],
    ["RUNNER_METRICS_STORAGE", "../other"],
    ["RUNNER_METRICS_STORAGE", "a b"],
    ["RUNNER_METRICS_ENDPOINT", 'http://x" \n'],
    ["RUNNER_METRICS_TICKET", "/nonexistent"],
    ["RUNNER_METRICS_STORAGE", "a/b"],
    ["RUNNER_METRICS_STORAGE", "x".repeat(129)],
  ])("that are wrong are named, and nothing is sent: %s=%j", async (name, value) => {
    const runner = newRunner({ [name]: value });
    const { code, stderr } = await runner.step("installed");
    expect(code).toBe(0);
    expect(stderr.trimEnd().split("\n")).toEqual([expect.stringContaining(name)]);
    expect(stderr).not.toContain("is not set");
    expect(stderr).not.toContain("no storage");
    expect(cloud.requests.count()).toBe(0);
  });

  const wrong: [string, Record<string, string>, string][] = [
    ["installed", { RUNNER_METRICS_TIMEOUT_SECONDS: "abc" }, "RUNNER_METRICS_TIMEOUT_SECONDS"],
    ["installed", { RUNNER_METRICS_TIMEOUT_SECONDS: "0" }, "RUNNER_METRICS_TIMEOUT_SECONDS"],
    ["installed", { RUNNER_METRICS_TIMEOUT_SECONDS: "3000000" }, "RUNNER_METRICS_TIMEOUT_SECONDS"],
    ["ended", { RUNNER_METRICS_FINAL_SECONDS: "-1" }, "RUNNER_METRICS_FINAL_SECONDS"],
    ["installation-start abc", {}, "SECONDS"],
    ["policy-failure abc", {}, "CODE"],
    ["policy-failure 1234567890", {}, "CODE"],
    ["ended 3x", {}, "CODE"],
  ];
  it.each(effort(wrong.slice(-1), wrong))(
    "and arguments that are no numbers are told, and the step goes on without: %s %j",
    async (step, settings, name) => {
      const runner = newRunner();
      if (!step.startsWith("inst")) await live(runner, ["installed"]);
      const { code, stderr } = await runner.step(step.split(" "), { ...JOB, ...settings });
      expect(code).toBe(0);
      expect(stderr).toMatch(new RegExp(`^runner-metrics: \\S+: ${name} is not an? .*\n$`));
      expect(stored()).not.toEqual([]);
    },
  );

  it.each(["BUCKET", "FLAVOR", "REGION"])(
    "that lack RUNNER_METRICS_%s are told apart from wrong ones",
    async (name) => {
      const unset = { [`RUNNER_METRICS_${name}`]: undefined, AWS_REGION: undefined, AWS_DEFAULT_REGION: undefined };
      const { code, stderr } = await newRunner(unset).step("installed");
      expect(code).toBe(0);
      expect(stderr).toBe(`runner-metrics: installed: RUNNER_METRICS_${name} is not set\n`);
    },
  );

  it("of runner-metrics.conf, next to the program, win over the environment's, and are never executed", async () => {
    const runner = newRunner({ RUNNER_METRICS_FLAVOR: "forged", RUNNER_METRICS_STORAGE: undefined });
    const canary = join(runner.home, "canary");
    runner.configure(
      "# a comment",
      "RUNNER_METRICS_FLAVOR=large\r",
      'export RUNNER_METRICS_STORAGE="runner-1"',
      `X=$(touch ${canary})`,
      `touch ${canary}`,
      "no line of ours",
    );
    expect(await live(runner, ["installed"])).toBe("");
    expect(stored()).toEqual(["runner-1/runner-installed.timestamp"]);
    expect(existsSync(canary)).toBe(false);
  });

  describePlatforms("that are all missing, even HOME and PATH,", NODES, (platform) => {
    it(`fail no hook on ${platform.name}`, async () => {
      const runner = newRunner({}, platform);
      const nothing = Object.fromEntries(Object.keys(runner.environment).map((name) => [name, undefined]));
      const { RUNNER_METRICS_RUNNER } = runner.environment;
      for (const step of [...FULL_LIFE, "policy-failure", "ended", "upload"]) {
        const { code, stderr } = await runner.step(step, { ...nothing, RUNNER_METRICS_RUNNER });
        expect(code).toBe(0);
        expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(1);
      }
    });
  });
});

it("ends with status 2 and its usage where a step is misspelt, and does nothing", async () => {
  const runner = newRunner();
  for (const step of ["", "job-strated", "run", "run --"]) {
    expect(await runner.step(step.split(" "))).toMatchObject({ code: 2, stderr: expect.stringMatching(/^usage:/) });
  }
  await sleep(0);
  expect(cloud.requests.count()).toBe(0);
});
