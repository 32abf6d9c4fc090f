import { Stack, Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/**
 * Says to cdk-nag, and to the reader, why a policy in `scope` names many resources at once. Only at synthesis it is known how the ARN
 * appears in the template. This bookkeeping never fails: an ARN that it can't read stays a finding for the user of cdk-nag.
 */
export function acknowledgeWildcard(scope: IConstruct, resource: string, reason: string): void {
  scope.node.addValidation({
    validate() {
      try {
        const id = `AwsSolutions-IAM5[Resource::${flat(Stack.of(scope).resolve(resource))}]`;
        Validations.of(scope).acknowledge({ id, reason });
      } catch {}
      return [];
    },
  });
}

/** A CloudFormation value as cdk-nag writes it: `<LogicalId.Arn>/rest`. */
function flat(value: unknown): string {
  if (typeof value === "string") return value.replaceAll("${", "<").replaceAll("}", ">");
  const [name, argument]: [string?, unknown?] = Object.entries(value ?? {})[0] ?? [];
  if (name === "Ref") return `<${flat(argument)}>`;
  if (name === "Fn::GetAtt" && Array.isArray(argument)) return `<${argument.map(flat).join(".")}>`;
  if (name === "Fn::Join" && Array.isArray(argument)) return argument[1].map(flat).join(argument[0]);
  if (name === "Fn::ImportValue" || name === "Fn::Sub") return flat(argument);
  return JSON.stringify(value);
}
