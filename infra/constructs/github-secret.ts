import { type RemovalPolicy, Validations } from "aws-cdk-lib";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";

export interface GithubSecretProps {
  /** ARN of an existing secret. */
  readonly secretArn?: string | undefined;
  readonly removalPolicy: RemovalPolicy;
}

/** The credentials for GitHub. The stack creates an empty secret: a person fills it in, so that no template contains them. */
export class GithubSecret extends Construct {
  readonly secretArn: string;

  constructor(scope: Construct, id: string, { secretArn, removalPolicy }: GithubSecretProps) {
    super(scope, id);
    if (secretArn) {
      this.secretArn = secretArn;
      return;
    }
    const secret = new Secret(this, "Secret", {
      description: "Credentials with which runner-metrics asks GitHub: see docs/use/github.md",
      removalPolicy,
    });
    Validations.of(secret).acknowledge({
      id: "AwsSolutions-SMG4",
      reason: "Only GitHub gives out the keys of an App, and only to a person",
    });
    this.secretArn = secret.secretArn;
  }
}
