import { type RemovalPolicy, Validations } from "aws-cdk-lib";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";

export interface GithubSecretProps {
  /** Of a secret that exists already. */
  readonly secretArn?: string | undefined;
  readonly removalPolicy: RemovalPolicy;
}

/** The credentials for GitHub. The stack makes a secret that holds none: they are put into it by hand, and never into a template. */
export class GithubSecret extends Construct {
  readonly secretArn: string;

  constructor(scope: Construct, id: string, { secretArn, removalPolicy }: GithubSecretProps) {
    super(scope, id);
    if (secretArn) {
      this.secretArn = secretArn;
      return;
    }
    const secret = new Secret(this, "Secret", {
      description: "Credentials with which runner-metrics asks GitHub: see docs/github.md",
      removalPolicy,
    });
    Validations.of(secret).acknowledge({
      id: "AwsSolutions-SMG4",
      reason: "Only GitHub gives out the keys of an App, and only to a person",
    });
    this.secretArn = secret.secretArn;
  }
}
