output "bucket_name" {
  description = "The runners' RUNNER_METRICS_BUCKET."
  value       = aws_cloudformation_stack.this.outputs["BucketName"]
}

output "event_bus_name" {
  description = "The event bus for your rules."
  value       = aws_cloudformation_stack.this.outputs["EventBusName"]
}

output "event_log_group_name" {
  description = "The log group with all events."
  value       = aws_cloudformation_stack.this.outputs["EventLogGroupName"]
}

output "function_name" {
  description = "The Lambda function that collects the metrics."
  value       = aws_cloudformation_stack.this.outputs["FunctionName"]
}

output "alarm_topic_arn" {
  description = "The SNS topic of all alarms."
  value       = aws_cloudformation_stack.this.outputs["AlarmTopicArn"]
}

output "metrics_namespace" {
  description = "CloudWatch's namespace of all metrics."
  value       = aws_cloudformation_stack.this.outputs["MetricsNamespace"]
}

output "dashboard_url" {
  description = "The CloudWatch dashboard."
  value       = aws_cloudformation_stack.this.outputs["DashboardUrl"]
}

output "github_secret_arn" {
  description = "The secret with the credentials for GitHub. Null without GitHub."
  value       = var.github == null ? null : aws_cloudformation_stack.this.outputs["GithubSecretArn"]
}

output "runner_iam_role_managed_policy_arns" {
  description = "For each flavor, the policy for its EC2 runners: the input of this name of terraform-aws-github-runner."
  value = {
    for index, flavor in var.flavors :
    flavor => [aws_cloudformation_stack.this.outputs["Flavor${index + 1}InstancePolicyArn"]]
  }
}

output "instance_profile_names" {
  description = "For each flavor, an instance profile with that policy, for instances that have no role of their own."
  value = {
    for index, flavor in var.flavors :
    flavor => aws_cloudformation_stack.this.outputs["Flavor${index + 1}InstanceProfileName"]
  }
}

output "session_policy_arns" {
  description = "For each flavor, the policy of a role that is assumed with the session tag RunnerStorage."
  value = {
    for index, flavor in var.flavors :
    flavor => aws_cloudformation_stack.this.outputs["Flavor${index + 1}SessionPolicyArn"]
  }
}
