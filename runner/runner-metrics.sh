#!/bin/sh
# Tells how a self-hosted runner lives: four tiny files, stored in S3 under the runner's own prefix.
# Settings, recipes and what may go wrong: docs/use/runner.md. Needs curl 7.87 or later, or the AWS CLI.
#
# Every step but `run` ends with status 0, in bounded time, and prints at most one line, on stderr: metrics may be
# lost, jobs may not. Names, texts and sizes of a job's making are data here: never evaluated, never on a command line.

usage() {
  cat >&2 <<'END'
usage: runner-metrics.sh STEP
  installation-start [SECONDS]  a new runner's installation begins now, or began at that UNIX time
  installed                     the runner is ready for a job
  job-started                   hook: records the job that GitHub's environment describes
  job-completed                 hook: the job came to its end, whatever its result
  policy-failure CODE           the job was refused by a check of yours; CODE is an integer, such as an HTTP status
  ended CODE                    the runner has ended with this exit code
  upload                        sends what is not stored yet
  run [--] COMMAND...           runs the runner (./run.sh): installed, COMMAND with the hooks, ended
END
  exit 2
}

start_file='runner-installation-start.timestamp'
installed_file='runner-installed.timestamp'
pre_file='pre-job-metrics.json'
post_file='post-job-metrics.json'
size_max=1024 # bytes of a file; the collector takes no more
newline='
'

main() {
  case $0 in
    */*) home=${0%/*} ;;
    *) home=. ;;
  esac
  step=${1-}
  case $step in
    run)
      shift
      run "$@"
      ;;
    installation-start | installed | job-started | job-completed | policy-failure | ended | upload)
      trap 'exit 0' EXIT # whatever goes wrong from here on
      trouble=
      record_step "${2-}"
      if [ -n "$trouble" ]; then printf 'runner-metrics: %s: %s\n' "$step" "$trouble" >&2; fi
      ;;
    *) usage ;;
  esac
}

record_step() {
  prepare
  begun=$(date +%s)
  positive RUNNER_METRICS_TIMEOUT_SECONDS "${RUNNER_METRICS_TIMEOUT_SECONDS-}" 5 && timeout=$number
  retry_seconds=$timeout
  metadata_seconds=$(((timeout + 2) / 3)) # of three requests
  if [ $metadata_seconds -gt 2 ]; then metadata_seconds=2; fi
  open_spool
  case $step in
    installation-start)
      begin_life
      positive SECONDS "$1" "$begun" && record "$start_file" "$number"
      ;;
    installed)
      # A job that is recorded here can't be one of this runner's, which only now becomes ready.
      if [ -e "$pre_file" ] || [ -e "$post_file" ]; then begin_life; fi
      record "$installed_file" "$begun"
      ;;
    job-started) record_job ;;
    job-completed) record_end '"normal"' ;;
    policy-failure)
      record_job
      record_end '"repo-policy-check-failure"' "$1"
      ;;
    ended)
      if [ "${1:-0}" = 0 ]; then record_end '"normal"'; else record_end '"abnormal"' "$1"; fi
      # No job is kept waiting any more.
      positive RUNNER_METRICS_FINAL_SECONDS "${RUNNER_METRICS_FINAL_SECONDS-}" 30 && retry_seconds=$number
      ;;
  esac
  if [ -e stored ]; then return; fi
  if [ $((timeout * 3)) -gt "$retry_seconds" ]; then limit=$((timeout * 3)); else limit=$retry_seconds; fi
  if configure; then upload; fi
}

prepare() {
  LC_ALL=C # bytes, not characters
  PATH=/usr/local/bin:/usr/bin:/bin:${PATH-} # a job can put its own curl first for later steps
  export LC_ALL PATH
  umask 077
  # shellcheck source=/dev/null
  if [ -f "$home/runner-metrics.conf" ]; then . "$home/runner-metrics.conf"; fi
}

# positive NAME TEXT DEFAULT: `number` becomes the text's, if that is a positive integer. Like other functions on the way of
# a hook it gives its result in a variable: a `$(…)` is a process, and a hook has few milliseconds.
positive() {
  case $2 in
    '') number=$3 ;;
    0* | *[!0-9]* | ??????????????*) number=$3 && complain "$1 is not a positive whole number, so $3 counts" ;;
    *) number=$2 ;;
  esac
}

complain() {
  trouble=${trouble:+$trouble; }$1
}

# --- The spool: what is recorded, and not yet known to be stored -----------------------------------------------------

open_spool() {
  spool=${RUNNER_METRICS_SPOOL:-${HOME:-/nonexistent}/.runner-metrics}
  unspooled_file='' unspooled_content=''
  if [ ! -d "$spool" ]; then mkdir -p "$spool" 2>/dev/null; fi
  if [ -L "$spool" ] || ! cd "$spool" 2>/dev/null; then
    complain "cannot use the spool directory (RUNNER_METRICS_SPOOL), so nothing is kept for later"
    spool=
    cd / || exit
  fi
}

begin_life() {
  if [ -z "$spool" ]; then return; fi
  rm -f stored "$start_file" "$installed_file" "$pre_file" "$post_file" ./*.sent other-job storage uploader role 2>/dev/null
}

# record FILE LINE: what was recorded first stands. What the disk has no room for is sent from memory, by this step.
record() {
  if [ -e "$1" ] || [ -L "$1" ]; then return; fi
  if write_file "$1" "$2"; then return; fi
  unspooled_file=$1 unspooled_content=$2
  if [ -n "$spool" ]; then complain "cannot keep $1 for later (disk full?)"; fi
}

write_file() {
  if [ -z "$spool" ]; then return 1; fi
  { printf '%s\n' "$2" >".$1.$$" && IFS= read -r written <".$1.$$" && [ "$written" = "$2" ] &&
    mv -f ".$1.$$" "$1"; } 2>/dev/null && return
  rm -f ".$1.$$" 2>/dev/null
  return 1
}

record_job() {
  if [ -e "$pre_file" ]; then
    if [ ! -e "$post_file" ]; then
      has_other_job
    elif [ "$step" = job-started ]; then
      complain "this runner has had its job; metrics are of runners that take one job (--ephemeral)"
    fi
    return
  fi
  if ! is_repository "${GITHUB_REPOSITORY-}" || ! is_digits "${GITHUB_RUN_ID-}"; then
    complain "no job is recorded: GITHUB_REPOSITORY or GITHUB_RUN_ID is missing or not of GitHub's form"
    return
  fi
  # The braces and names below take 77 bytes, with the newline.
  room=$((size_max - 77 - ${#begun} - ${#GITHUB_RUN_ID} - ${#GITHUB_REPOSITORY}))
  texts=$(json_texts "$room" "${GITHUB_EVENT_NAME-}" "${GITHUB_WORKFLOW-}")
  workflow=${texts#*/}
  record "$pre_file" "$(
    printf '{"timestamp":%s,"workflow":"%b","workflow_run_id":"%s","repository":"%s","event":"%b"}' "$begun" \
      "${workflow%/}" "$GITHUB_RUN_ID" "$GITHUB_REPOSITORY" "${texts%%/*}"
  )"
}

# Where another workflow run's job comes before the recorded one has ended, nobody tells us that one's end, and no other may
# pass for it. The collector takes the runner for lost.
has_other_job() {
  if [ ! -e other-job ]; then
    if [ "$step" = ended ] || ! recall "$pre_file"; then return 1; fi # a runner's own environment may be that of any job
    run_id=${recalled##*'","workflow_run_id":"'} run_id=${run_id%%\"*}
    if ! is_digits "$run_id" || ! is_digits "${GITHUB_RUN_ID-}" || [ "$run_id" = "$GITHUB_RUN_ID" ]; then return 1; fi
    { printf '' >other-job; } 2>/dev/null
  fi
  other_job="the job that is recorded here has not ended, and another has come, of which nothing is recorded"
  other_job="$other_job; metrics are of runners that take one job (--ephemeral)"
  case $trouble in *"$other_job"*) ;; *) complain "$other_job" ;; esac
}

# record_end STATUS [CODE]
record_end() {
  if [ -e "$post_file" ] || has_other_job; then return; fi
  info=
  case ${2-} in
    0 | [1-9] | [1-9]*[0-9] | -[1-9] | -[1-9]*[0-9])
      case ${2#-} in
        *[!0-9]* | ??????????*) ;;
        *) info=",\"status_info\":{\"code\":$2}" ;;
      esac
      ;;
  esac
  if [ -n "${2-}" ] && [ -z "$info" ]; then complain "CODE is not an integer of at most 9 digits, so none is told"; fi
  record "$post_file" "{\"timestamp\":$begun,\"status\":$1$info}"
}

is_repository() {
  case $1 in
    */*/* | *[!A-Za-z0-9._/-]*) return 1 ;;
    */*) ;;
    *) return 1 ;;
  esac
  case ${1%%/*} in '' | *.*) return 1 ;; esac
  case ${1#*/} in '' | . | ..) return 1 ;; esac
  owner=${1%%/*} name=${1#*/}
  [ ${#owner} -le 39 ] && [ ${#name} -le 100 ]
}

is_digits() {
  case $1 in '' | *[!0-9]*) return 1 ;; esac
  [ ${#1} -le 20 ]
}

# json_texts ROOM EVENT WORKFLOW: both as the inside of JSON strings, in the octal escapes of `printf %b`, a slash after each.
# Together they take at most ROOM bytes: the event at most 128, the workflow's name the rest; what does not fit is cut
# between two characters. Each control character, bidi control and byte that is not UTF-8 becomes U+FFFD, as browsers
# decode it: the collector takes none of them. No awk is trusted with bytes above 127: it sees them as numbers.
json_texts() {
  { printf '%s\000%s\000' "$2" "$3" | od -An -v -tu1 | awk -v room="$1" "$json_texts_awk"; } 2>/dev/null
}
# shellcheck disable=SC2016
json_texts_awk='
  BEGIN { lower = 128; upper = 191; limit = 128 }
  { for (i = 1; i <= NF; i++) if ($i == 0) end_of_text(); else if (!full) byte($i + 0) }

  function end_of_text() {
    if (needed > 0) { needed = 0; lower = 128; upper = 191; character(65533) }
    printf "%s/", text
    room -= size
    limit = room
    text = ""; size = 0; full = 0
  }
  function byte(b) { # https://encoding.spec.whatwg.org/#utf-8-decoder
    if (needed == 0) {
      if (b < 128) character(b)
      else if (b >= 194 && b <= 223) { needed = 1; code = b - 192 }
      else if (b >= 224 && b <= 239) { needed = 2; code = b - 224; if (b == 224) lower = 160; if (b == 237) upper = 159 }
      else if (b >= 240 && b <= 244) { needed = 3; code = b - 240; if (b == 240) lower = 144; if (b == 244) upper = 143 }
      else character(65533)
      return
    }
    if (b < lower || b > upper) { needed = 0; lower = 128; upper = 191; character(65533); byte(b); return }
    lower = 128; upper = 191
    code = code * 64 + b - 128
    if (--needed == 0) character(code)
  }
  function character(c) {
    if (c < 32 || (c >= 127 && c <= 159) || c == 1564 || c == 8206 || c == 8207 || (c >= 8234 && c <= 8238) || (c >= 8294 && c <= 8297)) c = 65533
    if (c == 34 || c == 92) add(octal(92) octal(c), 2)
    else if (c < 128) add(octal(c), 1)
    else if (c < 2048) add(octal(192 + int(c / 64)) tail(c), 2)
    else if (c < 65536) add(octal(224 + int(c / 4096)) tail(int(c / 64)) tail(c), 3)
    else add(octal(240 + int(c / 262144)) tail(int(c / 4096)) tail(int(c / 64)) tail(c), 4)
  }
  function tail(c) { return octal(128 + c % 64) }
  function octal(b) { return sprintf("\\0%03o", b) }
  function add(bytes, count) {
    if (full || size + count > limit) { full = 1; return }
    text = text bytes
    size += count
  }
'

# --- The upload ------------------------------------------------------------------------------------------------------

# Finds out where to and by what right. Complains and fails where that is not known.
configure() {
  ticket=${RUNNER_METRICS_TICKET-}
  signing_date='' credentials_known=''
  if [ -n "$ticket" ]; then
    if [ -r "$ticket" ] && [ -f "$ticket" ]; then return; fi
    complain "cannot read the ticket (RUNNER_METRICS_TICKET)"
    return 1
  fi
  bucket=${RUNNER_METRICS_BUCKET-} flavor=${RUNNER_METRICS_FLAVOR-}
  region=${RUNNER_METRICS_REGION:-${AWS_REGION:-${AWS_DEFAULT_REGION-}}}
  endpoint=${RUNNER_METRICS_ENDPOINT:-${AWS_ENDPOINT_URL_S3:-${AWS_ENDPOINT_URL-}}} endpoint=${endpoint%/}
  runners_prefix=${RUNNER_METRICS_PREFIX:-runners/}
  case $runners_prefix in [!A-Za-z0-9]* | *[!A-Za-z0-9._/-]* | *[!/])
    complain "RUNNER_METRICS_PREFIX is not of the form runners/" && return 1
    ;;
  esac
  if [ -z "$bucket" ]; then complain "RUNNER_METRICS_BUCKET is not set" && return 1; fi
  if [ -z "$flavor" ]; then complain "RUNNER_METRICS_FLAVOR is not set" && return 1; fi
  if [ -z "$region" ]; then complain "RUNNER_METRICS_REGION is not set" && return 1; fi
  case $bucket in *[!a-z0-9.-]*) complain "RUNNER_METRICS_BUCKET is not the name of a bucket" && return 1 ;; esac
  case $flavor in -* | *[!a-z0-9-]* | ?????????????????????????????????*)
    complain "RUNNER_METRICS_FLAVOR is not 1 to 32 of a-z, 0-9 and -" && return 1
    ;;
  esac
  case $region in *[!a-z0-9-]*) complain "RUNNER_METRICS_REGION is not the name of a region" && return 1 ;; esac
  if [ -n "$endpoint" ] && ! is_plain "$endpoint"; then complain "RUNNER_METRICS_ENDPOINT is not a URL" && return 1; fi
  case $region in cn-*) domain=amazonaws.com.cn ;; eusc-*) domain=amazonaws.eu ;; *) domain=amazonaws.com ;; esac
  # A name that stays the same over all sessions of the runner: by the CLI's own, each would have another `aws:userid`.
  if [ -n "${AWS_WEB_IDENTITY_TOKEN_FILE-}" ]; then export AWS_ROLE_SESSION_NAME="${AWS_ROLE_SESSION_NAME:-$(uname -n)}"; fi
  choose_uploader && choose_storage || return 1
  case ${endpoint:+endpoint}:$bucket in
    endpoint:*) url=$endpoint/$bucket ;;
    *.*) url=https://s3.$region.$domain/$bucket ;; # a certificate's wildcard covers no further dots
    *) url=https://$bucket.s3.$region.$domain ;;
  esac
  key_prefix=$runners_prefix$flavor/$storage
  url=$url/$key_prefix encoded=
  # Of all that a storage's name may hold, S3's signature wants only colons encoded.
  while case ${url#*://*/} in *:*) true ;; *) false ;; esac do
    encoded=${url##*:}${encoded:+%3A$encoded} url=${url%:*}
  done
  url=$url${encoded:+%3A$encoded}
}

# Printable ASCII without blanks, quotes and backslashes: can stand in curl's configuration as it is.
is_plain() {
  case $1 in '' | *[!!-~]* | *[\"\\]*) return 1 ;; esac
}

# One line of a file of ours, if it is one of those.
recall() {
  recalled=
  if [ -f "$1" ] && [ ! -L "$1" ]; then IFS= read -r recalled <"$1" 2>/dev/null; fi
  [ -n "$recalled" ]
}

choose_uploader() {
  if recall uploader; then
    uploader=$recalled
    case $uploader in curl | aws) return ;; esac
  fi
  uploader=
  version=$(curl -q --version 2>/dev/null)
  version=${version#curl } version=${version%% *} minor=${version#*.} minor=${minor%%.*}
  case ${version%%.*}:$minor in
    *[!0-9:]* | :* | *:) ;;
    [0-6]:* | 7:? | 7:[0-7]? | 7:8[0-6]) ;;
    *) uploader=curl ;;
  esac
  if [ -z "$uploader" ] && command -v aws >/dev/null 2>&1; then uploader=aws; fi
  if [ -z "$uploader" ]; then complain "needs curl 7.87 or later, or the AWS CLI" && return 1; fi
  write_file uploader "$uploader" || :
}

choose_storage() {
  storage=${RUNNER_METRICS_STORAGE-}
  if [ -n "$storage" ]; then
    if is_storage "$storage"; then return; fi
    complain "RUNNER_METRICS_STORAGE does not match ^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$, or has .. in it"
    return 1
  fi
  if recall storage && is_storage "$recalled"; then storage=$recalled && return; fi
  if [ "$uploader" = curl ] && ! find_credentials; then
    complain "RUNNER_METRICS_STORAGE is not set, and $no_credentials"
    return 1
  fi
  storage=$(user_id)
  if is_storage "$storage"; then
    write_file storage "$storage" || :
    return
  fi
  complain "no storage: set RUNNER_METRICS_STORAGE to the runner's name, or give credentials that STS knows"
  return 1
}

is_storage() {
  case $1 in '' | [!A-Za-z0-9]* | *..* | *[!A-Za-z0-9._:-]*) return 1 ;; esac
  [ ${#1} -le 128 ]
}

# The `aws:userid` of our credentials: `AROA…:i-0abc…` on EC2.
user_id() {
  if [ "$uploader" = aws ]; then
    aws_cli "$timeout" sts get-caller-identity --query UserId --output text 2>/dev/null
    return
  fi
  answer=$(caller_identity)
  if is_clock_wrong "$answer"; then answer=$(caller_identity); fi
  if xml_value "$answer" UserId; then printf '%s' "$value"; fi
}

caller_identity() {
  {
    sts_request GetCallerIdentity
    printf 'write-out = " %%{http_code}|%%header{date}|"\n'
    signature sts
  } | curl -q -s -K - 2>/dev/null
}

sts_request() {
  sts=${AWS_ENDPOINT_URL_STS:-${endpoint:-https://sts.$region.$domain}}
  printf 'url = "%s/"\nmax-time = %s\ndata = "Action=%s&Version=2011-06-15"\n' "${sts%/}" "$timeout" "$1"
}

xml_value() {
  case $1 in *"<$2>"*"</$2>"*) value=${1#*"<$2>"} value=${value%%"</$2>"*} ;; *) value='' && return 1 ;; esac
}

# Sends until all is stored, the failure is one that lasts, or the time is up.
upload() {
  pause=1 tries=0 now=$begun
  while :; do
    tries=$((tries + 1)) failure='' lasting=''
    if store_all; then return; fi
    now=$(date +%s)
    if [ -n "$lasting" ] || [ $((now + pause - begun)) -ge "$retry_seconds" ]; then break; fi
    if [ "$pause" -gt "$retry_seconds" ]; then break; fi # the clock was set back
    sleep "$pause"
    pause=$((pause * 2))
  done
  if [ $tries = 1 ]; then often=once; else often="$tries times"; fi
  failure="$failure (tried $often in $((now - begun)) s)"
  if [ -z "$lasting" ]; then
    case $step in ended | upload) later=upload ;; *) later='the next step' ;; esac
    failure="$failure; $later tries again"
  fi
  complain "$failure"
}

# The post-job file makes a storage ready for collection, so it goes last, when all others are known to be there. A
# collector that takes the runner for an orphan, or one that is just quick, may remove files between any two requests. So
# all are sent until a round finds that nothing was missing.
store_all() {
  earlier='' post='' rounds=4
  # In units of 512 bytes.
  too_large=$(find $start_file $installed_file $pre_file $post_file -prune -size +$((size_max / 512)) 2>/dev/null)
  for file in $start_file $installed_file $pre_file $post_file; do
    if ! is_sendable "$file"; then continue; fi
    if [ "$file" = $post_file ]; then post=$file; else earlier="$earlier $file"; fi
  done
  # shellcheck disable=SC2086 # lists of our own names
  {
    if [ -n "$earlier" ]; then send_earlier $earlier || return; fi
    if [ -z "$post" ]; then return; fi
    send $post $earlier || return
    new=${new#" $post"}
    while [ -n "$new" ] && [ $rounds -gt 0 ]; do
      rounds=$((rounds - 1))
      send $earlier $post || return
    done
  }
  if [ -n "$spool" ]; then { printf '' >stored; } 2>/dev/null || :; fi
}

is_sendable() {
  if [ "$1" = "$unspooled_file" ]; then return; fi
  if [ ! -f "$1" ] || [ -L "$1" ]; then return 1; fi
  case $newline$too_large$newline in
    *"$newline$1$newline"*)
      case $trouble in *"$1 is too large"*) ;; *) complain "$1 is too large" ;; esac
      return 1
      ;;
  esac
}

# Nothing follows a file that has never been sent until it has turned out to be in the bucket by our doing: what is there
# may be another life's, and two lives are never mixed.
send_earlier() {
  together=
  for candidate in "$@"; do
    together="$together $candidate"
    if [ -e "$candidate.sent" ]; then continue; fi
    # shellcheck disable=SC2086
    send $together || return
    together=
  done
  # shellcheck disable=SC2086
  if [ -n "$together" ]; then send $together; fi
}

# send FILE...: one request each, in this order, over one connection. Succeeds if all are stored, now or before;
# `new` holds those that were not there before.
send() {
  new='' first=$1
  if [ -n "$ticket" ]; then
    for file in "$@"; do
      if ! has_form "$file"; then lasting=yes failure="cannot store $file: the ticket has no form for it" && return 1; fi
    done
  elif [ "$uploader" = curl ] && ! find_credentials; then
    failure=$no_credentials && return 1
  fi
  if ! share_time $#; then failure=${failure:-"no time left"} && return 1; fi
  mark_sent "$@"
  if [ -z "$ticket" ] && [ "$uploader" = aws ]; then
    results=$(send_with_aws "$@")
  else
    results=$(send_with_curl "$@")
    if is_clock_wrong "$results" && share_time $#; then results=$(send_with_curl "$@"); fi
  fi
  for file in "$@"; do
    result="$newline$results$newline"
    case $result in
      *"$newline$file "*) result=${result#*"$newline$file "} && result=${result%%"$newline"*} ;;
      *) result="000|||" ;;
    esac
    judge "$file" "$result" || return
  done
}

# The seconds that each of some files may take, of what is left of the step's time.
share_time() {
  left=$((begun + limit - $(date +%s)))
  if [ $left -gt "$limit" ]; then left=$limit; fi # the clock was set back
  if [ "$left" -le 0 ]; then return 1; fi
  seconds=$((left * 1000 / $1))
  if [ $seconds -gt $((timeout * 1000)) ]; then seconds=$((timeout * 1000)); fi
  fraction=$((seconds % 1000 + 1000)) seconds=$((seconds / 1000)).
  seconds=$seconds${fraction#1}
}

# The mark `.sent` is set before a file's first request: from then on, if S3 has the file, it may be by a request of ours
# that was never answered. `fresh` holds the files that had no mark. Who finds one writes into it: so a step learns that
# another one sends as well.
mark_sent() {
  fresh=
  for file in "$@"; do
    if [ -z "$spool" ]; then continue; fi
    set -C # of two steps at once only one makes the mark
    if { printf '' >"$file.sent"; } 2>/dev/null; then
      fresh="$fresh $file"
    else
      { printf 2 >>"$file.sent"; } 2>/dev/null
    fi
    set +C
  done
}

# Certainly nothing of ours is there.
unmark_sent() {
  if [ -s "$1.sent" ]; then return; fi
  case "$fresh " in *" $1 "*) rm -f "$1.sent" 2>/dev/null ;; esac
}

# Whether what is there is another life's. Where a connection that was in use already breaks, curl sends a second time by
# itself, over a new one: then it may be ours after all.
is_of_another_life() {
  case "$fresh " in *" $1 "*) ;; *) return 1 ;; esac
  if [ -s "$1.sent" ]; then return 1; fi
  [ "$1" = "$first" ] || [ "$connects" = 0 ]
}

# judge FILE CODE|DATE|CONNECTED CONNECTS|MESSAGE: CONNECTED after so many seconds, CONNECTS of its own
judge() {
  # Some shells know alternatives in patterns: there a bare bar would be one.
  code=${2%%\|*} message=${2##*\|} connects=${2%\|*} connects=${connects##*\|}
  connected=${connects% *} connects=${connects#* }
  case $code in
    200 | 201 | 204) new="$new $1" && return ;;
    412) # it is there, and it was there before
      if ! is_of_another_life "$1"; then return; fi
      unmark_sent "$1"
      lasting=yes failure="cannot store $1: there is one of another life: the storage's name, $storage, is not new"
      failure="$failure, so this life goes unrecorded until that one is collected"
      return 1
      ;;
    000)
      failure="cannot store $1: no answer${message:+ ($message)}"
      if [ "$connected" = 0.000000 ]; then unmark_sent "$1"; fi
      return 1
      ;;
    CLI) failure="cannot store $1: $message" && return 1 ;;
    403)
      lasting=yes
      failure="cannot store $1: HTTP 403, the credentials or the bucket's policy do not allow it"
      if [ -n "$ticket" ]; then failure="cannot store $1: HTTP 403, the ticket has expired or does not allow it"; fi
      if [ -n "$signing_date" ]; then failure="cannot store $1: HTTP 403, maybe since the clock is wrong here"; fi
      ;;
    404) lasting=yes failure="cannot store $1: HTTP 404, is there such a bucket?" ;;
    408 | 409 | 429 | 5*) failure="cannot store $1: HTTP $code" ;;
    *) lasting=yes failure="cannot store $1: HTTP $code" ;;
  esac
  if [ "$code" = 501 ]; then lasting=yes; fi
  if [ -n "$lasting" ]; then unmark_sent "$1"; fi
  return 1
}

# One transfer in curl's configuration language. It goes in by stdin: nothing secret is ever on a command line.
request() {
  if [ -n "$started_request" ]; then printf 'next\n'; fi
  started_request=yes
  printf 'output = "/dev/null"\nmax-time = %s\nwrite-out = "%s %%{http_code}|%%header{date}|%%{time_pretransfer} %%{num_connects}|%%{errormsg}\\n"\n' \
    "$seconds" "$1"
  if [ -n "$ticket" ]; then
    ticket_form "$1"
    return
  fi
  printf 'url = "%s/%s"\nrequest = "PUT"\nheader = "If-None-Match: *"\nheader = "Content-Type: text/plain"\n' "$url" "$1"
  if [ "$1" = "$unspooled_file" ]; then
    printf 'data-raw = "'
    printf '%s' "$unspooled_content" | sed 's/[\\"]/\\&/g'
    printf '"\n'
  else
    printf 'data-binary = "@%s"\n' "$1"
  fi
  signature s3
}
started_request=

signature() {
  # S3 wants this header to be there, and takes a signature without the body's hash; TLS protects the body.
  if [ "$1" = s3 ]; then printf 'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"\n'; fi
  if [ -n "$session_token" ]; then printf 'header = "x-amz-security-token: %s"\n' "$session_token"; fi
  if [ -n "$signing_date" ]; then printf 'header = "x-amz-date: %s"\n' "$signing_date"; fi
  printf 'user = "%s:%s"\naws-sigv4 = "aws:amz:%s:%s"\n' "$access_key" "$secret_key" "$region" "$1"
}

# A ticket has lines `FILE url URL` and `FILE field NAME VALUE`: the form of a presigned POST for each file.
has_form() {
  while read -r name kind url _ || [ -n "$name" ]; do
    if [ "$name $kind" = "$1 url" ] && is_plain "$url"; then return; fi
  done <"$ticket"
  return 1
}

ticket_form() {
  while read -r file kind name value || [ -n "$file" ]; do
    if [ "$file" != "$1" ] || ! is_plain "$name"; then continue; fi
    case $kind in
      url) printf 'url = "%s"\n' "$name" ;;
      field) if is_plain "$value"; then printf 'form-string = "%s=%s"\n' "$name" "$value"; fi ;;
    esac
  done <"$ticket"
  if [ "$1" = "$unspooled_file" ]; then
    printf 'form-string = "file='
    printf '%s' "$unspooled_content" | sed 's/[\\"]/\\&/g'
    printf '"\n'
  else
    printf 'form = "file=@%s"\n' "$1"
  fi
}

# S3 refuses a signature that is 15 minutes off. Then the answer's own date is what to sign with. Before version 8.3 curl
# sends that date twice (https://github.com/curl/curl/issues/11738), which S3 may refuse as well.
is_clock_wrong() {
  if [ -n "$ticket" ] || [ -n "$signing_date" ]; then return 1; fi
  case $1 in *" 403|"*) ;; *) return 1 ;; esac
  server=${1#*" 403|"} server=${server%%\|*}
  case $server in *[!A-Za-z0-9,:\ ]*) return 1 ;; esac
  # shellcheck disable=SC2086
  set -- $server # Mon, 23 Nov 2026 01:37:57 GMT
  case ${3-} in
    Jan) month=01 ;; Feb) month=02 ;; Mar) month=03 ;; Apr) month=04 ;; May) month=05 ;; Jun) month=06 ;;
    Jul) month=07 ;; Aug) month=08 ;; Sep) month=09 ;; Oct) month=10 ;; Nov) month=11 ;; Dec) month=12 ;;
    *) return 1 ;;
  esac
  case "${2-} ${4-} ${5-}" in
    [0-3][0-9]" "[2-9][0-9][0-9][0-9]" "[0-2][0-9]:[0-5][0-9]:[0-6][0-9]) ;;
    *) return 1 ;;
  esac
  hours=${5%%:*} minutes=${5#*:} minutes=${minutes%:*}
  ours=$(date -u +%Y%m%d%H%M) theirs=$4$month$2$hours$minutes
  if [ "${ours%????}" = "${theirs%????}" ]; then
    ours=${ours#????????} theirs=${theirs#????????}
    difference=$(((1${ours%??} - 1${theirs%??}) * 60 + 1${ours#??} - 1${theirs#??}))
    if [ ${difference#-} -lt 10 ]; then return 1; fi
  fi
  signing_date=$4$month$2T$hours$minutes${5##*:}Z
}

send_with_curl() {
  for file in "$@"; do request "$file"; done | curl -q -s --fail-early -K - 2>/dev/null
}

# aws_cli SECONDS ARGUMENT...: tries once, and ends with the step's time; 124 where that is up.
aws_cli() {
  left=$((begun + limit - $(date +%s)))
  if [ $left -gt "$limit" ]; then left=$limit; fi # the clock was set back
  if [ "$left" -le 0 ]; then return 124; fi
  set -- "$@" --region "$region" --cli-connect-timeout "$1" --cli-read-timeout "$1"
  shift
  set -- aws "$@"
  if command -v timeout >/dev/null 2>&1; then set -- timeout "$left" "$@"; fi
  AWS_MAX_ATTEMPTS=1 AWS_PAGER='' "$@"
}

send_with_aws() {
  whole_seconds=${seconds%.*}
  if [ "$whole_seconds" = 0 ]; then whole_seconds=1; fi
  for file in "$@"; do
    if [ "$file" = "$unspooled_file" ]; then printf '%s CLI|||the AWS CLI needs the file on disk\n' "$file" && return; fi
    message=$(
      aws_cli "$whole_seconds" s3api put-object --bucket "$bucket" --key "$key_prefix/$file" --body "$file" \
        --if-none-match '*' ${endpoint:+--endpoint-url "$endpoint"} 2>&1
    ) && printf '%s 200|||\n' "$file" && continue
    if [ $? = 124 ]; then printf '%s 000|||\n' "$file" && return; fi
    error=
    case $message in *'An error occurred ('*')'*) error=${message#*'An error occurred ('} error=${error%%')'*} ;; esac
    case $error in *[!A-Za-z]* | ?????????????????????????????????????????*) error= ;; esac
    case $error:$message in
      PreconditionFailed:*) printf '%s 412||1 0|\n' "$file" && continue ;;
      AccessDenied:* | Forbidden:* | InvalidAccessKeyId:* | SignatureDoesNotMatch:*) printf '%s 403|||\n' "$file" ;;
      NoSuchBucket:*) printf '%s 404|||\n' "$file" ;;
      ConditionalRequestConflict:*) printf '%s 409|||\n' "$file" ;;
      *'Unknown options'*) printf '%s CLI|||this AWS CLI is too old for --if-none-match\n' "$file" ;;
      *'locate credentials'*) printf '%s CLI|||no credentials found\n' "$file" ;;
      *'connect to the endpoint'*) printf '%s 000||0.000000 0|the AWS CLI cannot connect\n' "$file" ;;
      *) printf '%s CLI|||the AWS CLI failed%s\n' "$file" "${error:+ ($error)}" ;;
    esac
    return
  done
}

# --- Credentials: the environment's, a web identity's (IRSA), a container's, or the EC2 instance's (IMDSv2) -----------

find_credentials() {
  if [ -n "$credentials_known" ]; then return; fi
  no_credentials='no credentials found' session_token=
  if [ -n "${AWS_ACCESS_KEY_ID-}" ] && [ -n "${AWS_SECRET_ACCESS_KEY-}" ]; then
    access_key=$AWS_ACCESS_KEY_ID secret_key=$AWS_SECRET_ACCESS_KEY session_token=${AWS_SESSION_TOKEN-}
  elif [ -n "${AWS_WEB_IDENTITY_TOKEN_FILE-}" ]; then
    web_identity_credentials || return # and not the role of the machine below, which is not the runner's
  elif [ -n "${AWS_CONTAINER_CREDENTIALS_FULL_URI-}${AWS_CONTAINER_CREDENTIALS_RELATIVE_URI-}" ]; then
    container_credentials || return
  elif [ "${AWS_EC2_METADATA_DISABLED-}" != true ]; then
    instance_credentials || return
  fi
  is_plain "${access_key-}" && is_plain "${secret_key-}" || return
  if [ -n "$session_token" ]; then is_plain "$session_token" || return; fi
  credentials_known=yes
}

# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
web_identity_credentials() {
  no_credentials='AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not' lasting=yes
  is_plain "${AWS_ROLE_ARN-}" || return
  no_credentials='AWS_ROLE_SESSION_NAME is not the name of a session'
  is_iam_name "$AWS_ROLE_SESSION_NAME" || return
  no_credentials='the token of AWS_WEB_IDENTITY_TOKEN_FILE cannot be read'
  token=
  { IFS= read -r token <"$AWS_WEB_IDENTITY_TOKEN_FILE"; } 2>/dev/null
  is_plain "$token" || return
  no_credentials='STS has no answer to the web identity' lasting=
  answer=$(
    {
      sts_request AssumeRoleWithWebIdentity
      printf 'data-urlencode = "%s"\n' "RoleArn=$AWS_ROLE_ARN" "RoleSessionName=$AWS_ROLE_SESSION_NAME" \
        "WebIdentityToken=$token"
    } | curl -q -s -K - 2>/dev/null
  )
  if xml_value "$answer" Code; then
    case $value in *[!A-Za-z]* | ?????????????????????????????????????????*) value= ;; esac
    no_credentials="STS refuses the web identity${value:+ ($value)}"
    case $answer in *'<Type>Sender</Type>'*) lasting=yes ;; esac
    return 1
  fi
  xml_value "$answer" AccessKeyId && access_key=$value &&
    xml_value "$answer" SecretAccessKey && secret_key=$value && xml_value "$answer" SessionToken && session_token=$value
}

container_credentials() {
  uri=${AWS_CONTAINER_CREDENTIALS_FULL_URI-}
  if [ -n "${AWS_CONTAINER_CREDENTIALS_RELATIVE_URI-}" ]; then
    uri=http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
  fi
  authorization=${AWS_CONTAINER_AUTHORIZATION_TOKEN-}
  if [ -n "${AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE-}" ]; then
    authorization=
    { IFS= read -r authorization <"$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"; } 2>/dev/null
    if [ -z "$authorization" ]; then return 1; fi
  fi
  is_plain "$uri" || return
  read_credentials "$(get "$uri" "${authorization:+Authorization: $authorization}")"
}

instance_credentials() {
  metadata=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254} metadata=${metadata%/}/latest
  is_plain "$metadata" || return
  token=$(get "$metadata/api/token" "X-aws-ec2-metadata-token-ttl-seconds: 60" PUT)
  is_plain "$token" || return
  role=
  if recall role && is_iam_name "$recalled"; then role=$recalled; fi
  if [ -z "$role" ]; then
    role=$(get "$metadata/meta-data/iam/security-credentials/" "X-aws-ec2-metadata-token: $token")
    is_iam_name "$role" || return
    write_file role "$role" || :
  fi
  read_credentials "$(get "$metadata/meta-data/iam/security-credentials/$role" "X-aws-ec2-metadata-token: $token")"
}

is_iam_name() {
  case $1 in '' | *[!A-Za-z0-9+=,.@_-]*) return 1 ;; esac
}

# get URL HEADER [METHOD]
get() {
  case $2 in *[!\ -~]* | *[\"\\]*) return 1 ;; esac
  printf 'url = "%s"\nrequest = "%s"\n%s\n' "$1" "${3:-GET}" "${2:+header = \"$2\"}" |
    curl -q -s -f --noproxy '*' --connect-timeout 1 --max-time "$metadata_seconds" -K - 2>/dev/null
}

read_credentials() {
  json_value "$1" AccessKeyId && access_key=$value
  json_value "$1" SecretAccessKey && secret_key=$value
  json_value "$1" Token && session_token=$value
  [ -n "$access_key" ]
}

json_value() {
  case $1 in *"\"$2\""*:*\"*\"*) ;; *) value='' && return ;; esac
  value=${1#*"\"$2\""} value=${value#*:} value=${value#*\"} value=${value%%\"*}
}

# --- The runner's whole life -----------------------------------------------------------------------------------------

# The command keeps its environment, stdin and exit code; of us it gets only GitHub's hooks, and the setting with which
# GitHub's run.sh passes signals on and tells its exit code.
run() {
  if [ "${1-}" = -- ]; then shift; fi
  if [ $# = 0 ]; then usage; fi
  # Without job control a shell starts background commands deaf to SIGINT, by which run.sh stops its jobs. Of the
  # shells only bash has job control without a terminal; run.sh needs bash anyway.
  if [ -z "${BASH_VERSION-}" ] && command -v bash >/dev/null 2>&1; then exec bash "$0" run -- "$@"; fi
  hooks=$(cd "$home" && pwd)
  : "${ACTIONS_RUNNER_HOOK_JOB_STARTED=$hooks/job-started.sh}" "${RUNNER_MANUALLY_TRAP_SIG=1}"
  : "${ACTIONS_RUNNER_HOOK_JOB_COMPLETED=$hooks/job-completed.sh}"
  export ACTIONS_RUNNER_HOOK_JOB_STARTED ACTIONS_RUNNER_HOOK_JOB_COMPLETED RUNNER_MANUALLY_TRAP_SIG

  signal='' child=''
  trap 'pass_on INT 130' INT
  trap 'pass_on TERM 143' TERM
  trap 'pass_on HUP 129' HUP
  sh "$0" installed
  group=
  if [ -n "${BASH_VERSION-}" ] && set -m 2>/dev/null; then group=-; fi
  "$@" <&0 &
  child=$!
  set +m
  case $signal in ?*) kill -s TERM -- "$group$child" 2>/dev/null ;; esac # told to stop just before there was a child
  wait $child
  code=$?
  if [ -z "$signal" ]; then
    sh "$0" ended $code
    exit $code
  fi
  # Told to stop. Whoever told us kills us soon: wait a little for the job's own end, then tell what is known.
  trouble=
  positive RUNNER_METRICS_GRACE_SECONDS "${RUNNER_METRICS_GRACE_SECONDS-}" 5 && grace=$number
  if [ -n "$trouble" ]; then printf 'runner-metrics: run: %s\n' "$trouble" >&2; fi
  while [ "$grace" -gt 0 ] && kill -0 $child 2>/dev/null; do
    sleep 1
    grace=$((grace - 1))
  done
  RUNNER_METRICS_FINAL_SECONDS=5 sh "$0" ended "$signal"
  wait $child
  last=$?
  if [ $last = 127 ]; then exit $code; fi # not known any more: it ended before we waited for it, and that told its code
  exit $last
}

pass_on() {
  signal=$2
  if [ -n "$child" ]; then kill -s "$1" -- "$group$child" 2>/dev/null; fi
}

main "$@"
