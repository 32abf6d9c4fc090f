/**
 * `npm run test:all -- templates`: cfn-lint for all regions, checkov, cfn-guard with Control Tower's rules, and cdk-nag's NIST 800-53 pack over
 * templates of the stack; all but the last also over the largest of a release. Every finding must be in the list of accepted findings, and every accepted finding must still be found. Needs Python for the first
 * two, and npm's registry for the third.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, type Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { NIST80053R5Checks } from "cdk-nag";
import { ACCEPTED_FINDINGS, type Finding, isAccepted } from "../../docs/accepted-findings.ts";
import { RunnerMetricsStack } from "../../infra/runner-metrics-stack.ts";
import { parseSettings, type StackSettingsInput, stackSettings } from "../../infra/settings.ts";
import { releaseTemplate, TEMPLATE_OPTIONS, templateName } from "../../package/template.ts";
import { installed } from "../emulators.ts";

const CFN_LINT = { name: "cfn-lint", packages: ["cfn-lint==1.58.0"], pythonMinor: 10 };
const CHECKOV = { name: "checkov", packages: ["checkov==3.3.30"], pythonMinor: 10 };
/** cfn-guard's program, and the rules of AWS Control Tower's proactive controls. */
const CFN_GUARD = { name: "@cdklabs/cdk-validator-cfnguard", version: "0.0.62" };
const TOOLS = new URL("../../.tools/cfn-guard/", import.meta.url).pathname;

const alarms = { queueSeconds: 1, lostPercent: 1, failedInstallations: 1, nothingExtractedHours: 1, busyHours: 1 };
const SETTINGS: Readonly<Record<string, StackSettingsInput>> = {
  default: { flavors: { large: {} } },
  everything: {
    flavors: {
      large: { githubRunners: "acme", alarms, jobsPerRunner: "many" },
      "arm-small": { everyMinutes: 2, orphanAfterSeconds: 7_200 },
    },
    github: { owners: ["acme"] },
    alarmEmail: "ops@example.com",
    kmsKeyArn: "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555",
    reservedConcurrency: 6,
    workers: 4,
    endedInstances: true,
    schemaRegistry: true,
    removalPolicy: "destroy",
  },
};

/** The release's templates differ only in how often they repeat the resources of a flavor. */
const LARGEST = TEMPLATE_OPTIONS.slice(-1);

const directory = mkdtempSync(join(tmpdir(), "runner-metrics-lint-"));
try {
  const ofStacks = Object.entries(SETTINGS).flatMap(([name, settings]) => findingsOfStack(name, settings));
  const ofRelease = LARGEST.flatMap((options) => findingsOf(templateName(options), releaseTemplate(options)));
  const found = [...ofStacks, ...ofRelease];
  const unexplained = new Set(found.filter((finding) => !isAccepted(finding)).map(textOf));
  const outdated = ACCEPTED_FINDINGS.filter((one) => !found.some((finding) => isAccepted(finding, [one])));
  for (const finding of unexplained) console.error(`not accepted: ${finding}`);
  for (const { tool, rule } of outdated) console.error(`accepted, but not found any more: ${tool} ${rule}`);
  console.log(`${found.length} findings, ${unexplained.size} of them not accepted`);
  if (unexplained.size + outdated.length > 0) process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function textOf({ tool, rule, resource, text }: Finding): string {
  return `${tool} ${rule} ${resource}: ${text}`;
}

function findingsOfStack(name: string, settings: StackSettingsInput): Finding[] {
  const app = new App({ context: { "aws:cdk:bundling-stacks": [] }, outdir: join(directory, name) });
  const stack = new RunnerMetricsStack(app, "RunnerMetrics", {
    settings: parseSettings(stackSettings, settings, name),
  });
  return [...findingsOf(`${name}.json`, Template.fromStack(stack as Stack).toJSON()), ...nist(app)];
}

function findingsOf(fileName: string, template: object): Finding[] {
  const file = join(directory, fileName);
  writeFileSync(file, JSON.stringify(template));
  return [...cfnLint(file), ...checkov(file), ...cfnGuard(file)];
}

function cfnLint(template: string): Finding[] {
  const program = join(installed(CFN_LINT), "bin/cfn-lint");
  // Its exit code says which levels of findings there are.
  const { stdout, stderr } = spawnSync(program, ["--regions", "ALL_REGIONS", "--format", "json", "--", template], {
    encoding: "utf8",
    maxBuffer: 1e8,
  });
  if (!stdout.startsWith("[")) throw new Error(`cfn-lint failed: ${stdout}${stderr}`);
  const matches = JSON.parse(stdout) as {
    Rule: { Id: string };
    Message: string;
    Location: { Path: (string | number)[] | null };
  }[];
  return matches.map(({ Rule, Message, Location }) => ({
    tool: "cfn-lint",
    rule: Rule.Id,
    resource: String(Location.Path?.[1] ?? ""),
    text: Message,
  }));
}

function checkov(template: string): Finding[] {
  const program = join(installed(CHECKOV), "bin/checkov");
  const parameters = [
    "--file",
    template,
    "--framework",
    "cloudformation",
    "--output",
    "json",
    "--compact",
    "--soft-fail",
  ];
  const output = execFileSync(program, parameters, {
    encoding: "utf8",
    maxBuffer: 1e8,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const { results } = JSON.parse(output) as {
    results: { passed_checks: unknown[]; failed_checks: { check_id: string; resource: string; check_name: string }[] };
  };
  if (results.passed_checks.length === 0) throw new Error("checkov checked nothing");
  return results.failed_checks.map(({ check_id, resource, check_name }) => ({
    tool: "checkov",
    rule: check_id,
    resource: resource.split(".").at(-1) ?? "",
    text: check_name,
  }));
}

function cfnGuard(template: string): Finding[] {
  const folder = join(TOOLS, "node_modules", CFN_GUARD.name);
  if (!existsSync(folder)) {
    mkdirSync(TOOLS, { recursive: true });
    // Without its peer, the CDK, and its scripts.
    const options = ["--legacy-peer-deps", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund"];
    const one = `${CFN_GUARD.name}@${CFN_GUARD.version}`;
    execFileSync("npm", ["install", ...options, "--prefix", TOOLS, one], { stdio: "inherit" });
  }
  const system = process.platform === "darwin" ? "macos" : "ubuntu";
  const program = join(folder, "bin", system, process.arch === "arm64" ? "aarch64" : "x86_64", "cfn-guard");
  const rules = join(folder, "rules/control-tower/cfn-guard");
  const options = ["--structured", "--show-summary", "none", "--output-format", "json"];
  // Its exit code says whether there are findings.
  const { stdout, stderr } = spawnSync(program, ["validate", "--rules", rules, "--data", template, ...options], {
    encoding: "utf8",
    maxBuffer: 1e8,
  });
  if (!stdout.startsWith("[")) throw new Error(`cfn-guard failed: ${stdout}${stderr}`);
  const [report] = JSON.parse(stdout) as [{ compliant: string[]; not_compliant: { Rule: { name: string } }[] }];
  if (report.compliant.length === 0) throw new Error("cfn-guard checked nothing");
  return report.not_compliant.flatMap(({ Rule }) => {
    const text = JSON.stringify(Rule);
    const [, control = Rule.name, title = ""] = /\[(CT[\w.]+)\]: ([^\\]*)/.exec(text) ?? [];
    const resources = new Set([...text.matchAll(/"path":"\/Resources\/(\w+)/g)].map(([, id = ""]) => id));
    if (resources.size === 0) throw new Error(`cfn-guard does not say which resource breaks ${control}`);
    return [...resources].map((resource) => ({ tool: "cfn-guard" as const, rule: control, resource, text: title }));
  });
}

function nist(app: App): Finding[] {
  const { violations } = new NIST80053R5Checks(app).validateScope(app) as unknown as {
    violations: { ruleName: string; description: string; violatingResources: { constructPath: string }[] }[];
  };
  return violations.flatMap(({ ruleName, description, violatingResources }) =>
    violatingResources.map(({ constructPath }) => ({
      tool: "NIST 800-53",
      rule: ruleName,
      resource: constructPath,
      text: description,
    })),
  );
}
