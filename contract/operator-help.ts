/** For the operator: what causes each reason, whose fault it is, and what to do. The runbook and the commands show it. */
import type { DeferralReason, GithubReason, QuarantineReason } from "./reasons.ts";

/** Help with one reason. */
export interface ReasonHelp {
  readonly cause: string;
  /** Who has to change something. */
  readonly fault: string;
  readonly action: string;
}

export const QUARANTINE_HELP: Readonly<Record<QuarantineReason, ReasonHelp>> = {
  "invalid-key": {
    cause:
      "Something uploads under names that the program on the runner never uses, or the runner's name has characters other than A-Z a-z 0-9 . _ : -.",
    fault: "The operator, if runners are named so. Otherwise the job that ran on the runner.",
    action:
      "Rename the runners. If their names are valid, find out which job wrote the objects and drop them. A storage with an invalid name can't be released.",
  },
  "too-many-objects": {
    cause: "A job wrote many objects into its runner's storage. The program on the runner writes four.",
    fault: "The job that ran on the runner.",
    action:
      "Find out which job it was. The four metrics files can be released if they are among the copied objects; the others are left out.",
  },
  "file-too-large": {
    cause:
      "A metrics file has more than 1,024 bytes: the job's author chose a very long workflow or job name, or a job overwrote the file.",
    fault: "The author of the workflow, if the content is honest. Otherwise the job.",
    action:
      "Look at the content. If it is honest, shorten the name of the workflow; this job's metrics are lost, since the limit also applies after a release. Then drop it.",
  },
  "unreadable-object": {
    cause: "The uploader chose an archive storage class, or a key that only it has.",
    fault: "The job that ran on the runner; the bucket's policy denies such uploads.",
    action:
      "If the bucket existed before the stack, add the statements of docs/use/deploy.md to its policy. There is no copy to release: drop it.",
  },
  "invalid-encoding": {
    cause: "A metrics file is not UTF-8: it was written by another program, or overwritten by a job.",
    fault: "The runner's image, if it writes the files with a program of its own. Otherwise the job.",
    action: "Look at the content. Correct the program that wrote it, then drop it.",
  },
  "invalid-json": {
    cause: "A job file is not JSON: it was written by another program, or overwritten by a job.",
    fault: "The runner's image, if it writes the files with a program of its own. Otherwise the job.",
    action: "Look at the content. Correct the program that wrote it, then drop it.",
  },
  "invalid-schema": {
    cause: "A job file lacks a field, or a value is not in the documented form.",
    fault: "The runner's image, if it writes the files with a program of its own. Otherwise the job.",
    action:
      "The problems name the fields. If the collector was wrong and has been corrected, release it. Otherwise correct the program that wrote the file, and drop it.",
  },
  "invalid-timestamp": {
    cause: "A timestamp file does not hold UNIX seconds.",
    fault: "The runner's image, if it writes the files with a program of its own. Otherwise the job.",
    action: "Look at the content. Correct the program that wrote it, then drop it.",
  },
  "timestamp-in-future": {
    cause: "The clock of the runner was more than a day ahead, or a job wrote a false time.",
    fault: "The operator of the runners, if their clock is wrong. Otherwise the job.",
    action:
      "Check time synchronisation on the runner's image. It can't be released: S3 would give the file a new time, and the timestamp would pass. Drop it.",
  },
  "job-mismatch": {
    cause:
      "The runner claims a job that GitHub says another runner did, or is registered at GitHub under a name other than its storage's.",
    fault: "The operator, if the names differ. Otherwise the job claimed what it did not do.",
    action:
      "Compare the runner's name at GitHub with the storage's. If they differ, register runners under the storage's name, then release it with --anyway.",
  },
};

export const DEFERRAL_HELP: Readonly<Record<DeferralReason, ReasonHelp>> = {
  changed: {
    cause: "The runner uploaded during the run, or two runs overlapped.",
    fault: "Nobody.",
    action: "Nothing. If it stays for hours, something uploads to the storage again and again: look at the runner.",
  },
  leftover: {
    cause: "A runner of the same name had an earlier life, whose post-job file arrived late.",
    fault: "Nobody.",
    action: "Nothing. The next run collects the rest.",
  },
  deadline: {
    cause: "There were more runners than one run can finish, or S3 was slow.",
    fault: "The settings.",
    action: "Raise timeoutSeconds (and everyMinutes), concurrency, or memoryMegabytes, or set workers, and deploy.",
  },
  denied: {
    cause:
      "A policy of the bucket, the bus or the key, a permissions boundary, or a service control policy denies the function's role.",
    fault: "The person who changed a policy.",
    action:
      "The errors of the run name the call, where, and the permission that it needs. Look for a statement that denies it, and correct it: the bucket's policy (aws s3api get-bucket-policy --bucket BUCKET), the policies of the function's role, its permissions boundary, service control policies, the key's policy. Nothing is lost meanwhile, until uncollectedRetentionDays have passed.",
  },
  failed: {
    cause: "S3 failed or did not answer in time.",
    fault: "AWS, or the network of the function's VPC.",
    action: "Wait for the next run. If it stays, check the route from the VPC to S3, and AWS's health dashboard.",
  },
  unpublished: {
    cause: "EventBridge did not acknowledge all events: it throttled or failed.",
    fault: "AWS, or a quota of the account.",
    action: "Wait for the next run. If it stays, compare the quota of PutEvents with the number of events.",
  },
  unarchived: {
    cause: "S3 did not store the events in the archive. They are on the bus, and come again with the same ids.",
    fault: "AWS, or the network of the function's VPC.",
    action: "Wait for the next run. If it stays, the errors of the run say what S3 answered.",
  },
};

export const GITHUB_HELP: Readonly<Record<GithubReason, ReasonHelp>> = {
  "not-configured": {
    cause: "The stack has no setting `github`.",
    fault: "Nobody.",
    action: "Set it if you want queue times and conclusions: docs/use/github.md.",
  },
  "owner-not-allowed": {
    cause: "A runner claims a repository of an owner that is not in the setting owners.",
    fault: "The operator, if the owner is yours. Otherwise the job claims a repository that is not yours.",
    action: "Add the owner to github.owners and deploy.",
  },
  "no-credentials": {
    cause: "The secret is empty or can't be read, or its key or token was revoked or has expired.",
    fault: "The person who manages the App or token.",
    action:
      "If GitHub answered 401 in one of the last runs, create a new key or token and put it into the secret: docs/use/github.md. It is used after a minute. If none of the last runs has an answer, the function can't read the secret: look for a change of its policy, its key, or the function's role.",
  },
  "unreadable-credentials": {
    cause: "The secret was filled in wrongly: it holds neither an App's id, installation and private key nor a token.",
    fault: "The person who filled in the secret.",
    action: "Put the credentials into the secret in one of the documented forms: docs/use/github.md.",
  },
  "untrusted-certificate": {
    cause: "The certificate of GitHub's server has expired, is for another host, or is signed by a private authority.",
    fault: "The settings, for a private authority. Otherwise the operator of the server.",
    action: "Set github.caCertificates for a private authority: docs/use/github.md.",
  },
  denied: {
    cause: "The App or token lacks a permission, or is not installed for this repository.",
    fault: "The person who manages the App or token.",
    action: "Grant it Actions: read (and Self-hosted runners: read for githubRunners): docs/use/github.md.",
  },
  "rate-limited": {
    cause: "The rate limit of the App or token is used up, perhaps by somebody else who uses the same one.",
    fault: "The settings.",
    action: "Use an App for runner-metrics alone, or lower github.requestsMax.",
  },
  timeout: {
    cause: "GitHub did not answer in time.",
    fault: "GitHub, or the network.",
    action: "Wait. If it stays, check the route to GitHub.",
  },
  unavailable: {
    cause: "GitHub answered with a server error, or could not be reached.",
    fault: "GitHub, or the network.",
    action: "See githubstatus.com. If GitHub is well, check the route from the VPC.",
  },
  redirected: {
    cause: "A repository was renamed or moved, or apiUrl is not the API's address.",
    fault: "Nobody, for a renamed repository.",
    action: "Check github.apiUrl if all calls are redirected.",
  },
  "invalid-answer": {
    cause: "Something between the function and GitHub answers, such as a proxy; or GitHub changed its API.",
    fault: "The network, or runner-metrics.",
    action: "Check the route to GitHub. If it is clear, report it.",
  },
  "time-budget": {
    cause: "A run had more to ask than fits into github.timeBudgetSeconds.",
    fault: "The settings.",
    action: "Raise github.timeBudgetSeconds (and timeoutSeconds).",
  },
  "request-budget": {
    cause: "A run had more to ask than github.requestsMax.",
    fault: "The settings.",
    action: "Raise github.requestsMax, within the rate limit.",
  },
  "too-many-pages": {
    cause: "A workflow run has more jobs, or an organisation more runners, than are read.",
    fault: "Nobody.",
    action: "Set githubRunners to a repository instead of an organisation.",
  },
  "not-found": {
    cause: "The workflow run was deleted, the repository is hidden from the App or token, or the claim is false.",
    fault: "The person who manages the App, if it concerns all jobs of a repository.",
    action: "Install the App for the repository.",
  },
  "job-not-found": {
    cause:
      "The workflow run has no job of this runner: its name at GitHub differs from its storage's, or the claim is false.",
    fault: "The operator, if the names differ.",
    action: "Register runners under the name of their storage: docs/use/runner.md.",
  },
  contradicted: {
    cause:
      "Runners upload that GitHub does not list: githubRunners names another organisation or repository, or names differ.",
    fault: "The settings.",
    action: "Correct githubRunners of the flavor, or the runners' names.",
  },
  "no-value": {
    cause: "GitHub knows the job and does not have the value yet.",
    fault: "Nobody.",
    action: "Nothing.",
  },
};
