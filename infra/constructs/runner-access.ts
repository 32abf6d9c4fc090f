import { InstanceProfile, ManagedPolicy, PolicyDocument, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { runnerPolicy } from "../../contract/runner-policy.ts";

export interface RunnerAccessProps {
  readonly flavor: string;
  readonly bucket: IBucket;
  readonly encryptionKey?: IKey | undefined;
  /** Whether a runner does more than one job, and reports each further one in a slot. */
  readonly hasManyJobs: boolean;
  /** Whether there is a role for EC2. */
  readonly role: boolean;
  /** Whether the role has an instance profile. */
  readonly instanceProfile: boolean;
}

/**
 * What a runner of one flavor may do: put each of its four files once, under a prefix of its own, and a persistent one also in each of its
 * slots. That prefix is named by AWS, not by the runner.
 */
export class RunnerAccess extends Construct {
  /** For EC2: every instance has its own `aws:userid`, so one role serves them all. */
  readonly instancePolicy: ManagedPolicy;
  readonly instanceRole?: Role;
  readonly instanceProfile?: InstanceProfile;
  /** For a role that a dispatcher assumes for each runner, with the session tag `RunnerStorage`. */
  readonly sessionPolicy: ManagedPolicy;

  constructor(scope: Construct, id: string, props: RunnerAccessProps) {
    super(scope, id);
    const { flavor } = props;
    this.instancePolicy = new ManagedPolicy(this, "InstancePolicy", {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of IAM's
      document: ownPrefixOnly(props, "${aws:userid}"),
      description: `An EC2 instance that is a runner of flavor ${flavor} puts its metrics, once`,
    });
    this.sessionPolicy = new ManagedPolicy(this, "SessionPolicy", {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of IAM's
      document: ownPrefixOnly(props, "${aws:PrincipalTag/RunnerStorage}"),
      description: `A session of a runner of flavor ${flavor} with the tag RunnerStorage puts its metrics, once`,
    });
    if (!props.role) return;
    this.instanceRole = new Role(this, "InstanceRole", {
      assumedBy: new ServicePrincipal("ec2.amazonaws.com"),
      managedPolicies: [this.instancePolicy],
      description: `Runners of flavor ${flavor} on EC2`,
    });
    if (props.instanceProfile)
      this.instanceProfile = new InstanceProfile(this, "InstanceProfile", { role: this.instanceRole });
  }
}

function ownPrefixOnly(
  { bucket, flavor, encryptionKey, hasManyJobs }: RunnerAccessProps,
  storage: string,
): PolicyDocument {
  return PolicyDocument.fromJson(
    runnerPolicy({
      bucketArn: bucket.bucketArn,
      flavor,
      storage,
      hasManyJobs,
      ...(encryptionKey && { kmsKeyArn: encryptionKey.keyArn }),
    }),
  );
}
