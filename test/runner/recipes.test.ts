import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ec2RunnerProvider, GitHubRunners, Os } from "@cloudsnorkel/cdk-github-runners";
import { Stack } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { type IVpc, Vpc } from "aws-cdk-lib/aws-ec2";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { runnerArchive } from "../../package/runner-archive.ts";
import { buildRunner } from "../../runner/build.ts";
import { addMetrics, allowMetrics } from "../../runner/recipes/cdk-github-runners.ts";
import { createApp } from "../infra/app.ts";
import { needs } from "../tools.ts";
import { BUCKET, JOB, launch, PROGRAM, pathOf, type Settings, startCloud } from "./fleet.ts";
import { SHELLS } from "./platforms.ts";

const RECIPES = fileURLToPath(new URL("../../runner/recipes", import.meta.url));
/** What a release has, and where recipes download it. */
const ARCHIVE = runnerArchive(PROGRAM);
const SUM = sha256(ARCHIVE);
const ARCHIVE_URL = /https:\/\/github\.com\/OWNER\/runner-metrics\/releases\/download\/\S+\.tar\.gz/;
const EC2 =
  /## User data and Auto Scaling\n\n```sh\n([\s\S]*?)```\n/.exec(
    readFileSync(new URL("../../docs/use/ec2.md", import.meta.url), "utf8"),
  )?.[1] ?? "";
const FILES = [
  "post-job-metrics.json",
  "pre-job-metrics.json",
  "runner-installation-start.timestamp",
  "runner-installed.timestamp",
];
/** A run.sh that has one job. */
const RUN_SH =
  '#!/bin/bash\nbash -e "$ACTIONS_RUNNER_HOOK_JOB_STARTED"\nbash -e "$ACTIONS_RUNNER_HOOK_JOB_COMPLETED"\necho "ran $*"\n';

interface PodVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
}

let cloud: Awaited<ReturnType<typeof startCloud>>;
const roots: string[] = [];
beforeAll(async () => {
  cloud = await startCloud();
});
afterAll(async () => {
  for (const root of roots) rmSync(root, { recursive: true, force: true });
  await cloud.close();
});

function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

const recipe = (name: string) => readFileSync(join(RECIPES, name), "utf8");
const stored = (storage: string) => cloud.files("large").flatMap((key) => key.split(`/${storage}/`)[1] ?? []);

/** A machine's directories under a temporary one: texts of recipes are moved there. */
function newMachine() {
  const root = mkdtempSync(join(tmpdir(), "machine-"));
  roots.push(root);
  for (const directory of ["opt/actions-runner", "opt/runner-metrics", "var/lib", "run", "home"]) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  writeFileSync(join(root, "opt/actions-runner/run.sh"), RUN_SH);
  chmodSync(join(root, "opt/actions-runner/run.sh"), 0o755);
  for (const directory of ["opt/actions-runner", "home/runner"]) {
    mkdirSync(join(root, directory, "externals/node24/bin"), { recursive: true });
    symlinkSync(process.execPath, join(root, directory, "externals/node24/bin/node"));
  }
  const moved = (text: string) =>
    text
      .replaceAll(/(?<![\w/])\/(opt|var\/lib|run|home)\//g, `${root}/$1/`)
      .replaceAll("METRICS_BUCKET=METRICS_BUCKET", `METRICS_BUCKET=${BUCKET}`)
      .replaceAll("bucket=METRICS_BUCKET", `bucket=${BUCKET}`);
  return {
    root,
    moved,
    at: (path: string) => join(root, path),
    path: (name: string) => join(root, "opt/runner-metrics", name),
  };
}

function installScripts(machine: ReturnType<typeof newMachine>, settings: string[] = []): void {
  cpSync(PROGRAM, machine.at("opt/runner-metrics"), { recursive: true });
  if (settings.length > 0) writeFileSync(machine.path("runner-metrics.conf"), `${settings.join("\n")}\n`);
}

function environment(storage: string): Settings {
  return {
    ...JOB,
    PATH: process.env.PATH,
    RUNNER_METRICS_STORAGE: storage,
    AWS_ENDPOINT_URL: cloud.endpoint,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  };
}

describe("every script", () => {
  const runner = fileURLToPath(new URL("../../runner", import.meta.url));
  const ours = readdirSync(runner, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".sh") && !name.startsWith("dist"))
    .map((name) => join(runner, name));
  const scripts = [...ours];
  beforeAll(() => {
    const ec2 = join(newMachine().root, "ec2.sh");
    writeFileSync(ec2, EC2);
    scripts.push(ec2);
  });

  it("is short: only what has to run before there is a Node is shell, in 150 lines and without awk", () => {
    const lines = ours.flatMap((path) => readFileSync(path, "utf8").trimEnd().split("\n"));
    expect(ours.length).toBeGreaterThanOrEqual(3);
    expect(lines.length).toBeLessThanOrEqual(150);
    expect(lines.filter((line) => /awk|.{151}/.test(line))).toEqual([]);
  });

  it("passes shellcheck", { tags: needs("shellcheck") }, () => {
    const { stdout, status } = spawnSync(pathOf("shellcheck"), ["--shell=sh", ...scripts], { encoding: "utf8" });
    expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
  });

  for (const { name, shell: command, tools } of SHELLS) {
    it(`is syntax that ${name} takes`, { tags: tools.map(needs) }, () => {
      const [shell, ...args] = command;
      for (const script of scripts) execFileSync(pathOf(shell), [...args, "-n", script]);
    });
  }
});

describe("the recipe for", () => {
  it("EC2's user data sets up a runner, lets it live and stores its four files", {
    tags: needs("runner-tools"),
  }, async () => {
    const machine = newMachine();
    writeFileSync(machine.at("runner.tar.gz"), ARCHIVE);
    const script = machine
      .moved(EC2)
      .replace(ARCHIVE_URL, `file://${machine.at("runner.tar.gz")}`)
      .replace("SHA256_OF_THE_ARCHIVE", SUM)
      .replace("user=runner", `user=${execFileSync("id", ["-un"], { encoding: "utf8" }).trim()}`)
      .replace(
        "#!/bin/sh",
        '#!/bin/sh\njit_config=JIT\nrunuser() { shift 3; "$@"; }\nshutdown() { echo "shut down"; }',
      );
    const { code, stdout, stderr } = await launch(["sh", "-c", script], environment("ec2")).finished;
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "ran --jitconfig JIT\nshut down\n", stderr: "" });
    expect(stored("ec2")).toEqual(FILES);
  });

  it("R4 EC2's user data starts the runner without metrics if a file is not the one that was built", {
    tags: needs("coreutils"),
  }, async () => {
    const machine = newMachine();
    const changed = machine.at("changed");
    cpSync(PROGRAM, changed, { recursive: true });
    writeFileSync(join(changed, "job-completed.sh"), "exit 1\n");
    writeFileSync(machine.at("runner.tar.gz"), runnerArchive(changed));
    const script = machine
      .moved(EC2)
      .replace(ARCHIVE_URL, `file://${machine.at("runner.tar.gz")}`)
      .replace("SHA256_OF_THE_ARCHIVE", SUM)
      .replace("user=runner", `user=${execFileSync("id", ["-un"], { encoding: "utf8" }).trim()}`)
      .replace("#!/bin/sh", '#!/bin/sh\nrunuser() { shift 3; "$@"; }\nshutdown() { :; }');
    writeFileSync(
      machine.at("opt/actions-runner/run.sh"),
      '#!/bin/sh\necho "ran<$ACTIONS_RUNNER_HOOK_JOB_COMPLETED>"\n',
    );
    expect((await launch(["sh", "-c", script], environment("ec2-other")).finished).stdout).toBe("ran<>\n");
    expect(stored("ec2-other")).toEqual([]);
  });

  it("EC2's user data starts the runner without metrics if the files can't be downloaded", {
    tags: needs("coreutils"),
  }, async () => {
    const machine = newMachine();
    const script = machine
      .moved(EC2)
      .replace(ARCHIVE_URL, "file:///nonexistent")
      .replace("user=runner", `user=${execFileSync("id", ["-un"], { encoding: "utf8" }).trim()}`)
      .replace("#!/bin/sh", '#!/bin/sh\ncurl() { return 22; }\nrunuser() { shift 3; "$@"; }\nshutdown() { :; }');
    writeFileSync(machine.at("opt/actions-runner/run.sh"), "#!/bin/sh\necho ran\n");
    expect((await launch(["sh", "-c", script], environment("ec2-without")).finished).stdout).toBe("ran\n");
    expect(stored("ec2-without")).toEqual([]);
  });

  it("EC2's user data starts the runner without metrics when the line is deleted that docs/use/ec2.md names", {
    tags: needs("coreutils"),
  }, async () => {
    const machine = newMachine();
    writeFileSync(machine.at("runner.tar.gz"), ARCHIVE);
    const script = machine
      .moved(EC2)
      .replace(/^if install_metrics.*\n/m, "")
      .replace(ARCHIVE_URL, `file://${machine.at("runner.tar.gz")}`)
      .replace("SHA256_OF_THE_ARCHIVE", SUM)
      .replace("user=runner", `user=${execFileSync("id", ["-un"], { encoding: "utf8" }).trim()}`)
      .replace("#!/bin/sh", '#!/bin/sh\nrunuser() { shift 3; "$@"; }\nshutdown() { :; }');
    writeFileSync(machine.at("opt/actions-runner/run.sh"), "#!/bin/sh\necho ran\n");
    const { stdout, stderr } = await launch(["sh", "-c", script], environment("ec2-back")).finished;
    expect({ stdout, stderr }).toEqual({ stdout: "ran\n", stderr: "" });
    expect(stored("ec2-back")).toEqual([]);
  });

  /** What the user data of a Terraform recipe does, and its two hooks. */
  async function terraformMachine(name: string, env: Settings) {
    const machine = newMachine();
    const terraform = recipe(name);
    const heredoc = (name: string) =>
      new RegExp(`${name} += <<-(\\w+)\\n([^]*?)\\n *\\1\\n`).exec(terraform)?.[2] ?? "";
    const settings = machine.moved(heredoc("metrics_settings").replaceAll(/^ +/gm, ""));
    const expression = "$" + "{base64encode(local.metrics_settings)}";
    const postInstall = heredoc("userdata_post_install");
    expect(postInstall).toContain(expression);
    expect(postInstall.replace(expression, "")).not.toMatch(/[$%]\{/); // Terraform would read it as its own
    writeFileSync(machine.at("runner.tar.gz"), ARCHIVE);
    const script = machine
      .moved(
        `set -e\nuser_name=$(id -un)\nsudo() { shift 2; "$@"; }\n${heredoc("userdata_pre_install")}\n${postInstall}`,
      )
      .replace(ARCHIVE_URL, `file://${machine.at("runner.tar.gz")}`)
      .replace("SHA256_OF_THE_ARCHIVE", SUM)
      .replace(expression, Buffer.from(`${settings}\n`).toString("base64"));
    const setUp = await launch(["bash", "-c", script], env).finished;
    expect(setUp).toMatchObject({ code: 0, stderr: "", stdout: "" });
    const hooks = [...terraform.matchAll(/runner_hook_job_\w+ += "(.*)"/g)].map(([, hook = ""]) => hook);
    expect(hooks).toHaveLength(2);
    for (const hook of hooks) {
      expect(hook).not.toMatch(/[$`"\\]/); // it passes through two heredocs
      expect(await launch(["bash", "-e", "-c", hook], { PATH: process.env.PATH }).finished).toMatchObject({ code: 0 });
    }
    return { machine, hooks };
  }

  it("terraform-aws-github-runner wraps run.sh, and its hooks fail no job and need no variable", {
    tags: needs("runner-tools"),
  }, async () => {
    const env = environment("terraform");
    const { machine } = await terraformMachine("terraform-aws-github-runner.tf", env);
    const wrapper = machine.at("opt/actions-runner/run.sh");
    writeFileSync(wrapper, machine.moved(readFileSync(wrapper, "utf8")));
    const ran = await launch([wrapper, "--jitconfig", "JIT"], env).finished;
    expect(ran).toMatchObject({ code: 0, stderr: "", stdout: "ran --jitconfig JIT\n" });
    expect(stored("terraform")).toEqual(FILES);
  });

  it("terraform-aws-github-runner's default, runners with many jobs, reports each of them by its hooks", {
    tags: needs("runner-tools"),
  }, async () => {
    const env = environment("terraform-many");
    const { machine, hooks } = await terraformMachine("terraform-aws-github-runner-persistent.tf", env);
    for (const run of ["1", "2"]) {
      for (const hook of hooks) {
        const { stderr } = await launch(["bash", "-e", "-c", machine.moved(hook)], { ...env, GITHUB_RUN_ID: run })
          .finished;
        expect(stderr).toBe("");
      }
    }
    expect(stored("terraform-many")).toEqual(FILES);
    expect(stored("terraform-many~00")).toEqual(FILES.filter((file) => !file.includes("start")));
  });

  it("ECS is a task whose command stores a runner's four files", { tags: needs("runner-tools") }, async () => {
    const machine = newMachine();
    installScripts(machine);
    writeFileSync(machine.at("home/runner/run.sh"), RUN_SH, { mode: 0o755 });
    const [{ entryPoint, command, environment: own }] = JSON.parse(
      machine.moved(recipe("ecs-task-definition.json")),
    ).containerDefinitions;
    const variables = Object.fromEntries(own.map(({ name, value }: PodVariable) => [name, value]));
    const env = { ...environment("ecs"), ...variables, RUNNER_METRICS_BUCKET: BUCKET, JIT_CONFIG: "JIT" };
    const ran = await launch([...entryPoint, ...command], env).finished;
    expect(ran).toMatchObject({ code: 0, stderr: "", stdout: "ran --jitconfig JIT\n" });
    expect(stored("ecs")).toEqual(FILES);
  });

  it("launchd is a list whose command records each start of a persistent runner", {
    tags: needs("runner-tools"),
  }, async () => {
    const machine = newMachine();
    installScripts(machine, [
      `RUNNER_METRICS_BUCKET=${BUCKET}`,
      "RUNNER_METRICS_FLAVOR=large",
      "RUNNER_METRICS_REGION=us-east-1",
      "RUNNER_METRICS_JOBS_PER_RUNNER=many",
      `RUNNER_METRICS_SPOOL=${machine.at("var/lib/runner-metrics")}`,
    ]);
    const list = machine.moved(recipe("launchd.plist"));
    const [, words = ""] = /<key>ProgramArguments<\/key>\s*<array>([\s\S]*?)<\/array>/.exec(list) ?? [];
    const command = [...words.matchAll(/<string>(.*)<\/string>/g)].map(([, word = ""]) => word);
    for (const run of ["1", "2"]) {
      const { code, stderr } = await launch(command, { ...environment("mac"), GITHUB_RUN_ID: run }).finished;
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    }
    expect(stored("mac")).toHaveLength(3);
    expect(stored("mac~00")).toHaveLength(3);
  });

  it("cdk-github-runners puts the program into the image and lets the runner put four files", async () => {
    // What the recipe takes as an asset.
    await buildRunner();
    const app = createApp();
    const stack = new Stack(app, "Stack", { env: { account: "111122223333", region: "eu-central-1" } });
    const vpc = new Vpc(stack, "Vpc") as IVpc; // the CDK's classes do not keep to its interfaces under exactOptionalPropertyTypes
    const imageBuilder = Ec2RunnerProvider.imageBuilder(stack, "Image", { vpc, os: Os.LINUX_UBUNTU });
    const target = { bucket: Bucket.fromBucketName(stack, "Bucket", BUCKET), flavor: "large", region: stack.region };
    addMetrics(imageBuilder, target);
    const provider = new Ec2RunnerProvider(stack, "Provider", { vpc, imageBuilder });
    allowMetrics(provider, target);
    new GitHubRunners(stack, "Runners", { providers: [provider] });
    const template = Template.fromStack(stack);
    const components = JSON.stringify(template.findResources("AWS::ImageBuilder::Component"));
    expect(components).toContain("mv run.sh run-github.sh");
    expect(components).toContain("run -- /home/runner/run-github.sh");
    expect(components).toContain("RUNNER_METRICS_FLAVOR=large");
    template.hasResourceProperties("AWS::IAM::Policy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: "s3:PutObject",
            Resource: Match.arrayWith([
              {
                "Fn::Join": [
                  "",
                  Match.arrayWith([
                    Match.stringLikeRegexp("metrics/runners/large/.*aws:userid.*/post-job-metrics.json"),
                  ]),
                ],
              },
            ]),
          }),
        ]),
      },
    });
  });

  it("ARC is values whose commands, as they stand there, store a pod's four files", {
    tags: needs("runner-tools"),
  }, async () => {
    const machine = newMachine();
    installScripts(machine);
    const { spec } = parse(machine.moved(recipe("arc-values.yaml"))).template;
    const [init] = spec.initContainers;
    const [runner] = spec.containers;
    expect(runner.name).toBe("runner"); // the chart gives this one its registration
    expect(runner.volumeMounts.map(({ name }: { name: string }) => name)).toEqual(
      spec.volumes.map(({ name }: { name: string }) => name),
    );
    writeFileSync(machine.at("home/runner/run.sh"), RUN_SH, { mode: 0o755 });
    for (const { command, env } of [init, runner]) {
      const pod: Settings = { "metadata.name": "arc" };
      const variables = Object.fromEntries(
        env.map(({ name, value, valueFrom }: PodVariable) => [name, value ?? pod[valueFrom?.fieldRef.fieldPath ?? ""]]),
      );
      const settings = { ...environment("by the pod alone"), ...variables, RUNNER_METRICS_BUCKET: BUCKET };
      expect(await launch(command, settings).finished).toMatchObject({ code: 0, stderr: "" });
    }
    expect(stored("arc")).toEqual(FILES);
  });

  it("systemd makes every start a life under a name of its own", { tags: needs("runner-tools") }, async () => {
    const machine = newMachine();
    installScripts(machine, [
      `RUNNER_METRICS_BUCKET=${BUCKET}`,
      "RUNNER_METRICS_FLAVOR=large",
      "RUNNER_METRICS_REGION=us-east-1",
    ]);
    mkdirSync(machine.at("var/lib/runner-metrics"));
    const unit = machine.moved(recipe("github-runner.service"));
    const setting = (name: string) => new RegExp(`^${name}=-?(.*)$`, "m").exec(unit)?.[1] ?? "";
    /** Systemd's quotes are a shell's, but for its own dollars and percent signs. */
    const command = (name: string) => setting(name).replaceAll("$$", "$").replaceAll("%%", "%");
    /** What systemd does for one start; the life's name. */
    async function start(runSh: string, run: string): Promise<string> {
      writeFileSync(machine.at("opt/actions-runner/run.sh"), runSh);
      const own = [...unit.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]);
      const env = { ...environment(""), RUNNER_METRICS_STORAGE: undefined, ...Object.fromEntries(own) };
      const job = { GITHUB_RUN_ID: run };
      expect(await launch(["sh", "-c", command("ExecStartPre")], env).finished).toMatchObject({ code: 0, stderr: "" });
      const [name = "", life = ""] = readFileSync(setting("EnvironmentFile"), "utf8").trimEnd().split("=");
      const { stderr } = await launch(["sh", "-c", `exec ${command("ExecStart")}`], { ...env, ...job, [name]: life })
        .finished;
      expect(stderr).toBe("");
      return life;
    }
    const lost = await start('#!/bin/bash\nbash -e "$ACTIONS_RUNNER_HOOK_JOB_STARTED"\nkill -KILL $PPID\n', "1");
    const whole = await start(RUN_SH, "2");
    expect(stored(lost)).toEqual(FILES.filter((file) => !file.startsWith("post")));
    expect(stored(whole)).toEqual(FILES);
    expect(cloud.text(`runners/large/${whole}/pre-job-metrics.json`)).toContain('"workflow_run_id":"2"');
  });

  it("systemd is a unit that systemd accepts", { tags: needs("systemd") }, () => {
    const machine = newMachine();
    installScripts(machine);
    const path = machine.at("github-runner.service");
    writeFileSync(path, machine.moved(recipe("github-runner.service")));
    const verified = spawnSync("systemd-analyze", ["verify", path], { encoding: "utf8" });
    expect(verified.error).toBeUndefined();
    expect(verified.stderr.split("\n").filter((line) => line.includes("github-runner"))).toEqual([]);
  });
});
