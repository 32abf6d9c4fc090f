#!/bin/sh
# GitHub's hook for a job's end: ACTIONS_RUNNER_HOOK_JOB_COMPLETED takes a path only. A hook that fails fails the job.
sh "${0%/*}/runner-metrics.sh" job-completed || :
