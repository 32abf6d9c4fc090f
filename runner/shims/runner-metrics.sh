#!/bin/sh
# Runs runner-metrics.js with the newest Node that GitHub's runner brings. Each line ends with a number sign, so that a carriage return is
# part of a comment. Nothing here looks a program up in the PATH, which a job may have changed. #
POSIXLY_CORRECT=1 # bash: exported functions do not replace special builtins
unset -f [ printf read kill wait true 2>/dev/null || : #
case $0 in */*) home=${0%/*} ;; *) home=. ;; esac #
cr=$(printf '\r') #
main() { #
  root=${RUNNER_METRICS_RUNNER-} node= #
  while IFS='=' read -r name value || [ -n "$name" ]; do #
    if [ "$name" = RUNNER_METRICS_RUNNER ]; then root=${value%"$cr"}; fi #
  done 2>/dev/null <"$home/runner-metrics.conf" #
  find_node "$root" #
  if [ "${1-}" = run ]; then #
    for word; do case $word in */run.sh) find_node "${word%/*}" ;; esac; done #
    export RUNNER_METRICS_RUNNER="$root" #
    if [ -n "$node" ] && (clean_environment && "$node" "$home/runner-metrics.js" --version) >/dev/null 2>&1; then #
      clean_environment keep #
      if [ $$ = 1 ]; then run_below "$@"; else exec "$node" "$home/runner-metrics.js" "$@"; fi #
    fi #
  elif [ -n "$node" ]; then #
    (clean_environment && exec "$node" "$home/runner-metrics.js" "$@") #
    code=$? #
    case $code:${1-} in 0:* | 2:* | *:check*) exit $code ;; esac #
  fi #
  printf 'runner-metrics: %s: no Node 20 or later works in externals/ of the runner: is RUNNER_METRICS_RUNNER its directory?\n' "${1-}" >&2 #
  case ${1-} in run) shift ;; check* | --version) exit 1 ;; *) exit 0 ;; esac #
  if [ "${1-}" = -- ]; then shift; fi #
  exec "$@" #
} #
find_node() { #
  if [ -n "$node" ] || [ -z "$1" ]; then return; fi #
  newest=19 musl= #
  for file in /lib/ld-musl-*; do if [ -e "$file" ] && [ ! -e /lib64/ld-linux-x86-64.so.2 ]; then musl=_alpine; fi; done #
  for file in "$1"/externals/node[0-9]*/bin/node; do #
    version=${file%/bin/node} version=${version##*/node} #
    case $version in *_alpine) libc=_alpine version=${version%_alpine} ;; *) libc= ;; esac #
    case $version in *[!0-9]* | ????*) continue ;; esac #
    if [ "$libc" = "$musl" ] && [ "$version" -gt "$newest" ] && [ -x "$file" ]; then newest=$version node=$file root=$1; fi #
  done #
} #
# Variables that change what Node does. With `keep` their values go to the command that `run` starts. No pattern is expanded any more. #
clean_environment() { #
  set -f #
  for name in $(export -p); do #
    name=${name%%=*} #
    case $name in *[!A-Za-z0-9_]*) continue ;; NODE_* | LD_* | DYLD_* | UV_* | OPENSSL_* | SSL*) ;; *) continue ;; esac #
    eval "value=\${$name-}" #
    if [ "${1-}" = keep ] && [ -n "$value" ]; then export "RUNNER_METRICS_KEPT_$name=$value"; fi #
    unset "$name" #
  done #
} #
# The first process of a container has to reap the others, which Node does not. #
run_below() { #
  "$node" "$home/runner-metrics.js" "$@" <&0 & #
  child=$! #
  trap 'kill -TERM $child' TERM #
  trap 'kill -INT $child' INT #
  trap 'kill -HUP $child' HUP #
  while :; do #
    wait $child #
    code=$? #
    kill -0 $child 2>/dev/null || exit $code #
  done #
} #
main "$@" #
