# GitHub's hook on Windows. A hook that fails fails the job.
try { & "$PSScriptRoot\runner-metrics.cmd" job-completed } catch { Write-Host "runner-metrics: job-completed: $_" }
exit 0
