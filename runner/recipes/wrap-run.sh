#!/bin/sh
# Puts `runner-metrics.sh run` around the run.sh of a runner that is started by something you can't change:
#   wrap-run.sh /opt/actions-runner
# If the collector asks GitHub, the runner's name there has to be its storage's: see docs/use/runner.md.
set -eu
if [ ! -e "$1/run-github.sh" ]; then mv "$1/run.sh" "$1/run-github.sh"; fi
cat >"$1/run.sh" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
if [ ! -r /opt/runner-metrics/runner-metrics.sh ]; then exec "$here/run-github.sh" "$@"; fi
export RUNNER_METRICS_RUNNER="$here"
exec /bin/sh /opt/runner-metrics/runner-metrics.sh run -- "$here/run-github.sh" "$@"
END
chmod 755 "$1/run.sh"
