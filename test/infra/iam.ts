/**
 * As much of IAM as the stack's policies use: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 * Whatever it does not know, it throws, so that no policy is judged by half.
 */
import type { Template } from "aws-cdk-lib/assertions";
import { ACCOUNT, REGION, type Resource, resources } from "./synthesize.ts";

export interface Statement {
  readonly Sid?: string;
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: unknown;
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

/** One call, as IAM sees it. `context` holds condition keys, and the values of policy variables. */
export interface Request {
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string>>;
}

/** What a principal of this account may do: allowed by one of its own statements, and denied by none of any policy. */
export function isAllowed(
  request: Request,
  identity: readonly Statement[],
  resource: readonly Statement[] = [],
): boolean {
  const applies = (effect: Statement["Effect"]) => (statement: Statement) =>
    statement.Effect === effect && matches(statement, request);
  return identity.some(applies("Allow")) && ![...identity, ...resource].some(applies("Deny"));
}

/** Whether a statement speaks of a request. */
export function matches(
  { Action, Resource, Condition }: Statement,
  { action, resource, context = {} }: Request,
): boolean {
  return (
    Action.some((pattern) => like(pattern.toLowerCase(), action.toLowerCase())) &&
    Resource.some((pattern) => likeWithVariables(pattern, resource, context)) &&
    Object.entries(Condition).every(([operator, keys]) =>
      Object.entries(keys).every(([key, values]) => holds(operator, values, context[key])),
    )
  );
}

/** Whether a resource is one that a pattern of the policy means. A variable without a value means nothing. */
export function likeWithVariables(
  pattern: string,
  resource: string,
  context: Readonly<Record<string, string>>,
): boolean {
  const unknown = [...pattern.matchAll(/\$\{([^}]+)\}/g)].some(([, name = ""]) => context[name] === undefined);
  const filled = pattern.replace(/\$\{([^}]+)\}/g, (_, name: string) => context[name] ?? "");
  return !unknown && like(filled, resource);
}

function like(pattern: string, text: string): boolean {
  const expression = pattern
    .split(/([*?])/)
    .map((part) => (part === "*" ? ".*" : part === "?" ? "." : part.replace(/[\\^$.|+()[\]{}]/g, "\\$&")));
  return new RegExp(`^${expression.join("")}$`, "s").test(text);
}

function holds(operator: string, values: readonly string[], actual: string | undefined): boolean {
  if (operator === "Null") return values.includes(String(actual === undefined));
  const ifExists = operator.endsWith("IfExists");
  if (actual === undefined && ifExists) return true;
  switch (operator.replace(/IfExists$/, "")) {
    case "StringEquals":
    case "ArnEquals":
    case "Bool":
      return actual !== undefined && values.some((value) => value === actual);
    case "StringNotEquals":
    case "ArnNotEquals":
      // A negated operator holds where the key is missing.
      return !values.some((value) => value === actual);
    case "StringLike":
    case "ArnLike":
      return actual !== undefined && values.some((value) => like(value, actual));
    case "NumericLessThan":
      return actual !== undefined && values.some((value) => Number(actual) < Number(value));
    default:
      throw new Error(`IAM's operator ${operator} is not known here`);
  }
}

/** Statements of a policy document of the template, with names and ARNs in place of what CloudFormation fills in. */
export function statementsOf(template: Template, document: unknown): Statement[] {
  const { Statement } = resolve(template, document) as { Statement: Record<string, unknown>[] };
  return Statement.map((statement) => {
    const unknown = Object.keys(statement).filter((name) => !STATEMENT_KEYS.includes(name));
    if (unknown.length > 0) throw new Error(`A statement with ${unknown.join(", ")} is not known here`);
    return {
      ...(typeof statement.Sid === "string" && { Sid: statement.Sid }),
      Effect: statement.Effect as Statement["Effect"],
      Principal: statement.Principal,
      Action: list(statement.Action),
      Resource: list(statement.Resource),
      Condition: Object.fromEntries(
        Object.entries((statement.Condition ?? {}) as object).map(([operator, keys]) => [
          operator,
          Object.fromEntries(Object.entries(keys as object).map(([key, values]) => [key, list(values)])),
        ]),
      ),
    };
  });
}

const STATEMENT_KEYS = ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"];

/** The statements that a role has: its own policies and the managed ones of this stack. */
export function statementsOfRole(template: Template, roleId: string): Statement[] {
  const role = resources(template, "AWS::IAM::Role")[roleId];
  const managed = JSON.stringify(role?.Properties.ManagedPolicyArns ?? []);
  const documents = [
    ...Object.values(resources(template, "AWS::IAM::Policy")).filter(({ Properties }) =>
      JSON.stringify(Properties.Roles).includes(`"${roleId}"`),
    ),
    ...Object.entries(resources(template, "AWS::IAM::ManagedPolicy"))
      .filter(([id]) => managed.includes(`"${id}"`))
      .map(([, policy]) => policy),
  ];
  return documents.flatMap(({ Properties }) => statementsOf(template, Properties.PolicyDocument));
}

/** A value of the template, with names and ARNs in place of what CloudFormation fills in. */
export function resolve(template: Template, value: unknown): unknown {
  const all = template.toJSON().Resources as Record<string, Resource>;
  const visit = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(visit);
    if (typeof node !== "object" || node === null) return node;
    const entries = Object.entries(node);
    const [name, argument] = entries[0] ?? [];
    if (entries.length === 1 && name === "Ref") return reference(all, String(argument));
    if (entries.length === 1 && name === "Fn::GetAtt" && Array.isArray(argument)) return attribute(all, argument);
    if (entries.length === 1 && name === "Fn::Join" && Array.isArray(argument)) {
      return argument[1].map(visit).join(argument[0]);
    }
    if (entries.length === 1 && name === "Fn::Split" && Array.isArray(argument)) {
      return String(visit(argument[1])).split(argument[0]);
    }
    if (entries.length === 1 && name === "Fn::Select" && Array.isArray(argument)) {
      return (visit(argument[1]) as string[])[argument[0]];
    }
    return Object.fromEntries(entries.map(([key, child]) => [key, visit(child)]));
  };
  return visit(value);
}

const STACK_UUID = "11111111-2222-3333-4444-555555555555";

/** Name of the stack's bucket, once resolved. */
export const BUCKET = "runner-metrics-bucket";
export const BUCKET_ARN = `arn:aws:s3:::${BUCKET}`;

function reference(all: Readonly<Record<string, Resource>>, id: string): string {
  if (id === "AWS::Partition") return "aws";
  if (id === "AWS::Region") return REGION;
  if (id === "AWS::AccountId") return ACCOUNT;
  if (id === "AWS::StackId") return `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/RunnerMetrics/${STACK_UUID}`;
  const type = all[id]?.Type;
  if (type === "AWS::S3::Bucket") return id.includes("AccessLogs") ? "access-logs" : BUCKET;
  if (type === "AWS::SNS::Topic" || type === "AWS::IAM::ManagedPolicy") return arnOf(id);
  return id;
}

function attribute(all: Readonly<Record<string, Resource>>, [id = "", name = ""]: readonly string[]): string {
  const bucket = all[id]?.Type === "AWS::S3::Bucket" ? reference(all, id) : undefined;
  if (name === "Arn" && bucket) return `arn:aws:s3:::${bucket}`;
  return name === "Arn" ? arnOf(id) : `${id}.${name}`;
}

/** ARN that stands for a resource's own. */
export function arnOf(id: string): string {
  return `arn:aws:service:${REGION}:${ACCOUNT}:${id}`;
}

function list(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).map(String);
}

/** The only resource of a type whose logical id contains `part`. */
export function only(template: Template, type: string, part = ""): [string, Resource] {
  const found = Object.entries(resources(template, type)).filter(([id]) => id.includes(part));
  const [first] = found;
  if (!first || found.length > 1) throw new Error(`${found.length} resources are ${type} ${part}`);
  return first;
}
