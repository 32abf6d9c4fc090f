#!/bin/sh
# User data of an EC2 instance that is a runner for one job. Give the instance the stack's instance profile for the flavor. Its name in the
# bucket is then its aws:userid, which needs no setting. Its name at GitHub has to be what follows the colon there: the instance's id.
begun=$(date +%s)
bucket=METRICS_BUCKET flavor=large region=eu-central-1
archive=https://github.com/OWNER/runner-metrics/releases/download/v0.1.0/runner-metrics-runner-0.1.0.tar.gz
sum=SHA256_OF_THE_ARCHIVE # in the release's SHA256SUMS
user=runner runner=/opt/actions-runner

install_metrics() (
  mkdir -p /opt/runner-metrics && cd /opt/runner-metrics || exit
  curl -fsSL --retry 3 -o runner.tar.gz "$archive" || exit
  echo "$sum  runner.tar.gz" | sha256sum -c --status || exit
  tar -xzof runner.tar.gz && printf '%s\n' "RUNNER_METRICS_BUCKET=$bucket" \
    "RUNNER_METRICS_FLAVOR=$flavor" "RUNNER_METRICS_REGION=$region" "RUNNER_METRICS_RUNNER=$runner" \
    RUNNER_METRICS_SPOOL=/var/lib/runner-metrics >runner-metrics.conf
)

id "$user" >/dev/null 2>&1 || useradd --create-home "$user"
install -d -m 700 -o "$user" /var/lib/runner-metrics
metrics= # without verified files the runner runs without metrics
if install_metrics; then metrics='/bin/sh /opt/runner-metrics/runner-metrics.sh run --'; fi
# Every step runs as the user that runs the jobs: the spool belongs to that user.
if [ -n "$metrics" ]; then runuser -u "$user" -- /bin/sh /opt/runner-metrics/installation-start.sh "$begun"; fi

# … install the runner into $runner and get its just-in-time configuration into $jit_config, by the name that
# /var/lib/cloud/data/instance-id has …

cd "$runner" || exit
# shellcheck disable=SC2086
runuser -u "$user" -- $metrics ./run.sh --jitconfig "${jit_config-}"
shutdown -h now
