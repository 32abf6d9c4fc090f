#!/bin/sh
# User data of an EC2 instance that is a runner for one job. Give the instance the stack's instance profile for the flavor:
# its name in the bucket is then its aws:userid, which needs no setting, and its name at GitHub has to be what follows the
# colon there: the instance's id. Better still, bake the scripts into the image.
begun=$(date +%s)
bucket=METRICS_BUCKET flavor=large region=eu-central-1
scripts=https://YOUR_MIRROR/runner-metrics # the files of runner/
user=runner runner=/opt/actions-runner

mkdir -p /opt/runner-metrics
for file in runner-metrics.sh job-started.sh job-completed.sh; do
  [ -s "/opt/runner-metrics/$file" ] || curl -fsS --retry 3 -o "/opt/runner-metrics/$file" "$scripts/$file"
done
cat >/opt/runner-metrics/runner-metrics.conf <<END
RUNNER_METRICS_BUCKET=$bucket
RUNNER_METRICS_FLAVOR=$flavor
RUNNER_METRICS_REGION=$region
RUNNER_METRICS_SPOOL=/var/lib/runner-metrics
END
chmod -R go+rX /opt/runner-metrics

id "$user" >/dev/null 2>&1 || useradd --create-home "$user"
install -d -m 700 -o "$user" /var/lib/runner-metrics
# Every step runs as the user that the job runs as: the spool is that user's.
runuser -u "$user" -- sh /opt/runner-metrics/runner-metrics.sh installation-start "$begun"

# … install the runner into $runner and get its just-in-time configuration into $jit_config, by the name that
# /var/lib/cloud/data/instance-id has …

cd "$runner" || exit
metrics='sh /opt/runner-metrics/runner-metrics.sh run --'
[ -s /opt/runner-metrics/runner-metrics.sh ] || metrics= # no metrics is no reason for no runner
# shellcheck disable=SC2086
runuser -u "$user" -- $metrics ./run.sh --jitconfig "${jit_config-}"
shutdown -h now
