#!/bin/sh
# GitHub's hook for the step that this file is named after. A hook that fails fails the job. For the number signs see runner-metrics.sh. #
POSIXLY_CORRECT=1 #
case $0 in */*) home=${0%/*} step=${0##*/} ;; *) home=. step=$0 ;; esac #
/bin/sh "$home/runner-metrics.sh" "${step%.sh}" || exit 0 #
