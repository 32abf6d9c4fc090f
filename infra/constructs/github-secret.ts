import { type RemovalPolicy, Validations } from "aws-cdk-lib";
import { type ISecret, Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";

export interface GithubSecretProps {
  readonly removalPolicy: RemovalPolicy;
}

/** The credentials for GitHub. The secret is empty at first: a person fills it in, so that no template contains them. */
export class GithubSecret extends Construct {
  readonly secret: ISecret;

  constructor(scope: Construct, id: string, { removalPolicy }: GithubSecretProps) {
    super(scope, id);
    const secret = new Secret(this, "Secret", {
      description: "Credentials with which runner-metrics asks GitHub: see docs/use/github.md",
      removalPolicy,
    });
    Validations.of(secret).acknowledge({
      id: "AwsSolutions-SMG4",
      reason: "Only GitHub gives out the keys of an App, and only to a person",
    });
    // The CDK's classes don't keep to its own interfaces under `exactOptionalPropertyTypes`.
    this.secret = secret as ISecret;
  }
}
