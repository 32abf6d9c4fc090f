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

/** Why a storage is quarantined. */
export const QUARANTINE_REASONS = {
  "invalid-key":
    "An object's key is not one that a runner writes: control characters, sub-folders, an invalid storage name.",
  "too-many-objects": "The storage holds more objects than MAX_OBJECTS_PER_RUNNER.",
  "file-too-large": "A metrics file is larger than 1,024 bytes. It was not read.",
  "unreadable-object":
    "A metrics file cannot be read with any permission of ours: archived, or encrypted with the uploader's key.",
  "invalid-encoding": "A metrics file is not UTF-8, or starts with a byte order mark.",
  "invalid-json": "A job file is not a JSON document, or is nested 1,000 deep.",
  "invalid-schema": "A job file lacks a field, or a field has the wrong type or form.",
  "invalid-timestamp": "A timestamp file does not hold UNIX seconds as decimal text.",
  "timestamp-in-future": "A timestamp is more than 24 hours later than the upload of its file.",
  "job-mismatch": "GitHub says that this runner did not do the job that it claims (only with mismatch: quarantine).",
} as const;
export type QuarantineReason = keyof typeof QUARANTINE_REASONS;

/** Why a storage is left for the next run. */
export const DEFERRAL_REASONS = {
  changed: "Its objects changed between listing and use.",
  leftover: "Its post-job file belongs to another life of the runner. Only this file was deleted.",
  deadline: "The time of the run was up.",
  denied: "S3 or EventBridge denied access: a policy, role or key is wrong.",
  failed: "S3 failed or did not answer.",
  unpublished: "EventBridge did not acknowledge all of its events.",
  unarchived: "S3 did not store its events in the archive.",
} as const;
export type DeferralReason = keyof typeof DEFERRAL_REASONS;

/** Why something that only GitHub knows is absent: about a job, or about which runners are online. */
export const GITHUB_REASONS = {
  "not-configured": "GitHub is not configured.",
  "owner-not-allowed": "The repository's owner is not in the list of owners to ask about.",
  "no-credentials": "The secret cannot be read, or GitHub does not accept what it holds.",
  "unreadable-credentials": "The secret holds neither an App's id, installation and private key nor a token.",
  "untrusted-certificate": "The certificate of GitHub's server is not trusted, or is for another host.",
  denied: "The credentials lack a permission.",
  "rate-limited": "GitHub's rate limit refused the call, or the call was not made to respect it.",
  timeout: "GitHub did not answer in time.",
  unavailable: "GitHub answered with a server error, or could not be reached.",
  redirected: "GitHub answered with a redirect, which is not followed.",
  "invalid-answer": "GitHub's answer is incomplete or not in the documented form.",
  "time-budget": "This run has spent its time for GitHub.",
  "request-budget": "This run has spent its number of calls to GitHub.",
  "too-many-pages": "The answer has more pages than are read.",
  "not-found": "There is no such workflow run or owner, or it is hidden from these credentials.",
  "job-not-found": "The workflow run has no job that this runner did.",
  contradicted: "GitHub's list lacks most of the runners that started a job in the last 15 minutes; it was not used.",
  "no-value": "GitHub knows the job but does not have the value, or not yet.",
} as const;
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
