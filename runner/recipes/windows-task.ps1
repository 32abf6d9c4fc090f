# A persistent runner on Windows as a scheduled task, which starts with the machine. Run it as an administrator, once, when the runner is configured.
# Settings, with RUNNER_METRICS_JOBS_PER_RUNNER=many, are in C:\runner-metrics\runner-metrics.conf. The task runs as a user without
# administrator's rights that may write to the spool and to the runner's directory.
param(
  [string]$Runner = 'C:\actions-runner',
  [string]$Metrics = 'C:\runner-metrics',
  [Parameter(Mandatory)][pscredential]$Credential
)
$ErrorActionPreference = 'Stop'
$action = New-ScheduledTaskAction -Execute "$Metrics\runner-metrics.cmd" -Argument "run -- `"$Runner\run.cmd`"" -WorkingDirectory $Runner
$trigger = New-ScheduledTaskTrigger -AtStartup
# A task is stopped after three days by default.
$settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit ([TimeSpan]::Zero) -RestartCount 999 -RestartInterval (New-TimeSpan -Minutes 1)
Register-ScheduledTask -TaskName 'GitHub runner' -Action $action -Trigger $trigger -Settings $settings `
  -User $Credential.UserName -Password $Credential.GetNetworkCredential().Password
