/** What the function reads from its environment. What each variable may hold is tested with GitHub's and the stack's settings. */
import { expect, test } from "vitest";
import { readConfig } from "../../functions/extract-metrics/config.ts";
import { AUTHORITY } from "../github/certificates.ts";

const REQUIRED = { BUCKET_NAME: "metrics", EVENT_BUS_NAME: "runner-metrics" };
const DEFAULTS = {
  bucketName: "metrics",
  eventBusName: "runner-metrics",
  maxObjectsPerRunner: 32,
  concurrency: 32,
  workerConcurrency: 32,
  metricsNamespace: "RunnerMetrics",
  kmsKeyArn: undefined,
  endedInstances: false,
  quarantineMismatches: false,
  usePathStyle: false,
};

test("a bucket and a bus are enough: all else has a default, and there is no GitHub", () => {
  expect(readConfig(REQUIRED)).toEqual(DEFAULTS);
  expect(readConfig(REQUIRED)).not.toHaveProperty("github");
});

test("every variable is read", () => {
  const config = readConfig({
    ...REQUIRED,
    MAX_OBJECTS_PER_RUNNER: "5",
    CONCURRENCY: "6",
    WORKER_CONCURRENCY: "7",
    METRICS_NAMESPACE: "Acme/Runners",
    KMS_KEY_ARN: "arn:aws:kms:eu-central-1:111111111111:key/1",
    ENDED_INSTANCES: "on",
    GITHUB_MISMATCH: "quarantine",
    GITHUB_SECRET_ID: "github",
    GITHUB_OWNERS: "acme, Octo-Org",
    GITHUB_API_URL: "https://github.acme.example/api/v3/",
    GITHUB_CA_CERTIFICATES: AUTHORITY,
    GITHUB_TIME_BUDGET_SECONDS: "8",
    GITHUB_REQUESTS_MAX: "9",
  });
  expect(config).toEqual({
    ...DEFAULTS,
    maxObjectsPerRunner: 5,
    concurrency: 6,
    workerConcurrency: 7,
    metricsNamespace: "Acme/Runners",
    kmsKeyArn: "arn:aws:kms:eu-central-1:111111111111:key/1",
    endedInstances: true,
    quarantineMismatches: true,
    github: {
      secretId: "github",
      owners: ["acme", "Octo-Org"],
      apiUrl: "https://github.acme.example/api/v3",
      caCertificates: AUTHORITY,
      timeBudgetSeconds: 8,
      requestsMax: 9,
    },
  });
});

test("GitHub's secret and owners are enough for GitHub", () => {
  expect(readConfig({ ...REQUIRED, GITHUB_SECRET_ID: "github", GITHUB_OWNERS: "acme" }).github).toEqual({
    secretId: "github",
    owners: ["acme"],
    apiUrl: "https://api.github.com",
    caCertificates: undefined,
    timeBudgetSeconds: 60,
    requestsMax: 500,
  });
});

test("a worker has as many runners in progress as a run, unless it says how many", () => {
  expect(readConfig({ ...REQUIRED, CONCURRENCY: "6" }).workerConcurrency).toBe(6);
});

test.each(["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])(
  "an endpoint other than AWS's (%s) has the bucket in the path",
  (name) => {
    expect(readConfig({ ...REQUIRED, [name]: "http://127.0.0.1:4566" }).usePathStyle).toBe(true);
    expect(readConfig({ ...REQUIRED, [name]: "" }).usePathStyle).toBe(false);
  },
);

test("a wrong environment is one error that names every variable and what is wrong with it", () => {
  expect(() => readConfig({ EVENT_BUS_NAME: "", CONCURRENCY: "many", ENDED_INSTANCES: "yes" })).toThrow(
    /^Invalid environment variables: BUCKET_NAME: is required; EVENT_BUS_NAME: is required; CONCURRENCY: must be a whole number; ENDED_INSTANCES: .*"on"\|"off"$/,
  );
});
