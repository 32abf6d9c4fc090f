/**
 * `installation-start.sh`: what runs before there is a Node.
 * @module-tag needs-runner-tools
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTicket, formatTicket } from "../../cli/ticket.ts";
import { lifeOf } from "../../runner/life.ts";
import { BUCKET, installRunner, JOB, launch, PROGRAM, type Settings, startCloud } from "./fleet.ts";
import { describePlatforms, type Platform, SHELLS } from "./platforms.ts";
import { acceptPosts } from "./post-policy.ts";
import { startStub } from "./stub-server.ts";

const START = "runner-installation-start.timestamp";
const SILENT = { code: 0, stdout: "", stderr: "" };
const NO_KEYS = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };

let cloud: Awaited<ReturnType<typeof startCloud>>;
let cleanUps: (() => void)[] = [];
beforeEach(async () => {
  cloud = await startCloud();
});
afterEach(async () => {
  for (const cleanUp of cleanUps) cleanUp();
  cleanUps = [];
  await cloud.close();
});

function newRunner(platform: Platform, settings: Settings = {}) {
  const runner = installRunner(platform, { ...cloud.settings("large", "AROA:i-1"), ...settings });
  cleanUps.push(runner.remove);
  const start = (more: Settings = {}, ...args: readonly string[]) =>
    launch([...platform.shell, join(runner.home, "installation-start.sh"), ...args], {
      ...runner.environment,
      ...more,
    }).finished;
  return { ...runner, start };
}

async function stub(answer: Parameters<typeof startStub>[0]) {
  const server = await startStub(answer);
  cleanUps.push(server.close);
  return server;
}

describePlatforms("installation-start.sh, by $name,", SHELLS, (platform) => {
  it("stores the file with the environment's keys, and the first step with Node does not send it again", async () => {
    const { start, step, life } = newRunner(platform);
    expect(await start({}, "1700000000")).toEqual({ ...SILENT, milliseconds: expect.any(Number) });
    expect(cloud.text(`runners/large/AROA:i-1/${START}`)).toBe("1700000000\n");
    for (const name of ["installed", "job-started", "job-completed"]) {
      expect(await step(name, JOB)).toMatchObject(SILENT);
    }
    expect(cloud.requests.log().map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(life().repeats).toBe(false);
  });

  it("stores it as the EC2 instance's role, under its aws:userid", async () => {
    const server = await stub(({ method, url, headers }) => {
      const role = "/latest/meta-data/iam/security-credentials/";
      if (url === "/latest/api/token" && method === "PUT") return { body: "v2-token" };
      if (url.startsWith("/latest/") && headers["x-aws-ec2-metadata-token"] !== "v2-token") return { status: 401 };
      if (url === role) return { body: "runner-role" };
      const json = { Code: "Success", AccessKeyId: "ASIA1", SecretAccessKey: "s/+=", Token: "t/+==" };
      if (url === `${role}runner-role`) return { body: JSON.stringify(json, undefined, 2) };
      if (method === "POST") return { body: "<A>\n <Arn>x</Arn>\n <UserId>AROA:i-0abc</UserId>\n</A>" };
      return { headers: { date: new Date().toUTCString() } };
    });
    const { start, life } = newRunner(platform, {
      ...NO_KEYS,
      AWS_EC2_METADATA_DISABLED: undefined,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: server.endpoint,
      AWS_ENDPOINT_URL: server.endpoint,
      RUNNER_METRICS_STORAGE: undefined,
    });
    expect(await start()).toMatchObject(SILENT);
    const put = server.requests.at(-1);
    expect(put).toMatchObject({ method: "PUT", url: `/metrics/runners/large/AROA%3Ai-0abc/${START}` });
    expect(put?.headers).toMatchObject({ "if-none-match": "*", "x-amz-security-token": "t/+==" });
    expect(put?.headers.authorization).toMatch(/Credential=ASIA1\/.*SignedHeaders=[^,]*if-none-match;/);
    expect(put?.body.toString()).toMatch(/^\d+\n$/);
    expect(life().stored).toEqual(new Set([START]));
  });

  it("stores it with a ticket, and does nothing else that stands there", async () => {
    const credentials = { accessKeyId: "AKIATEST", secretAccessKey: "test/secret+", sessionToken: "tok/en+==" };
    const { answer, objects } = acceptPosts({ credentials, now: Date.now });
    const server = await stub((request) => ({ ...answer(request), headers: { date: new Date().toUTCString() } }));
    const request = { bucket: BUCKET, flavor: "large", storage: "r", region: "us-east-1", endpoint: server.endpoint };
    const ticket = formatTicket(await createTicket({ ...request, lifetimeSeconds: 60 }, credentials));
    const { start, home, life } = newRunner(platform, { ...NO_KEYS, RUNNER_METRICS_STORAGE: undefined });
    const path = join(home, "ticket");
    const hostile = [`${START} url http://127.0.0.1:9/"`, `${START} field x" y`, `${START} output ${home}/canary`];
    for (const end of ["\n", "\r\n"]) {
      writeFileSync(path, `${hostile.join("\n")}\n${ticket}`.replaceAll("\n", end).trimEnd());
      objects.clear();
      expect(await start({ RUNNER_METRICS_TICKET: path }, "1700000000")).toMatchObject(SILENT);
      expect([...objects.values()]).toEqual(["1700000000\n"]);
      expect(life().stored).toEqual(new Set([START]));
    }
    expect(existsSync(join(home, "canary"))).toBe(false);
  });

  it("only records it if it cannot know what to send, or is refused", async () => {
    for (const settings of [
      { RUNNER_METRICS_FLAVOR: 'x"' },
      { RUNNER_METRICS_STORAGE: "../other" },
      { RUNNER_METRICS_REGION: "us-east-1\nurl = x" },
      { AWS_WEB_IDENTITY_TOKEN_FILE: "/nonexistent" },
    ]) {
      const { start, life, directory } = newRunner(platform, settings);
      expect(await start()).toMatchObject(SILENT);
      expect(Object.keys(life().files)).toEqual([START]);
      expect(cloud.requests.count()).toBe(0);
      expect(readdirSync(join(directory, ".."))).not.toContain("other");
    }
    const { start, life } = newRunner(platform);
    cloud.faults.use(() => ({ kind: "error", status: 403, code: "AccessDenied" }));
    expect(await start()).toMatchObject(SILENT);
    expect(life().stored.size).toBe(0);
  });

  it("R6 takes no time that the collector would not", async () => {
    for (const time of ["0123", "1e9", "99999999999", "1700000000000"]) {
      const { start, spooled } = newRunner(platform);
      const { code, stderr } = await start({}, time);
      expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining("so now counts") });
      expect(Math.abs(Number(spooled(START)) - Date.now() / 1000)).toBeLessThan(60);
    }
  });

  it("R13 follows no link and waits for no pipe in the spool", async () => {
    const { start, spool, home, life } = newRunner(platform);
    mkdirSync(spool);
    const target = join(home, "target");
    symlinkSync(target, join(spool, "life-000001.jsonl"));
    execFileSync("mkfifo", [join(spool, "life-000002.jsonl")]);
    symlinkSync(target, join(spool, "life-000003.jsonl"));
    expect(await start()).toMatchObject(SILENT);
    expect(existsSync(target)).toBe(false);
    expect(life().stored).toEqual(new Set([START]));
    const linked = newRunner(platform);
    const elsewhere = join(linked.home, "elsewhere");
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, linked.spool);
    expect((await linked.start()).stderr).toContain("cannot write to the spool directory");
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("R14 runs no program that is first in the PATH, and says one line", async () => {
    const { start, home, life } = newRunner(platform);
    const planted = join(home, "planted");
    mkdirSync(planted);
    for (const name of ["curl", "date", "sed", "tr", "cat", "mkdir"]) {
      writeFileSync(join(planted, name), `#!/bin/sh\n: >'${home}/canary'\n`, { mode: 0o755 });
    }
    expect(await start({ PATH: `${planted}:${process.env.PATH}` })).toMatchObject(SILENT);
    expect(existsSync(join(home, "canary"))).toBe(false);
    expect(life().stored).toEqual(new Set([START]));
    const { stderr } = await start({ RUNNER_METRICS_SPOOL: "/dev/null/x\n::error::y\u001b[31m" });
    expect(stderr).toBe(
      "runner-metrics: installation-start: cannot write to the spool directory /dev/null/x?::error::y?[31m\n",
    );
  });
});

it("R6 reads the clock once: a second that ends between two readings would make now a time later than now", () => {
  const script = readFileSync(join(PROGRAM, "installation-start.sh"), "utf8");
  expect(script.match(/\bdate \+/g)).toHaveLength(1);
});

describe("a moment that installation-start.sh notes", () => {
  const date = "Thu, 26 Nov 2026 23:00:00 GMT";
  it.each([
    ["12345.67 54321.00", 12_345_670],
    ["{ sec = 1700000000, usec = 123 } Tue Nov 14 22:13:20 2023", 60_000],
    ["", Number.NaN],
  ])("has the machine's uptime from %j", (up, uptime) => {
    const wall = 1_700_000_060_000;
    expect(lifeOf([{ ack: START, at: { wall, up, date } }]).lastAck).toEqual({ wall, uptime, date: Date.parse(date) });
  });
});
