/**
 * Everything that can become of a runner, and why. Closed lists, each name with its meaning: names are also parts of metric names and values
 * in events; the operator's pages and the schemas are generated from here.
 */

/** What became of one storage in a run. */
export const OUTCOMES = {
  extracted: "Its metrics were read and published, and its files deleted.",
  incomplete:
    "Its files are valid but hold no metrics (no installed timestamp, or a slot without a job); they were deleted.",
  quarantined: "Its files are not trustworthy; they were copied or recorded in quarantine and deleted.",
  excluded: "The schedule input or GitHub says that its runner is alive or not meant.",
  notReady: "Its runner has not finished; nothing was requested.",
  deferred: "It could not be finished in this run; its files are in place for the next one.",
  vanished: "Its files were gone before they could be read: another run was faster.",
  handedOver: "Its listing was sent to the workers; its files are in place until one of them has finished it.",
} as const;
export type Outcome = keyof typeof OUTCOMES;

/** A reason, and what the runbook and the commands tell the operator about it. */
export interface Reason {
  readonly meaning: string;
  readonly cause: string;
  /** Who has to change something. */
  readonly fault: string;
  readonly action: string;
}

/** Why a storage is quarantined. */
export const QUARANTINE_REASONS = {
  "invalid-key": {
    meaning:
      "An object's key is not one that a runner writes: control characters, sub-folders, an invalid storage name.",
    cause:
      "Something uploads under names that the program on the runner never uses, or the runner's name has characters other than A-Z a-z 0-9 . _ : -.",
    fault: "The operator, if runners are named so. Otherwise the job that ran on the runner.",
    action:
      "Rename the runners. If their names are valid, find out which job wrote the objects and drop them. A storage with an invalid name can't be released.",
  },
  "too-many-objects": {
    meaning: "The storage holds more objects than the setting maxObjectsPerRunner.",
    cause: "A job wrote many objects into its runner's storage. The program on the runner writes four.",
    fault: "The job that ran on the runner.",
    action:
      "Find out which job it was. The four metrics files can be released if they are among the copied objects; the others are left out.",
  },
  "file-too-large": {
    meaning: "A metrics file is larger than 1,024 bytes. It was not read.",
    cause:
      "A metrics file has more than 1,024 bytes: the job's author chose a very long workflow or job name, or a job overwrote the file.",
    fault: "The author of the workflow, if the content is honest. Otherwise the job.",
    action:
      "Look at the content. If it is honest, shorten the name of the workflow; this job's metrics are lost, since the limit also applies after a release. Then drop it.",
  },
  "unreadable-object": {
    meaning:
      "A metrics file cannot be read with any permission of ours: archived, or encrypted with the uploader's key.",
    cause: "The uploader chose an archive storage class, or a key that only it has.",
    fault: "The job that ran on the runner; the bucket's policy denies such uploads.",
    action:
      "If the bucket existed before the stack, add the statements of docs/use/deploy.md to its policy. There is no copy to release: drop it.",
  },
  "invalid-encoding": {
    meaning: "A metrics file is not UTF-8, or starts with a byte order mark.",
    cause: "A metrics file is not UTF-8: it was written by another program, or overwritten by a job.",
    fault: "The runner's image, if it writes the files with a program of its own. Otherwise the job.",
    action: "Look at the content. Correct the program that wrote it, then drop it.",
  },
  "invalid-json": {
    meaning: "A job file is not a JSON document, or is nested 1,000 deep.",
    cause: "A job file is not JSON: it was written by another program, or overwritten by a job.",
    fault: "The runner's image, if it writes the files with a program of its own. Otherwise the job.",
    action: "Look at the content. Correct the program that wrote it, then drop it.",
  },
  "invalid-schema": {
    meaning: "A job file lacks a field, or a field has the wrong type or form.",
    cause: "A job file lacks a field, or a value is not in the documented form.",
    fault: "The runner's image, if it writes the files with a program of its own. Otherwise the job.",
    action:
      "The problems name the fields. If the collector was wrong and has been corrected, release it. Otherwise correct the program that wrote the file, and drop it.",
  },
  "invalid-timestamp": {
    meaning: "A timestamp file does not hold UNIX seconds as decimal text.",
    cause: "A timestamp file does not hold UNIX seconds.",
    fault: "The runner's image, if it writes the files with a program of its own. Otherwise the job.",
    action: "Look at the content. Correct the program that wrote it, then drop it.",
  },
  "timestamp-in-future": {
    meaning: "A timestamp is more than 24 hours later than the upload of its file.",
    cause: "The clock of the runner was more than a day ahead, or a job wrote a false time.",
    fault: "The operator of the runners, if their clock is wrong. Otherwise the job.",
    action:
      "Check time synchronisation on the runner's image. It can't be released: S3 would give the file a new time, and the timestamp would pass. Drop it.",
  },
  "job-mismatch": {
    meaning: "GitHub says that this runner did not do the job that it claims (only with mismatch: quarantine).",
    cause:
      "The runner claims a job that GitHub says another runner did, or is registered at GitHub under a name other than its storage's.",
    fault: "The operator, if the names differ. Otherwise the job claimed what it did not do.",
    action:
      "Compare the runner's name at GitHub with the storage's. If they differ, register runners under the storage's name, then release it with --anyway.",
  },
} as const satisfies Record<string, Reason>;
export type QuarantineReason = keyof typeof QUARANTINE_REASONS;

/** Why a storage is left for the next run. */
export const DEFERRAL_REASONS = {
  changed: {
    meaning: "Its objects changed between listing and use.",
    cause: "The runner uploaded during the run, or two runs overlapped.",
    fault: "Nobody.",
    action: "Nothing. If it stays for hours, something uploads to the storage again and again: look at the runner.",
  },
  leftover: {
    meaning: "Its post-job file belongs to another life of the runner. Only this file was deleted.",
    cause: "A runner of the same name had an earlier life, whose post-job file arrived late.",
    fault: "Nobody.",
    action: "Nothing. The next run collects the rest.",
  },
  deadline: {
    meaning: "The time of the run was up.",
    cause: "There were more runners than one run can finish, or S3 was slow.",
    fault: "The settings.",
    action: "Raise timeoutSeconds (and everyMinutes), concurrency, or memoryMegabytes, or set workers, and deploy.",
  },
  denied: {
    meaning: "S3 or EventBridge denied access: a policy, role or key is wrong.",
    cause:
      "A policy of the bucket, the bus or the key, a permissions boundary, or a service control policy denies the function's role.",
    fault: "The person who changed a policy.",
    action:
      "The errors of the run name the call, where, and the permission that it needs. Look for a statement that denies it, and correct it: the bucket's policy (aws s3api get-bucket-policy --bucket BUCKET), the policies of the function's role, its permissions boundary, service control policies, the key's policy. Nothing is lost meanwhile, until uncollectedRetentionDays have passed.",
  },
  failed: {
    meaning: "S3 failed or did not answer.",
    cause: "S3 failed or did not answer in time.",
    fault: "AWS, or the network of the function's VPC.",
    action: "Wait for the next run. If it stays, check the route from the VPC to S3, and AWS's health dashboard.",
  },
  unpublished: {
    meaning: "EventBridge did not acknowledge all of its events.",
    cause: "EventBridge did not acknowledge all events: it throttled or failed.",
    fault: "AWS, or a quota of the account.",
    action: "Wait for the next run. If it stays, compare the quota of PutEvents with the number of events.",
  },
  unarchived: {
    meaning: "S3 did not store its events in the archive.",
    cause: "S3 did not store the events in the archive. They are on the bus, and come again with the same ids.",
    fault: "AWS, or the network of the function's VPC.",
    action: "Wait for the next run. If it stays, the errors of the run say what S3 answered.",
  },
} as const satisfies Record<string, Reason>;
export type DeferralReason = keyof typeof DEFERRAL_REASONS;

/** Why something that only GitHub knows is absent: about a job, or about which runners are online. */
export const GITHUB_REASONS = {
  "not-configured": {
    meaning: "GitHub is not configured.",
    cause: "The stack has no setting `github`.",
    fault: "Nobody.",
    action: "Set it if you want queue times and conclusions: docs/use/github.md.",
  },
  "owner-not-allowed": {
    meaning: "The repository's owner is not in the list of owners to ask about.",
    cause: "A runner claims a repository of an owner that is not in the setting owners.",
    fault: "The operator, if the owner is yours. Otherwise the job claims a repository that is not yours.",
    action: "Add the owner to github.owners and deploy.",
  },
  "no-credentials": {
    meaning: "The secret cannot be read, or GitHub does not accept what it holds.",
    cause: "The secret is empty or can't be read, or its key or token was revoked or has expired.",
    fault: "The person who manages the App or token.",
    action:
      "If GitHub answered 401 in one of the last runs, create a new key or token and put it into the secret: docs/use/github.md. Then wait a minute: the function does not read it again earlier. If none of the last runs has an answer, the function can't read the secret: look for a change of its policy, its key, or the function's role.",
  },
  "unreadable-credentials": {
    meaning: "The secret holds neither an App's id, installation and private key nor a token.",
    cause: "The secret was filled in wrongly: it holds neither an App's id, installation and private key nor a token.",
    fault: "The person who filled in the secret.",
    action:
      "Put the credentials into the secret in one of the documented forms: docs/use/github.md. The function reads it again after a minute.",
  },
  "untrusted-certificate": {
    meaning: "The certificate of GitHub's server is not trusted, or is for another host.",
    cause: "The certificate of GitHub's server has expired, is for another host, or is signed by a private authority.",
    fault: "The settings, for a private authority. Otherwise the operator of the server.",
    action: "Set github.caCertificates for a private authority: docs/use/github.md.",
  },
  denied: {
    meaning: "The credentials lack a permission.",
    cause: "The App or token lacks a permission, or is not installed for this repository.",
    fault: "The person who manages the App or token.",
    action:
      "Grant it Actions: read (and Self-hosted runners: read for githubRunners), and accept the new permissions in the installation: docs/use/github.md.",
  },
  "rate-limited": {
    meaning: "GitHub's rate limit refused the call, or the call was not made to respect it.",
    cause: "The rate limit of the App or token is used up, perhaps by somebody else who uses the same one.",
    fault: "The settings.",
    action:
      "Use an App for runner-metrics alone, lower github.requestsMax, or raise everyMinutes: rarer runs ask less. The metrics GithubRateLimitRemaining and GithubRequests show the effect.",
  },
  timeout: {
    meaning: "GitHub did not answer in time.",
    cause: "GitHub did not answer in time.",
    fault: "GitHub, or the network.",
    action: "Wait. If it stays, check the route to GitHub.",
  },
  unavailable: {
    meaning: "GitHub answered with a server error, or could not be reached.",
    cause: "GitHub answered with a server error, or could not be reached.",
    fault: "GitHub, or the network.",
    action: "See githubstatus.com. If GitHub is well, check the route from the VPC.",
  },
  redirected: {
    meaning: "GitHub answered with a redirect, which is not followed.",
    cause: "A repository was renamed or moved, or apiUrl is not the API's address.",
    fault: "Nobody, for a renamed repository.",
    action: "Check github.apiUrl if all calls are redirected.",
  },
  "invalid-answer": {
    meaning: "GitHub's answer is incomplete or not in the documented form.",
    cause: "Something between the function and GitHub answers, such as a proxy; or GitHub changed its API.",
    fault: "The network, or runner-metrics.",
    action: "Check the route to GitHub. If it is clear, report it.",
  },
  "time-budget": {
    meaning: "This run has spent its time for GitHub.",
    cause: "A run had more to ask than fits into github.timeBudgetSeconds.",
    fault: "The settings.",
    action: "Raise github.timeBudgetSeconds (and timeoutSeconds).",
  },
  "request-budget": {
    meaning: "This run has spent its number of calls to GitHub.",
    cause: "A run had more to ask than github.requestsMax.",
    fault: "The settings.",
    action: "Raise github.requestsMax, within the rate limit.",
  },
  "too-many-pages": {
    meaning: "The answer has more pages than are read.",
    cause: "A workflow run has more than 3,000 jobs, or an organisation more than 10,000 runners: more is not read.",
    fault: "Nobody.",
    action: "Set githubRunners to a repository instead of an organisation.",
  },
  "not-found": {
    meaning: "There is no such workflow run or owner, or it is hidden from these credentials.",
    cause: "The workflow run was deleted, the repository is hidden from the App or token, or the claim is false.",
    fault: "The person who manages the App, if it concerns all jobs of a repository.",
    action: "Install the App for the repository.",
  },
  "job-not-found": {
    meaning: "The workflow run has no job that this runner did.",
    cause:
      "The workflow run has no job of this runner: its name at GitHub differs from its storage's, or the claim is false.",
    fault: "The operator, if the names differ.",
    action: "Register runners under the name of their storage: docs/use/runner.md.",
  },
  contradicted: {
    meaning: "GitHub's list lacks most of the runners that started a job in the last 15 minutes; it was not used.",
    cause:
      "Runners upload that GitHub does not list: githubRunners names another organisation or repository, or names differ.",
    fault: "The settings.",
    action: "Correct githubRunners of the flavor, or the runners' names.",
  },
  "no-value": {
    meaning: "GitHub knows the job but does not have the value, or not yet.",
    cause: "GitHub has the value later: a job's conclusion comes a moment after the runner's last file.",
    fault: "Nobody.",
    action: "Nothing.",
  },
} as const satisfies Record<string, Reason>;
export type GithubReason = keyof typeof GITHUB_REASONS;

/** What ended the EC2 instance of a runner that is presumed dead. */
export const CAUSES = {
  "spot-interruption": "EC2 interrupted the spot instance.",
  terminated: "The EC2 instance was terminated.",
  stopped: "The EC2 instance was stopped, and nothing was uploaded afterwards.",
  unknown:
    "Nothing was recorded: the instance did not end, the runner is no EC2 instance, or the stack does not record how instances end.",
} as const;
export type Cause = keyof typeof CAUSES;

/** Why a run does not know of every EC2 instance whether it has ended. */
export const ENDED_UNKNOWN_REASONS = {
  denied: "S3 denied access to the list of ended instances.",
  failed: "S3 failed to list the ended instances, or did not answer.",
  "too-many": "More instances have ended than a run reads: 50,000 records.",
} as const;
export type EndedUnknownReason = keyof typeof ENDED_UNKNOWN_REASONS;

/** What a runner's claim to a job is worth. */
export const VERIFICATIONS = {
  verified: "GitHub says that this runner did a job of this workflow run.",
  unverified: "GitHub was not asked, or gave no answer.",
  mismatch: "GitHub says that this runner did no job of this workflow run.",
} as const;
export type Verification = keyof typeof VERIFICATIONS;

/** What S3 said to the deletion of one object. */
export const DELETE_RESULTS = {
  deleted: "The version is gone.",
  gone: "There was no such object.",
  changed: "The object is another version, which stays.",
  denied: "Our role may not delete it.",
  failed: "S3 failed; the next run tries again.",
} as const;
export type DeleteResult = keyof typeof DELETE_RESULTS;

/** Why a run ended. */
export const STOP_REASONS = {
  done: "Every storage was listed.",
  deadline: "Its time was up; the rest waits for the next run.",
  "archive-failed": "S3 failed to store events in the archive; no further storage was started.",
  "listing-failed": "S3 failed to list; what had been listed was finished.",
} as const;
export type StopReason = keyof typeof STOP_REASONS;

/** The names of a closed list, in order. */
export function namesOf<Name extends string>(list: Readonly<Record<Name, unknown>>): [Name, ...Name[]] {
  return Object.keys(list) as [Name, ...Name[]];
}

/** What each reason means, by name. */
export function meaningsOf<Name extends string>(reasons: Readonly<Record<Name, Reason>>): Record<Name, string> {
  const entries = namesOf(reasons).map((name) => [name, reasons[name].meaning]);
  return Object.fromEntries(entries);
}
