#!/bin/sh
# Before there is a Node: records that a runner's installation begins now, or began at the UNIX time $1, and uploads that if curl can: with
# a ticket any curl, with keys or the EC2 instance's role curl from 7.87. The first step with Node continues. Each line ends with a number sign. #
umask 077 #
PATH=/usr/bin:/bin:/usr/sbin:/sbin:${PATH-} cr=$(printf '\r') file=runner-installation-start.timestamp #
case $0 in */*) home=${0%/*} ;; *) home=. ;; esac #
main() { #
  while IFS='=' read -r name value || [ -n "$name" ]; do #
    case $name in *[!A-Z0-9_]*) ;; RUNNER_METRICS_* | AWS_*) export "$name=${value%"$cr"}" ;; esac #
  done 2>/dev/null <"$home/runner-metrics.conf" #
  now=$(date +%s) && start=${1:-$now} trouble= #
  case $start in 0* | *[!0-9]* | ?????????????*) start=999999999999 ;; esac #
  if [ "$start" -gt "$now" ]; then start=$now trouble='SECONDS is not a UNIX time until now, so now counts'; fi #
  begin_life 2>/dev/null || trouble="cannot write to the spool directory $spool" #
  if [ -n "$trouble" ]; then echo "runner-metrics: installation-start: $(printf %s "$trouble" | tr -c '[:print:]' '?')" >&2; fi #
} #
begin_life() { #
  name=${RUNNER_METRICS_STORAGE:-default} last=/life-000000.jsonl #
  case $name in [!A-Za-z0-9]* | *[!A-Za-z0-9._:-]* | *..*) name=default RUNNER_METRICS_FLAVOR= ;; esac # nothing is sent there
  spool=${RUNNER_METRICS_SPOOL:-$HOME/.runner-metrics/$(echo "$name" | tr : _)} #
  mkdir -p "$spool" && [ ! -L "$spool" ] || return #
  for name in "$spool"/life-[0-9][0-9][0-9][0-9][0-9][0-9].jsonl; do if [ -e "$name" ] || [ -L "$name" ]; then last=$name; fi; done #
  last=${last##*/life-} last=1${last%.jsonl} && last=$((last + 1)) #
  (set -C && record >"$spool/life-${last#1}.jsonl") #
} #
record() { #
  note "\"record\":\"$file\",\"content\":\"$start\\n\",\"at\":${now}000" #
  request=$(if [ -n "${RUNNER_METRICS_TICKET-}" ]; then form; else object; fi) || return 0 #
  at="{\"wall\":${now}000,\"up\":\"$(cat /proc/uptime || sysctl -n kern.boottime)\"" #
  note "\"sent\":\"$file\",\"by\":\"installation-start\"" #
  printf '%s\n' "$request" | fetch -D - -o /dev/null | while IFS= read -r line; do #
    case $line in HTTP/*) status=${line#* } ;; [Dd]ate:\ *) date=${line#*: } date=${date%"$cr"} ;; esac #
    case ${status-}:${date-} in *[!A-Za-z0-9,:\ "$cr"]*) ;; 20[014]*:?*) note "\"ack\":\"$file\",\"at\":$at,\"date\":\"$date\"}" && break ;; esac #
  done #
} #
note() { printf '\n{%s}\n' "$1"; } #
fetch() { curl -q -s -m "${RUNNER_METRICS_TIMEOUT_SECONDS:-5}" -K - "$@"; } #
plain() { for text; do case $text in '' | *[!!-~]* | *[\"\\]*) return 1 ;; esac; done; } #
form() { #
  text='\([]!#-[^-~]*\)' # printable ASCII without blanks, quotes and backslashes
  url="s/^$file url $text\$/url = \"\\1\"/p" field="s/^$file field $text $text\$/form-string = \"\\1=\\2\"/p" #
  LC_ALL=C sed -n "s/$cr\$//; $url; $field" "$RUNNER_METRICS_TICKET" #
  printf 'form-string = "file=%s\\n"\n' "$start" #
} #
object() { #
  version=$(curl -q -V) && version=${version#curl } && minor=${version#*.} #
  case ${version%%.*}.${minor%%.*} in 7.8[7-9] | [89].*) ;; *) return 1 ;; esac #
  if [ -n "${AWS_WEB_IDENTITY_TOKEN_FILE-}${AWS_CONTAINER_CREDENTIALS_FULL_URI-}${AWS_CONTAINER_CREDENTIALS_RELATIVE_URI-}" ]; then return 1; fi #
  key=${AWS_ACCESS_KEY_ID-} secret=${AWS_SECRET_ACCESS_KEY-} token=${AWS_SESSION_TOKEN-} #
  if [ -z "$key" ]; then from_instance; fi #
  region=${RUNNER_METRICS_REGION:-${AWS_REGION:-${AWS_DEFAULT_REGION-}}} bucket=${RUNNER_METRICS_BUCKET-} #
  case $region in cn-*) domain=amazonaws.com.cn ;; eusc-*) domain=amazonaws.eu ;; *) domain=amazonaws.com ;; esac #
  storage=$(echo "${RUNNER_METRICS_STORAGE:-$(user_id)}" | sed 's/:/%3A/g') #
  s3=${RUNNER_METRICS_ENDPOINT:-${AWS_ENDPOINT_URL_S3:-${AWS_ENDPOINT_URL-}}} #
  case $s3:$bucket in ?*:*) s3=$s3/$bucket ;; *.*) s3=https://s3.$region.$domain/$bucket ;; *) s3=https://$bucket.s3.$region.$domain ;; esac #
  plain "$key" "$secret" "$bucket" "$region" "$storage" "$s3" "${RUNNER_METRICS_FLAVOR-}" || return #
  printf 'url = "%s/runners/%s/%s/%s"\nrequest = "PUT"\ndata-raw = "%s\\n"\n' "$s3" "$RUNNER_METRICS_FLAVOR" "$storage" $file "$start" #
  printf 'header = "%s"\n' 'If-None-Match: *' 'Content-Type: text/plain' 'x-amz-content-sha256: UNSIGNED-PAYLOAD' #
  sign s3 #
} #
sign() { #
  if plain "$token"; then printf 'header = "x-amz-security-token: %s"\n' "$token"; fi #
  printf 'user = "%s:%s"\naws-sigv4 = "aws:amz:%s:%s"\n' "$key" "$secret" "$region" "$1" #
} #
user_id() { #
  sts=${AWS_ENDPOINT_URL_STS:-${AWS_ENDPOINT_URL:-https://sts.$region.$domain}} && plain "$sts" "$region" || return #
  { printf 'url = "%s/"\ndata = "Action=GetCallerIdentity&Version=2011-06-15"\n' "$sts" && sign sts; } | fetch | value UserId #
} #
from_instance() { #
  host=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}/latest && plain "$host" || return #
  session=$(metadata "$host/api/token" PUT 'X-aws-ec2-metadata-token-ttl-seconds: 60') && plain "$session" || return #
  roles=$host/meta-data/iam/security-credentials/ && role=$(metadata "$roles" GET "X-aws-ec2-metadata-token: $session") #
  plain "$role" && json=$(metadata "$roles$role" GET "X-aws-ec2-metadata-token: $session") || return #
  key=$(echo "$json" | value AccessKeyId) secret=$(echo "$json" | value SecretAccessKey) token=$(echo "$json" | value Token) #
} #
metadata() { printf 'url = "%s"\nrequest = "%s"\nheader = "%s"\nnoproxy = "*"\nmax-time = 1\n' "$@" | fetch -f; } #
value() { tr -d ' \r\n' | sed -n "s|.*[\"<]$1[\">]:*\"*\\([^\"<]*\\).*|\\1|p"; } #
main "$@" #
exit 0 #
