# GitHub's hook on Windows. A hook that fails fails the job.
try { & "$PSScriptRoot\runner-metrics.cmd" job-started } catch { Write-Host "runner-metrics: job-started: $_" }
exit 0
