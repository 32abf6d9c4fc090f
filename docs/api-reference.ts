/** The reference of the construct `RunnerMetrics`, from its doc comments, with an example for each method from examples/own-app.ts. */
import { readFileSync } from "node:fs";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

interface Method {
  readonly name: string;
  readonly signature: string;
  readonly text: string;
}

/** Lines of the page, without its title. */
export function apiReference(): string[] {
  const props = read("infra/props.ts");
  const interfaces = ["RunnerMetricsProps", "FlavorProps", "FlavorAlarmsProps", "GithubProps"];
  const [construct, base] = [read("infra/runner-metrics.ts"), read("infra/runner-metrics-base.ts")];
  const methods = [construct, base].flatMap(methodsOf);
  const example = read("examples/own-app.ts");
  return [
    "`new RunnerMetrics(scope, id, props)` from `infra/runner-metrics.ts`. [own-app.ts](../../examples/own-app.ts) is a whole app, which a test",
    "synthesises; the examples below are from it.",
    ...interfaces.flatMap((name) => ["", `## ${name}`, "", ...propertyTable(props, name)]),
    "",
    "## Attributes",
    "",
    "What the construct has made or uses, for policies, subscriptions and alarms of your own.",
    "",
    ...attributeTable(base, construct),
    "",
    "## RunnerMetricsAttributes",
    "",
    ...propertyTable(construct, "RunnerMetricsAttributes"),
    "",
    "## Methods",
    ...methods.flatMap((method) => ["", ...methodSection(method, example)]),
  ];
}

function propertyTable(source: string, name: string): string[] {
  const [, body] = new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source) ?? [];
  if (body === undefined) throw new Error(`There is no interface ${name}`);
  const properties = [...body.matchAll(/\/\*\*([\s\S]*?)\*\/\n {2}readonly (\w+)(\??): ([^;]+);/g)];
  if (properties.length !== body.match(/^ {2}readonly /gm)?.length) throw new Error(`${name}: a comment is missing`);
  const rows = properties.map(([, comment = "", property, optional, type = ""]) => {
    const [text = "", byDefault = ""] = plain(comment).split("@default");
    if (optional && byDefault === "") throw new Error(`${name}.${property} has no @default`);
    const value = optional ? byDefault.trim().replace(/^- /, "") : "required";
    return `| \`${property}\` | \`${type.replace(" | undefined", "").replaceAll("|", "\\|")}\` | ${value} | ${text.trim()} |`;
  });
  return ["| property | type | default | meaning |", "|---|---|---|---|", ...rows];
}

/** Public attributes of the construct and of the class that it extends, each with the comment that stands first. */
function attributeTable(...sources: readonly string[]): string[] {
  const pattern = /(?: {2}\/\*\* (.*) \*\/\n)? {2}(?:abstract )?readonly (\w+)\??: ([^;]+);/g;
  const found = sources.flatMap((source) => {
    // The class, without what is above and below it.
    const [, body = ""] = /\nexport (?:abstract )?class [^\n]*\n([\s\S]*?)\n\}\n/.exec(source) ?? [];
    return [...body.matchAll(pattern)];
  });
  const attributes = Map.groupBy(found, ([, , name = ""]) => name);
  const rows = [...attributes].map(([name, [first]]) => {
    const [, text, , type = ""] = first ?? [];
    if (!text) throw new Error(`The attribute ${name} has no comment`);
    return `| \`${name}\` | \`${type.replace(" | undefined", "")}\` | ${text} |`;
  });
  return ["| attribute | type | meaning |", "|---|---|---|", ...rows];
}

/** Public methods. Each has a doc comment. */
function methodsOf(source: string): Method[] {
  const found = source.matchAll(
    / {2}\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n(?: {2}\/\/[^\n]*\n)?( {2}(?:static )?(\w+)\([\s\S]*?\)): [\w<>]+ \{\n/g,
  );
  const methods = [...found];
  const names = [...source.matchAll(/^ {2}(?:static )?(?!constructor\b)(\w+)\(/gm)].map(([, name]) => name);
  if (methods.map(([, , , name]) => name).join() !== names.join()) throw new Error("A method has no comment");
  return methods.map(([, comment = "", signature = "", name = ""]) => ({
    name,
    signature: signature.trim().replace(/\s+/g, " ").replace("( ", "(").replace(", )", ")"),
    text: plain(comment),
  }));
}

function methodSection({ name, signature, text }: Method, example: string): string[] {
  const lines = example.split("\n");
  const begin = lines.findIndex((line) => line.includes(`.${name}(`));
  if (begin < 0) throw new Error(`examples/own-app.ts has no example of ${name}`);
  const open = (line: string) => (line.match(/[({[]/g)?.length ?? 0) - (line.match(/[)}\]]/g)?.length ?? 0);
  let end = begin;
  let depth = open(lines[end] ?? "");
  while (depth > 0) {
    end += 1;
    depth += open(lines[end] ?? "");
  }
  const indent = /^ */.exec(lines[begin] ?? "")?.[0].length ?? 0;
  const sample = lines.slice(begin, end + 1).map((line) => line.slice(indent));
  // The example may be the value of a field of something else.
  sample[0] = sample[0]?.replace(/^metric: /, "") ?? "";
  sample.push(sample.pop()?.replace(/,$/, "") ?? "");
  return [`### ${name}`, "", text, "", "```ts", signature, "// for example", ...sample, "```"];
}

function plain(comment: string): string {
  return comment
    .replace(/\n\s*\*/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}
