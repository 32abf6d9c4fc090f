/** For the operator: what to do when an alarm goes to ALARM. The page docs/operate/runbook.md is generated from this table. */

/** What the operator replaces in a command by an output of the stack. `FLAVOR`, `RUNNER` and `ID` are replaced, too. */
export const OUTPUTS_IN_COMMANDS = {
  BUCKET: "BucketName",
  EVENT_LOG: "EventLogGroupName",
  FUNCTION: "FunctionName",
  INSTANCE_ENDS_LOG: "InstanceEndsLogGroupName",
} as const;

/** Help with one alarm. */
export interface AlarmHelp {
  /** Commands that show the cause, in order. Each begins with `runner-metrics` or `aws`. */
  readonly look: readonly string[];
  /** What to find there, and what to change. */
  readonly action: string;
  /** Commands that undo the consequences; run after the cause is gone. */
  readonly after?: readonly string[];
  /** Only one of them is to be run: the action says which. */
  readonly isEither?: true;
  /** How to see that it is over. */
  readonly over: string;
}

const RUNS = "runner-metrics runs --flavor FLAVOR --last 5";
const RUN = "runner-metrics run FLAVOR";
const QUARANTINE = "runner-metrics quarantine list --flavor FLAVOR --newer-than 7d";
/** The events of the last so many hours that have this value in a field. */
const events = (field: string, value: string, hours: number) =>
  `aws logs filter-log-events --log-group-name EVENT_LOG --start-time $(($(date +%s) - ${hours * 3_600}))000 --filter-pattern '{ ($.detail.${field} = "${value}") }' --query 'events[].message' --output text`;
const NO_PROBLEM = "The last runs have no problem, and the alarm is OK after its next period.";

/** By the name of the alarm in the stack. */
export const ALARM_HELP: Readonly<Record<string, AlarmHelp>> = {
  RunErrors: {
    look: ["runner-metrics dead-letters list", "runner-metrics runs --last 5"],
    action:
      "The error of the dead letter says what failed. A missing bus or bucket: somebody deleted it; `npx cdk deploy --revert-drift` creates it again (docs/operate/stack.md), a deployment without that option does not. A failed listing: see `denied` and `failed` under Deferral. A time-out: raise timeoutSeconds.",
    after: ["runner-metrics dead-letters redrive --all"],
    over: "`runner-metrics dead-letters list` has no row, and the next runs are in the log.",
  },
  Throttles: {
    look: [
      "aws lambda get-account-settings",
      "aws lambda get-function-concurrency --function-name FUNCTION",
      "runner-metrics runs --last 5",
    ],
    action:
      "Without ReservedConcurrentExecutions in the second answer, other functions use up the account's concurrency: ask AWS for a higher quota, or set reservedConcurrency. Otherwise that number is too low: raise reservedConcurrency, or undo the change if somebody has made it by hand.",
    after: [RUN],
    over: "The next runs are in the log: `runner-metrics runs --last 5`.",
  },
  DeadLetterQueue: {
    look: ["runner-metrics dead-letters list", "runner-metrics dead-letters show ID"],
    action:
      "`run`: a run failed; see RunErrors. `schedule`: Scheduler could not start a run; see Throttles. `event`: an event was not written to the log of events; consumers have received it. `worker`: a worker failed (see RunErrors), or Lambda could not start it (see Throttles). Its runners are still in the bucket, and the next runs collect them or hand them over again: there is nothing to redrive, drop the message.",
    isEither: true,
    after: ["runner-metrics dead-letters redrive --all", "runner-metrics dead-letters drop --all"],
    over: "`runner-metrics dead-letters list` has no row.",
  },
  InstanceEndsNotRecorded: {
    look: ["aws logs filter-log-events --log-group-name INSTANCE_ENDS_LOG --filter-pattern HTTP"],
    action:
      "The log says what S3 answered. HTTP 403: look for a change of the bucket's policy, the function's role, or the key, and undo it. Nothing is lost: a runner without a record is collected after orphanAfterSeconds, and its cause is unknown.",
    over: "The alarm is OK after the next instance has ended.",
  },
  EndedInstancesUnknown: {
    look: ["runner-metrics runs --last 5"],
    action:
      "The problems of the last runs have the reason; Ended instances in docs/operate/reasons.md says what each means. `denied`: see AccessDenied. `failed`: wait for the next run. `too-many`: nothing to do; orphanAfterSeconds finds the runners of the other instances. Nothing is lost meanwhile.",
    after: [RUN],
    over: "`runner-metrics run FLAVOR` reports no problem.",
  },
  AccessDenied: {
    look: [
      "runner-metrics runs --last 5",
      "aws s3api get-bucket-policy --bucket BUCKET --query Policy --output text > policy.json",
    ],
    action:
      "The problems of the last runs name the flavor, the call that was denied, and the permission that it needs. `denied` under Deferral below says where to look; `aws cloudformation get-template --stack-name RunnerMetrics` has the statements of the stack. Undo the change; for the bucket's policy, delete the statement from policy.json, then `aws s3api put-bucket-policy --bucket BUCKET --policy file://policy.json`. Deploying the stack again repairs only what its template changes, unless you use `npx cdk deploy --revert-drift` (docs/operate/stack.md).",
    after: [RUN],
    over: "`runner-metrics run FLAVOR` reports no problem.",
  },
  StrayObjects: {
    look: ["runner-metrics runs --last 5", "aws s3 ls --recursive s3://BUCKET/runners/FLAVOR/"],
    action:
      "Somebody may write outside the runners' storages. Find who has s3:PutObject on the bucket with wide resources, and narrow it. Then delete the objects that are directly below the flavor.",
    after: [RUN],
    over: "`runner-metrics run FLAVOR` reports no objects outside any storage.",
  },
  InvariantViolated: {
    look: ["runner-metrics runs --last 5"],
    action:
      "This is a bug of runner-metrics. Report it with the log line `The run violated an invariant` of the function's log.",
    over: "A version that corrects it is deployed.",
  },
  GithubCredentials: {
    look: ["runner-metrics status", "runner-metrics runs --last 5"],
    action:
      "`no-credentials` under GitHub below says what to do. Meanwhile events are issued without what GitHub says, and each run raises the alarm again.",
    after: [RUN],
    over: "`runner-metrics status` has `ok` for GitHub, after a runner with a job was collected.",
  },
  GithubSecretUnreadable: {
    look: ["runner-metrics status"],
    action: "See `unreadable-credentials` under GitHub below.",
    after: [RUN],
    over: "`runner-metrics status` has `ok` for GitHub, after a runner with a job was collected.",
  },
  GithubCertificate: {
    look: ["runner-metrics status"],
    action: "See `untrusted-certificate` under GitHub below.",
    after: [RUN],
    over: "`runner-metrics status` has `ok` for GitHub, after a runner with a job was collected.",
  },
  NoRun: {
    look: ["runner-metrics status", "runner-metrics dead-letters list"],
    action:
      "Right after the first deployment, wait for the first run. Otherwise the schedule is disabled (enable it), or every run fails (see RunErrors and Throttles).",
    after: [RUN],
    over: "`runner-metrics status` has `ok` for the last run.",
  },
  Quarantined: {
    look: [QUARANTINE, "runner-metrics quarantine show ID", "runner-metrics status"],
    action:
      "`show` says what is wrong, whose fault it is, and what a release would do. Quarantine below has every reason. If the files are honest and `show` says that a run accepts them now, release them. Otherwise drop them, or let them expire: the next run would quarantine them again. `quarantine` of the status says on which day S3 deletes the oldest.",
    isEither: true,
    after: ["runner-metrics quarantine release ID", "runner-metrics quarantine drop ID"],
    over: "`runner-metrics quarantine list --flavor FLAVOR --newer-than 1h` has no row whose state is `kept`.",
  },
  Deferred: {
    look: [RUNS, "runner-metrics status"],
    action:
      "The problems of the last runs have the reason. Deferral below says what each means. `uncollected` of the status says for how many runs in a row, and for how long.",
    after: [RUN],
    over: NO_PROBLEM,
  },
  DeadlineReached: {
    look: [RUNS],
    action:
      "See `deadline` under Deferral below, and compare the duration of the runs with timeoutSeconds. If there are workers already and handedOver is 0, messages of an earlier run still wait: `runner-metrics status` says how many.",
    after: [RUN],
    over: NO_PROBLEM,
  },
  NotDeleted: {
    look: [RUNS],
    action:
      "S3 refuses or fails to delete. Look for a policy that denies s3:DeleteObject, Object Lock, or a lifecycle of the bucket. Events repeat with the same ids until it is corrected.",
    after: [RUN],
    over: NO_PROBLEM,
  },
  JobMismatch: {
    look: [events("verification", "mismatch", 24), QUARANTINE, "runner-metrics runner RUNNER"],
    action:
      "The events, or with mismatch: quarantine the list, say which runner. See `job-mismatch` under Quarantine below: what it says also applies with mismatch: flag, where nothing is quarantined. If the names agree, the job that ran there lied: look at it.",
    over: "No further event has `verification: mismatch`.",
  },
  GithubRunners: {
    look: [RUNS, "runner-metrics status"],
    action:
      "The problem of the last runs has the reason; GitHub below says what each means. Meanwhile a runner is presumed dead after orphanAfterSeconds.",
    after: [RUN],
    over: NO_PROBLEM,
  },
  QueueTime: {
    look: ["runner-metrics report --flavor FLAVOR --last 12h --markdown"],
    action:
      "Jobs wait for runners. The report and the dashboard show whether installations are slow or there are too few runners: add runners, or a larger image cache.",
    over: "The queue time on the dashboard is below the limit.",
  },
  LostRunners: {
    look: [events("event", "runner_lost", 6), "runner-metrics runner RUNNER"],
    action:
      "Runners die during jobs. The events say which, and what ended their EC2 instances (cause). Look for spot interruptions, memory, and a scale-in that ends busy machines.",
    over: "The rate of lost runners is below the limit in a whole period.",
  },
  FailedInstallations: {
    look: [events("event", "runner_install_failed", 1), "runner-metrics runner RUNNER"],
    action: "The events say which. Look at the log of a machine's first boot.",
    over: "No further RunnerInstallFailed in a period.",
  },
  NothingExtracted: {
    look: [RUNS, "runner-metrics status"],
    action:
      "Runners upload, and none ends. Look whether the hook for completed jobs is configured on the image, and whether jobs end at GitHub.",
    over: "`runner-metrics runs --flavor FLAVOR --last 5` shows extracted runners.",
  },
  BusyTooLong: {
    look: ["runner-metrics status", "aws s3 ls --recursive s3://BUCKET/runners/FLAVOR/"],
    action:
      "A runner has been in a job for too long. It is the one whose pre-job-metrics.json is the oldest. Find its job at GitHub by the runner's name, and cancel it if it hangs.",
    over: "The age of the oldest busy runner is below the limit.",
  },
};
