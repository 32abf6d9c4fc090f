/**
 * For https://github.com/CloudSnorkel/cdk-github-runners: an image with the program, and the right to store four files. Run `npm run build:runner` first.
 * Outside a clone, import `runnerPolicy` from `runner-metrics/ticket`, and take `node_modules/runner-metrics/dist/runner` as `DIRECTORY`.
 * The hooks are set by the wrapper around run.sh.
 *
 * At GitHub these runners bear the name of a Step Functions execution, which no IAM policy knows: it is not their storage's. So
 * leave the collector's `githubRunners` and `mismatch: "quarantine"` off. Not for Lambda: there all runners of a function have
 * one and the same `aws:userid`.
 */

import { fileURLToPath } from "node:url";
import {
  type IConfigurableRunnerImageBuilder,
  type IRunnerProvider,
  RunnerImageComponent,
} from "@cloudsnorkel/cdk-github-runners";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import { runnerPolicy } from "../../contract/runner-policy.ts";

/** What `npm run build:runner` has built. */
const DIRECTORY = fileURLToPath(new URL("../dist", import.meta.url));
/** In the place of GitHub's run.sh: puts `run` around that. */
const RUN = 'exec /bin/sh /opt/runner-metrics/runner-metrics.sh run -- /home/runner/run-github.sh "$@"';

/** Where a runner's metrics go. */
export interface MetricsTarget {
  readonly bucket: IBucket;
  /** Of the bucket, if it is one of yours. */
  readonly encryptionKey?: IKey;
  readonly flavor: string;
  readonly region: string;
}

/** Call it before the image builder is given to a provider. */
export function addMetrics(
  imageBuilder: IConfigurableRunnerImageBuilder,
  { bucket, flavor, region }: MetricsTarget,
): void {
  const settings = [
    `RUNNER_METRICS_BUCKET=${bucket.bucketName}`,
    `RUNNER_METRICS_FLAVOR=${flavor}`,
    `RUNNER_METRICS_REGION=${region}`,
    "RUNNER_METRICS_RUNNER=/home/runner",
    "RUNNER_METRICS_SPOOL=/home/runner/.runner-metrics",
  ];
  imageBuilder.addComponent(
    RunnerImageComponent.custom({
      name: "RunnerMetrics",
      assets: [{ source: DIRECTORY, target: "/opt/runner-metrics" }],
      commands: [
        `printf '%s\\n' ${settings.map((line) => `'${line}'`).join(" ")} > /opt/runner-metrics/runner-metrics.conf`,
        "chmod -R go+rX /opt/runner-metrics",
        "cd /home/runner && mv run.sh run-github.sh",
        `printf '%s\\n' '#!/bin/sh' '${RUN}' > /home/runner/run.sh && chmod 755 /home/runner/run.sh`,
      ],
    }),
  );
}

/** Lets the provider's runners put their four files, each under the prefix that is its `aws:userid`. */
export function allowMetrics(provider: IRunnerProvider, { bucket, encryptionKey, flavor }: MetricsTarget): void {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of IAM's
  const request = { bucketArn: bucket.bucketArn, flavor, storage: "${aws:userid}" };
  const kmsKeyArn = encryptionKey?.keyArn;
  const { Statement } = runnerPolicy({ ...request, ...(kmsKeyArn && { kmsKeyArn }) });
  for (const statement of Statement) provider.grantPrincipal.addToPrincipalPolicy(PolicyStatement.fromJson(statement));
}
