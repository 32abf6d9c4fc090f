/**
 * `npm run docs`: writes the pages that follow from the contract and the stack. A test compares them with what is checked in.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import * as z from "zod";
import { environment } from "../contract/environment.ts";
import { DETAIL_TYPES, type DetailType, EVENT_SCHEMAS } from "../contract/events.ts";
import {
  CAUSES,
  DEFERRAL_REASONS,
  DELETE_RESULTS,
  ENDED_UNKNOWN_REASONS,
  GITHUB_REASONS,
  meaningsOf,
  OUTCOMES,
  QUARANTINE_REASONS,
  type Reason,
  STOP_REASONS,
  VERIFICATIONS,
} from "../contract/reasons.ts";
import { RUN_METRICS } from "../contract/run-metrics.ts";
import { ALARM_HELP, OUTPUTS_IN_COMMANDS } from "../contract/runbook.ts";
import { FORBIDDEN_CHARACTERS, RUNNER_FILE_NAMES, TIMESTAMP } from "../contract/runner-file-grammar.ts";
import {
  FILE_SIZE_BYTES_LIMIT,
  POST_JOB_METRICS_FILE_NAME,
  PRE_JOB_METRICS_FILE_NAME,
  postJobMetrics,
  preJobMetrics,
  RUNNER_FILES,
  type RunnerFileName,
} from "../contract/runner-files.ts";
import { scheduleInput } from "../contract/schedule-input.ts";
import { runbookReference } from "../infra/constructs/alarms.ts";
import { ALARM_LIMITS } from "../infra/constructs/alarms-with-limits.ts";
import { JOB_METRICS, type JobMetric } from "../infra/metrics.ts";
import { RunnerMetricsStack } from "../infra/runner-metrics-stack.ts";
import { parseSettings, stackSettings } from "../infra/settings.ts";
import { ACCEPTED_FINDINGS } from "./accepted-findings.ts";
import { apiReference } from "./api-reference.ts";
import { costTable } from "./cost.ts";

const ROOT = new URL("../", import.meta.url);
const BEGIN = "<!-- events: made by npm run docs -->";
const END = "<!-- /events -->";

/** Path from the project's root -> content of every generated file. */
export function generatedFiles(): Record<string, string> {
  const schemas = DETAIL_TYPES.map((type): [string, string] => [
    `docs/consume/events/${type}.schema.json`,
    `${JSON.stringify(jsonSchema(type), null, 2)}\n`,
  ]);
  const readme = readFileSync(new URL("README.md", ROOT), "utf8");
  const [before, rest] = readme.split(BEGIN);
  const [, after] = rest?.split(END) ?? [];
  if (after === undefined) throw new Error(`README.md lacks ${BEGIN} … ${END}`);
  const overview = DETAIL_TYPES.map(
    (type) => `| [\`${type}\`](docs/consume/events.md#${type.toLowerCase()}) | ${jsonSchema(type).description} |`,
  );
  return {
    ...Object.fromEntries(schemas),
    "docs/consume/events.md": eventReference(DETAIL_TYPES),
    "docs/use/settings.md": settingsReference(),
    "docs/use/files.md": filesReference(),
    ...Object.fromEntries(
      Object.entries(fileSchemas()).map(([name, schema]) => [
        `docs/use/files/${name}.schema.json`,
        `${JSON.stringify(schema, null, 2)}\n`,
      ]),
    ),
    "docs/operate/reasons.md": reasonsReference(),
    "docs/operate/metrics.md": metricsReference(),
    "docs/operate/runbook.md": runbook(),
    "docs/operate/alarms.md": alarmsReference(),
    "docs/operate/findings.md": findingsReference(),
    "docs/use/construct.md": page("The construct", "infra/ and examples/own-app.ts", apiReference()),
    "docs/operate/cost.md": withCosts(readFileSync(new URL("docs/operate/cost.md", ROOT), "utf8")),
    "README.md": [`${before}${BEGIN}`, "| detail-type | |", "|---|---|", ...overview, `${END}${after}`].join("\n"),
  };
}

/** The settings of cdk.json, the function's environment and the schedule's input. */
function settingsReference(): string {
  const { flavors, github, ...others } = shapeOf(stackSettings);
  const flavor = (flavors as unknown as { valueType: z.ZodObject }).valueType;
  return page("Settings", "contract/ and infra/settings.ts", [
    "All settings are checked at synthesis, and all problems are reported at once. They are in `cdk.json` under `context.runnerMetrics`, or on the",
    "command line as JSON: `-c runnerMetrics='{\"flavors\": …}'`. An app of your own passes them to the construct `RunnerMetrics`.",
    "",
    ...settingsTable({ flavors, github, ...others }),
    "",
    "## Each flavor",
    "",
    ...settingsTable(shapeOf(flavor)),
    "",
    "## Alarms of a flavor",
    "",
    "`alarms` of a flavor. Each alarm exists only if its limit is set ([what they mean](../operate/alarms.md)).",
    "",
    ...settingsTable(shapeOf(shapeOf(flavor).alarms)),
    "",
    "## GitHub",
    "",
    ...settingsTable(shapeOf(github)),
    "",
    "## Input of a schedule",
    "",
    "The event of the Lambda function. The stack sets it; by hand you can invoke the function with one of your own. Unknown keys are rejected.",
    "Runners named in `runners` are selected whether they are ready or not: one that is still uploading may lose its later events. A small",
    "`orphanAfterSeconds`, which the stack's settings reject, is for demos and tests only: it presumes living runners dead.",
    "",
    ...settingsTable(shapeOf(scheduleInput)),
    "",
    "## Environment of the function",
    "",
    "The stack sets these. Endpoints are the SDK's (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`, …).",
    "",
    ...settingsTable(shapeOf(environment)),
  ]);
}

function shapeOf(schema: unknown): Record<string, z.ZodType> {
  let inner = schema as { shape?: Record<string, z.ZodType>; unwrap?: () => unknown };
  while (!inner.shape && inner.unwrap) inner = inner.unwrap() as typeof inner;
  return inner.shape ?? {};
}

function settingsTable(shape: Record<string, z.ZodType | undefined>): string[] {
  const rows = Object.entries(shape).map(([name, schema]) => {
    const parsed = schema?.safeParse(undefined);
    const value = parsed?.success && parsed.data !== undefined ? `\`${JSON.stringify(parsed.data)}\`` : "none";
    return `| \`${name}\` | ${parsed?.success ? value : "required"} | ${meaningOf(schema)} |`;
  });
  return ["| name | default | meaning |", "|---|---|---|", ...rows];
}

function meaningOf(schema: z.ZodType | undefined): string {
  let inner: { description?: string | undefined; unwrap?: () => unknown } | undefined = schema;
  while (inner && inner.description === undefined && inner.unwrap) inner = inner.unwrap() as typeof inner;
  return inner?.description ?? "";
}

function filesReference(): string {
  const schemas = fileSchemas();
  const rows = Object.entries(RUNNER_FILES).map(
    ([name, { content, meaning }]) =>
      `| [\`${name}\`](files/${name}.schema.json) | ${content === "json" ? "JSON" : "UNIX seconds as text"} | ${meaning} |`,
  );
  const jsonFiles = RUNNER_FILE_NAMES.filter((name) => RUNNER_FILES[name].content === "json");
  const fields = jsonFiles.flatMap((name) => {
    const { properties = {}, required = [] } = schemas[name];
    return ["", `## ${name}`, "", ...table(Object.entries(properties), required)];
  });
  const limit = FILE_SIZE_BYTES_LIMIT.toLocaleString("en");
  return page("Files of a runner", "contract/runner-files.ts", [
    "The [program for runners](runner.md) writes these files. This page is for other writers. Each file has a JSON Schema; those of the",
    "`.timestamp` files describe the whole content as one string. `runner-metrics check-files DIRECTORY` says what the collector would decide",
    "about the files of a directory.",
    "",
    "| file | content | meaning |",
    "|---|---|---|",
    ...rows,
    "",
    "- **Key**: `runners/<flavor>/<storage>/<file>`. `<storage>` is new for each life of a runner.",
    `- **Size**: at most ${limit} bytes. An empty file counts as absent. A file that has only blanks is corrupt.`,
    "- **Encoding**: UTF-8 without a byte order mark. PowerShell 5.1 writes UTF-16 or a byte order mark by default.",
    "- **Upload**: with `If-None-Match: *`, in the order of the table, each file once. Upload `post-job-metrics.json` only when the other files are",
    "  stored: it makes the storage ready, and a run may collect it at once.",
    "- **Long pauses**: a runner that has not uploaded for `orphanAfterSeconds` (at least an hour) is presumed dead, and its files are collected.",
    "  After a pause of 45 minutes or more, upload the earlier files again before each later one, and all of them after the last one until every",
    "  answer is 412.",
    "- **Timestamps**: UNIX seconds, `[+]digits[.digits][e[+-]digits]`, with ASCII white space around; in JSON a non-negative number or such a",
    "  string. No decimal comma, no milliseconds. Not later than the upload plus 24 hours. In `runner-installation-start.timestamp`, 0 counts as absent.",
    "- **Texts** contain no control characters (C0, DEL, C1), no characters that change the reading direction, and no lone surrogates.",
    "- **Other fields** in the JSON files are ignored. One corrupt file makes the whole storage corrupt: it is quarantined.",
    ...fields,
  ]);
}

/** JSON Schema of each file's content: a JSON document, or a text as one string. */
export function fileSchemas(): Record<RunnerFileName, JsonSchema> {
  const timestampFile = (name: RunnerFileName) => ({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: name,
    description: `${RUNNER_FILES[name].meaning} UNIX seconds as text, at most ${FILE_SIZE_BYTES_LIMIT} bytes of UTF-8 without a byte order mark.`,
    type: "string",
    contentMediaType: "text/plain",
    maxLength: FILE_SIZE_BYTES_LIMIT,
    pattern: TIMESTAMP.source,
  });
  const jsonFile = (name: RunnerFileName, schema: z.ZodType) => ({
    title: name,
    description: `${RUNNER_FILES[name].meaning} At most ${FILE_SIZE_BYTES_LIMIT} bytes of UTF-8 without a byte order mark.`,
    ...(withPatterns(z.toJSONSchema(schema, { io: "input" })) as JsonSchema),
  });
  return {
    "runner-installation-start.timestamp": timestampFile("runner-installation-start.timestamp"),
    "runner-installed.timestamp": timestampFile("runner-installed.timestamp"),
    [PRE_JOB_METRICS_FILE_NAME]: jsonFile(PRE_JOB_METRICS_FILE_NAME, preJobMetrics),
    [POST_JOB_METRICS_FILE_NAME]: jsonFile(POST_JOB_METRICS_FILE_NAME, postJobMetrics),
  };
}

/** What zod checks by code: the grammar of texts and of timestamps. Lone surrogates are no code points of a text. */
function withPatterns(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withPatterns);
  if (typeof schema !== "object" || schema === null) return schema;
  const { type, pattern, enum: values } = schema as JsonSchema & { pattern?: string; enum?: unknown };
  if (type === "string" && pattern === undefined && values === undefined) {
    return { ...schema, pattern: `^${FORBIDDEN_CHARACTERS.source.replace("[", "[^\\ud800-\\udfff")}*$` };
  }
  if (Array.isArray(type)) {
    // The only fields with two types: timestamps.
    const { type: _, ...others } = schema as JsonSchema;
    return {
      ...others,
      anyOf: [
        { type: "number", minimum: 0 },
        { type: "string", pattern: TIMESTAMP.source },
      ],
    };
  }
  return Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, withPatterns(value)]));
}

function reasonsReference(): string {
  const section = (title: string, text: string, list: Readonly<Record<string, string>>) => [
    "",
    `## ${title}`,
    "",
    text,
    "",
    "| name | meaning |",
    "|---|---|",
    ...Object.entries(list).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`),
  ];
  return page("Outcomes and reasons", "contract/reasons.ts", [
    "What a run reports in its summary, in metrics and in events. Every list is closed: a run reports no other name. A later version may have more.",
    ...section("Outcomes", "What became of a storage. Every listed storage has exactly one.", OUTCOMES),
    ...section(
      "Quarantine",
      "Why a storage is quarantined. The manifest and the event `MetricsQuarantined` have it.",
      meaningsOf(QUARANTINE_REASONS),
    ),
    ...section("Deferral", "Why a storage is left for the next run.", meaningsOf(DEFERRAL_REASONS)),
    ...section(
      "GitHub",
      "Why a value that only GitHub knows is absent, or which runners are online is unknown.",
      meaningsOf(GITHUB_REASONS),
    ),
    ...section("Verification", "What a runner's claim to a job is worth.", VERIFICATIONS),
    ...section(
      "Cause",
      "Why a runner died that is lost, failed to install, or was never used. `RunnerLost`, `RunnerInstallFailed` and `RunnerNeverUsed` have it.",
      CAUSES,
    ),
    ...section(
      "Ended instances",
      "Why a run does not know about every EC2 instance whether it has ended (`endedUnknown`). It then collects a silent runner after `orphanAfterSeconds`.",
      ENDED_UNKNOWN_REASONS,
    ),
    ...section("Deletes", "What S3 said to the deletion of an object.", DELETE_RESULTS),
    ...section("End of a run", "Why a run stopped.", STOP_REASONS),
  ]);
}

function metricsReference(): string {
  const run = Object.entries(RUN_METRICS).map(
    ([name, { unit, meaning, always, ofAllFlavors }]) =>
      `| \`${name}\` | ${unit} | ${ofAllFlavors ? "" : "`flavor`"} | ${always ? "each run" : "if not 0"} | ${meaning} |`,
  );
  const jobs = Object.entries(JOB_METRICS).map(([name, { event, field, dimension }]: [string, JobMetric]) => {
    const value = field ? `\`${field}\`, in seconds` : "1 for each event";
    return `| \`${name}\` | \`${event}\` | ${value} | ${["flavor", ...(dimension ? [dimension] : [])].map((one) => `\`${one}\``).join(", ")} |`;
  });
  return page("Metrics", "contract/run-metrics.ts and infra/metrics.ts", [
    "All metrics are in the CloudWatch namespace `RunnerMetrics`. No text from a runner is ever a dimension.",
    "",
    "## Runs",
    "",
    "All have the dimension `service` (`extract-metrics`), and most of them `flavor`. Those that start with `Github` are written only if GitHub is configured. The three `Live.*` metrics are what OpenTelemetry calls `cicd.worker.count`, by state:",
    "`Live.idle` is `available`, `Live.busy` is `busy`; `Live.installing` has no counterpart.",
    "",
    "| metric | unit | dimension | written | meaning |",
    "|---|---|---|---|---|",
    ...run,
    "",
    "## Jobs",
    "",
    "CloudWatch makes these from the log of all events. An event with a clamped duration does not count.",
    "",
    "| metric | from the event | value | dimensions |",
    "|---|---|---|---|",
    ...jobs,
  ]);
}

function alarmsReference(): string {
  const app = new App({ context: { "aws:cdk:bundling-stacks": [] } });
  const alarms = { queueSeconds: 300, lostPercent: 5, failedInstallations: 3, nothingExtractedHours: 4, busyHours: 8 };
  const settings = {
    flavors: { flavor: { githubRunners: "acme", alarms } },
    github: { owners: ["acme"] },
    endedInstances: true,
  };
  const parsed = parseSettings(stackSettings, settings, "docs");
  const template = Template.fromStack(new RunnerMetricsStack(app, "Docs", { settings: parsed })).toJSON() as {
    Resources: Record<string, { Type: string; Properties: { AlarmDescription?: string } }>;
  };
  const rows = Object.entries(template.Resources)
    .filter(([, { Type }]) => Type === "AWS::CloudWatch::Alarm")
    .map(([id, { Properties }]) => {
      const [, name = id] = /Alarms(\w+?)(?:flavor)?[0-9A-F]{8}$/.exec(id) ?? [];
      const description = Properties.AlarmDescription?.replaceAll("flavor flavor", "a flavor") ?? "";
      return { name, row: `| ${runbookLink(name)} | ${description.replace(` ${runbookReference(name)}`, "")} |` };
    });
  const optional = Object.keys(ALARM_LIMITS);
  return page("Alarms", "infra/constructs/alarms.ts", [
    "Each alarm goes to ALARM for something that needs a person, and its e-mail says the same as this table. Most exist once for each flavor. The",
    "alarms about GitHub exist only if GitHub is configured, and `InstanceEndsNotRecorded` and `EndedInstancesUnknown` only with `endedInstances`. The log line `run` of the function has the summary of each run.",
    "",
    "Each alarm notifies the topic when it goes to ALARM and when it goes back to OK.",
    "",
    "| alarm | what happened, and what to do |",
    "|---|---|",
    ...rows.filter(({ name }) => !optional.includes(name)).map(({ row }) => row),
    "",
    "## Alarms with limits of your own",
    "",
    "These are off unless you set their limits for a flavor ([settings](../use/settings.md#alarms-of-a-flavor)):",
    "",
    "```json",
    `{ "flavors": { "large": { "alarms": ${JSON.stringify(alarms).replaceAll(/[{}:,]/g, (sign) => ({ "{": "{ ", "}": " }", ":": ": ", ",": ", " })[sign] ?? sign)} } } }`,
    "```",
    "",
    "| alarm | what happened, with the limits above |",
    "|---|---|",
    ...rows.filter(({ name }) => optional.includes(name)).map(({ row }) => row),
    "",
    "[Notifications in a chat](notifications.md) shows how to send them to Slack or Microsoft Teams.",
  ]);
}

/** The runbook has a heading for each alarm. */
function runbookLink(name: string): string {
  const path = new URL("docs/operate/runbook.md", ROOT);
  return existsSync(path) ? `[\`${name}\`](runbook.md#${name.toLowerCase()})` : `\`${name}\``;
}

const COSTS = ["<!-- costs: made by npm run docs -->", "<!-- /costs -->"] as const;

/** The page about costs, with its table computed again. */
function withCosts(text: string): string {
  const [before, rest] = text.split(COSTS[0]);
  const [, after] = rest?.split(COSTS[1]) ?? [];
  if (after === undefined) throw new Error(`docs/operate/cost.md lacks ${COSTS.join(" … ")}`);
  const app = new App({ context: { "aws:cdk:bundling-stacks": [] } });
  const settings = parseSettings(stackSettings, { flavors: { counted: {} } }, "docs");
  const template = Template.fromStack(new RunnerMetricsStack(app, "Docs", { settings }));
  const ids = Object.keys(template.findResources("AWS::CloudWatch::Alarm"));
  const alarmsOfFlavor = ids.filter((id) => id.includes("counted")).length;
  const dashboard = JSON.stringify(template.findResources("AWS::CloudWatch::Dashboard"));
  const tables = dashboard.split('\\"type\\":\\"log\\"').length - 1;
  const table = costTable({ alarms: ids.length - alarmsOfFlavor, alarmsOfFlavor, tables });
  return [`${before}${COSTS[0]}`, ...table, `${COSTS[1]}${after}`].join("\n");
}

function findingsReference(): string {
  const rows = ACCEPTED_FINDINGS.map(
    ({ tool, rule, where, reason }) =>
      `| ${tool} | \`${rule.replace("NIST.800.53.R5-", "")}\` | ${where} | ${reason} |`,
  );
  return page("Findings of linters", "docs/accepted-findings.ts", [
    "Five sets of rules check the templates. cdk-nag's AwsSolutions pack has no finding that is not acknowledged in the code. `npm run test:all -- templates`",
    "runs cfn-lint for all regions, checkov, cfn-guard with the rules of AWS Control Tower's proactive controls, and cdk-nag's NIST 800-53 (revision 5)",
    "pack, with the default settings and with everything switched on; all but the last also over the release's largest template. It fails if a finding",
    "is not in this table, or if a finding in this table is no longer found.",
    "",
    "| linter | rule | where | why it stays, or which setting changes it |",
    "|---|---|---|---|",
    ...rows,
  ]);
}

/** What to do for each alarm and each reason. */
function runbook(): string {
  const alarms = Object.entries(ALARM_HELP).flatMap(([name, { look, action, after = [], isEither, over }]) => [
    `### ${name}`,
    "",
    ...block(look),
    action,
    "",
    ...(after.length > 0
      ? [isEither ? "When the cause is gone, one of:" : "When the cause is gone:", "", ...block(after)]
      : []),
    `Over: ${over}`,
    "",
  ]);
  const reasons = (list: Readonly<Record<string, Reason>>) => [
    "| reason | cause | whose fault | what to do |",
    "|---|---|---|---|",
    ...Object.entries(list).map(
      ([name, { meaning, cause, fault, action }]) => `| \`${name}\` | ${meaning} ${cause} | ${fault} | ${action} |`,
    ),
    "",
  ];
  const outputs = Object.entries(OUTPUTS_IN_COMMANDS).map(([word, output]) => `\`${word}\` (\`${output}\`)`);
  return page("Runbook", "contract/runbook.ts and contract/reasons.ts", [
    "What to do when an alarm goes to ALARM. [Alarms](alarms.md) says what each one means. `runner-metrics` is the",
    "[command line](../use/command-line.md). Replace `FLAVOR`, `RUNNER` and `ID`, and by the outputs of the stack",
    `${outputs.join(", ")}.`,
    "The stack is `RunnerMetrics` in the region and account of your AWS settings; `--stack`, `--region` and `--profile` name another one. To look,",
    "your role needs the stack's policy `OperatorReadPolicyArn`; to act, also `OperatorActPolicyArn`.",
    "",
    "Begin with `runner-metrics status`. Files stay in the bucket until their events are on the bus, at most for `uncollectedRetentionDays`: there is",
    "time. Only what GitHub says is lost for a runner that is collected while GitHub refuses the credentials: so correct those first. An alarm goes back to",
    "OK up to five minutes after its cause is gone, and until then `status` shows it.",
    "",
    "`aws cloudformation describe-stacks --stack-name RunnerMetrics --query 'Stacks[0].Outputs'` has the outputs.",
    "",
    "## Alarms",
    "",
    ...alarms,
    "## Quarantine",
    "",
    ...reasons(QUARANTINE_REASONS),
    "## Deferral",
    "",
    ...reasons(DEFERRAL_REASONS),
    "## GitHub",
    "",
    ...reasons(GITHUB_REASONS).slice(0, -1),
  ]);
}

function block(commands: readonly string[]): string[] {
  return ["```sh", ...commands, "```", ""];
}

function page(title: string, source: string, lines: readonly string[]): string {
  return [`# ${title}`, "", `Generated by \`npm run docs\` from ${source}.`, "", ...lines, ""].join("\n");
}

interface JsonSchema {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/** Of the detail; further fields are allowed, since new ones may come. */
function jsonSchema(type: DetailType): JsonSchema {
  return z.toJSONSchema(EVENT_SCHEMAS[type], { io: "input" }) as JsonSchema;
}

/** The fields that all events have alike stand once, before those of each. */
function eventReference(types: readonly DetailType[]): string {
  const [first = {}, ...others] = types.map((type) => jsonSchema(type).properties ?? {});
  const isCommon = (name: string) =>
    others.every((properties) => JSON.stringify(properties[name]) === JSON.stringify(first[name]));
  const common = Object.keys(first).filter(isCommon);
  const requiredOf = (type: DetailType) => jsonSchema(type).required ?? [];
  const sections = types.flatMap((type) => {
    const { description, properties = {} } = jsonSchema(type);
    const own = Object.entries(properties).filter(([name]) => !common.includes(name));
    return [`## ${type}`, "", `${description}.`, "", ...table(own, requiredOf(type)), ""];
  });
  const shared = Object.entries(first).filter(([name]) => common.includes(name));
  const [type = "RunnerInstalled"] = types;
  return [
    "# Events",
    "",
    "Generated by `npm run docs` from contract/events.ts; JSON Schema is in [events/](events). `?` marks fields that may be absent; none is",
    "ever `null`. Fields may be added; `schema_version` changes if one changes its meaning. These are the fields of `detail`; the",
    "[README](../../README.md#events) shows a whole event, as EventBridge delivers it.",
    "",
    "## Fields of all events",
    "",
    ...table(shared, requiredOf(type)),
    "",
    ...sections,
  ].join("\n");
}

function table(fields: readonly [string, JsonSchema][], required: readonly string[]): string[] {
  const rows = fields.map(([name, field]) => {
    const presence = required.includes(name) ? "" : "?";
    return `| \`${name}\`${presence} | ${typeOf(field)} | ${field.description ?? ""} |`;
  });
  return ["| field | type | meaning |", "|---|---|---|", ...rows];
}

function typeOf(field: JsonSchema): string {
  if (field.const !== undefined) return `\`${JSON.stringify(field.const)}\``;
  if (field.enum) return field.enum.map((value) => `\`${value}\``).join(", ");
  if (field.anyOf) return field.anyOf.map(typeOf).join(" or ");
  if (field.items) return `list of ${typeOf(field.items)}`;
  if (field.properties) return `{ ${Object.entries(field.properties).map(([name, of]) => `${name}: ${typeOf(of)}`)} }`;
  return [field.type ?? ""].flat().join(" or ");
}

if (import.meta.main) {
  for (const folder of ["docs/consume/events/", "docs/use/files/"])
    mkdirSync(new URL(folder, ROOT), { recursive: true });
  for (const [path, content] of Object.entries(generatedFiles())) writeFileSync(new URL(path, ROOT), content);
}
