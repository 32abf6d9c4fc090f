# For ephemeral Linux runners of https://github.com/github-aws-runners/terraform-aws-github-runner.
# The instance's name in the bucket is its aws:userid, which needs no setting. At GitHub the module names runners by
# runner_name_prefix and the instance's id: the two agree where the prefix is empty, as it is by default.

locals {
  metrics_settings = <<-CONF
    RUNNER_METRICS_BUCKET=METRICS_BUCKET
    RUNNER_METRICS_FLAVOR=large
    RUNNER_METRICS_REGION=eu-central-1
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
      for file in runner-metrics.sh job-started.sh job-completed.sh wrap-run.sh; do
        curl -fsS --retry 3 -O "https://YOUR_MIRROR/runner-metrics/$file" || exit
      done
      echo '${base64encode(local.metrics_settings)}' | base64 -d >runner-metrics.conf
      mkdir -p -m 700 /var/lib/runner-metrics && chown "$user_name" /var/lib/runner-metrics
      sudo -u "$user_name" sh runner-metrics.sh installation-start "$(cat /run/runner-metrics-begun)"
      sh wrap-run.sh /opt/actions-runner
    ) || echo 'no metrics of this runner'
  SH

  # wrap-run.sh sets the hooks. Where you have hooks of your own here, add these lines to them.
  runner_hook_job_started   = "sh /opt/runner-metrics/runner-metrics.sh job-started || true"
  runner_hook_job_completed = "sh /opt/runner-metrics/runner-metrics.sh job-completed || true"
}
