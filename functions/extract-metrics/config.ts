import { environment, GITHUB_SETTINGS, RUN_SETTINGS, type Variables, valuesOf } from "../../contract/environment.ts";
import { parse } from "../../contract/parse.ts";
import type { GithubConfig, RunConfig } from "../ports.ts";

/** What is known before the first invocation. */
export interface Config extends Omit<RunConfig, "accountId" | "partition"> {
  /** CloudWatch's namespace of the metrics. */
  readonly metricsNamespace: string;
  /** An endpoint other than AWS's is set: address buckets by path. */
  readonly usePathStyle: boolean;
  /** Runners in progress at once in one worker. */
  readonly workerConcurrency: number;
  /** Absent if GitHub is not configured. */
  readonly github?: GithubConfig;
}

/**
 * The configuration from the environment. Throws one error that names every wrong variable and what is wrong with it. The SDK reads
 * the endpoints by itself (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`, …).
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const variables = parse(environment, env, "environment variables");
  const ofRuns = valuesOf(RUN_SETTINGS, variables);
  return {
    bucketName: variables.BUCKET_NAME,
    eventBusName: variables.EVENT_BUS_NAME,
    ...ofRuns,
    workerConcurrency: variables.WORKER_CONCURRENCY ?? ofRuns.concurrency,
    metricsNamespace: variables.METRICS_NAMESPACE,
    kmsKeyArn: variables.KMS_KEY_ARN,
    endedInstances: variables.ENDED_INSTANCES === "on",
    quarantineMismatches: variables.GITHUB_MISMATCH === "quarantine",
    ...githubConfig(variables),
    usePathStyle: Boolean(env.AWS_ENDPOINT_URL ?? env.AWS_ENDPOINT_URL_S3),
  };
}

function githubConfig(variables: Variables): { github?: GithubConfig } {
  const { GITHUB_SECRET_ID: secretId, GITHUB_OWNERS } = variables;
  if (!secretId || !GITHUB_OWNERS) return {};
  return {
    github: {
      secretId,
      owners: GITHUB_OWNERS,
      apiUrl: variables.GITHUB_API_URL,
      caCertificates: variables.GITHUB_CA_CERTIFICATES,
      ...valuesOf(GITHUB_SETTINGS, variables),
    },
  };
}
