#!/bin/sh
# GitHub's hook for a job's start. A hook that fails fails the job. Each line ends with a number sign: see runner-metrics.sh. #
POSIXLY_CORRECT=1 #
case $0 in */*) home=${0%/*} ;; *) home=. ;; esac #
/bin/sh "$home/runner-metrics.sh" job-started || exit 0 #
