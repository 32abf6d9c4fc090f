import { Stack, Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/** Tells cdk-nag, and the reader, why a policy in `scope` names many resources at once. */
export function acknowledgeWildcard(scope: IConstruct, resource: string, reason: string): void {
  const id = `AwsSolutions-IAM5[Resource::${flat(Stack.of(scope).resolve(resource))}]`;
  Validations.of(scope).acknowledge({ id, reason });
}

/** A CloudFormation value as cdk-nag writes it: `<LogicalId.Arn>/rest`. */
function flat(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const [name, argument] = Object.entries(value)[0] ?? [];
  if (name === "Ref") return `<${argument}>`;
  if (name === "Fn::GetAtt" && Array.isArray(argument)) return `<${argument.join(".")}>`;
  if (name === "Fn::Join" && Array.isArray(argument)) return argument[1].map(flat).join(String(argument[0]));
  throw new Error(`An ARN with ${name} can't be acknowledged`);
}
