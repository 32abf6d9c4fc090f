# An ephemeral fleet of https://github.com/github-aws-runners/terraform-aws-github-runner, and the stack that collects its metrics.
# The instance's name in the bucket is its aws:userid. At GitHub the module names runners by runner_name_prefix and the instance's id: both
# names agree if the prefix is empty, which is the default. The stack records how instances end: a runner whose instance was
# terminated is found two minutes later, with the cause.

data "aws_region" "current" {}

module "metrics" {
  source = "../.."

  # gh release download v0.1.0 --dir release && (cd release && sha256sum --check SHA256SUMS)
  release_directory = "${path.root}/release"
  release_version   = "0.1.0"
  code_bucket       = "my-artifacts"
  flavors           = ["large"]

  # Queue times and conclusions of jobs. Fill in the secret of the output github_secret_arn.
  github = { owners = ["acme"], runners = "acme" }
}

locals {
  metrics_settings = <<-CONF
    RUNNER_METRICS_BUCKET=${module.metrics.bucket_name}
    RUNNER_METRICS_FLAVOR=large
    RUNNER_METRICS_REGION=${data.aws_region.current.id}
    RUNNER_METRICS_RUNNER=/opt/actions-runner
    RUNNER_METRICS_SPOOL=/var/lib/runner-metrics
  CONF
}

module "runners" {
  source = "github-aws-runners/github-runner/aws"
  # … your own settings …
  enable_ephemeral_runners = true

  runner_iam_role_managed_policy_arns = module.metrics.runner_iam_role_managed_policy_arns["large"]

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
