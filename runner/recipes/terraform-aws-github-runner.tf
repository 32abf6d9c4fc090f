# For ephemeral Linux runners of https://github.com/github-aws-runners/terraform-aws-github-runner.
# The instance's name in the bucket is its aws:userid, which needs no setting. At GitHub the module names runners by
# runner_name_prefix and the instance's id: both names agree if the prefix is empty, which is the default.
# The stack of the Terraform module records why a runner died whose instance was terminated. Without it such a runner is found only by
# its silence, after orphanAfterSeconds, and the cause is unknown. See docs/use/ec2.md.

locals {
  metrics_settings = <<-CONF
    RUNNER_METRICS_BUCKET=METRICS_BUCKET
    RUNNER_METRICS_FLAVOR=large
    RUNNER_METRICS_REGION=eu-central-1
    RUNNER_METRICS_RUNNER=/opt/actions-runner
    RUNNER_METRICS_SPOOL=/var/lib/runner-metrics
  CONF
}

module "runners" {
  source = "github-aws-runners/github-runner/aws"
  # … your own settings …
  enable_ephemeral_runners = true

  # The stack's InstancePolicy of the flavor.
  runner_iam_role_managed_policy_arns = ["arn:aws:iam::111122223333:policy/INSTANCE_POLICY"]

  userdata_pre_install = <<-SH
    date +%s >/run/runner-metrics-begun
  SH

  userdata_post_install = <<-SH
    (
      mkdir -p /opt/runner-metrics && cd /opt/runner-metrics || exit
      # The release's SHA256SUMS has the sum of the archive.
      archive=https://github.com/OWNER/runner-metrics/releases/download/v0.1.0/runner-metrics-runner-0.1.0.tar.gz
      curl -fsSL --retry 3 -o runner.tar.gz "$archive" || exit
      echo "SHA256_OF_THE_ARCHIVE  runner.tar.gz" | sha256sum -c --status || exit
      tar -xzof runner.tar.gz || exit
      echo '${base64encode(local.metrics_settings)}' | base64 -d >runner-metrics.conf
      mkdir -p -m 700 /var/lib/runner-metrics && chown "$user_name" /var/lib/runner-metrics
      sudo -u "$user_name" /bin/sh /opt/runner-metrics/installation-start.sh "$(cat /run/runner-metrics-begun)"
      # The module starts run.sh: put `run` around GitHub's own.
      cd /opt/actions-runner && mv run.sh run-github.sh || exit
      run='exec /bin/sh /opt/runner-metrics/runner-metrics.sh run -- /opt/actions-runner/run-github.sh "$@"'
      printf '%s\n' '#!/bin/sh' "$run" >run.sh && chmod 755 run.sh
    ) || echo 'no metrics of this runner'
  SH

  # `run` sets the hooks. If you have hooks of your own here, add these lines to them.
  runner_hook_job_started   = "/bin/sh /opt/runner-metrics/runner-metrics.sh job-started || true"
  runner_hook_job_completed = "/bin/sh /opt/runner-metrics/runner-metrics.sh job-completed || true"
}
