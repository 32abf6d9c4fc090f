#!/bin/sh
# GitHub's hook for a job's start: ACTIONS_RUNNER_HOOK_JOB_STARTED takes a path only. A hook that fails fails the job.
sh "${0%/*}/runner-metrics.sh" job-started || :
