variable "release_directory" {
  description = "Folder with the files of one release, downloaded and verified with SHA256SUMS."
  type        = string
}

variable "release_version" {
  description = "Version of that release, such as 0.1.0. It is part of the name of the function's zip file."
  type        = string

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?$", var.release_version))
    error_message = "A version is MAJOR.MINOR.PATCH, without v."
  }
}

variable "code_bucket" {
  description = "Bucket in the same region for the function's zip file and the template. Not the bucket of the metrics."
  type        = string
}

variable "name" {
  description = "Name of the CloudFormation stack, and CloudWatch's namespace of the metrics."
  type        = string
  default     = "RunnerMetrics"
}

variable "flavors" {
  description = "Flavors of runners, 1 to 5. Append new ones at the end: another order replaces the policies and roles of the flavors that move."
  type        = list(string)

  validation {
    condition     = length(var.flavors) >= 1 && length(var.flavors) <= 5 && length(distinct(var.flavors)) == length(var.flavors)
    error_message = "There must be 1 to 5 flavors, all different."
  }

  validation {
    condition     = alltrue([for flavor in var.flavors : can(regex("^[a-z0-9][a-z0-9-]{0,31}$", flavor))])
    error_message = "A flavor has 1 to 32 lower-case letters, digits and hyphens, and does not begin with a hyphen."
  }
}

variable "orphan_after_seconds" {
  description = "Seconds without an upload after which a runner is presumed dead. Longer than the longest job and the longest wait for a job, unless github.runners is set."
  type        = number
  default     = 86400

  validation {
    condition     = var.orphan_after_seconds >= 3600 && var.orphan_after_seconds < 1209600
    error_message = "At least 3600, and less than the 14 days after which uploads are deleted."
  }
}

variable "alarm_email" {
  description = "Receives all alarms after the link in SNS's first e-mail is confirmed. Empty for nobody."
  type        = string
  default     = ""
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of all roles. Null for none."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket. Null for S3's own keys. Its policy must delegate to the account's IAM."
  type        = string
  default     = null
}

variable "github" {
  description = "Asks GitHub for queue times and conclusions. Null: GitHub is not asked. Only `owners` is required."
  type = object({
    # GitHub is asked only about repositories of these owners.
    owners = list(string)
    # An existing secret with the credentials. By default the stack creates one, to be filled in: output github_secret_arn.
    secret_arn = optional(string, "")
    # Organisation or repository: GitHub is asked which of its runners are online or busy.
    runners = optional(string, "")
    # What happens to a runner that claims a job which GitHub says it did not do: flag or quarantine.
    mismatch = optional(string, "flag")
    api_url  = optional(string, "https://api.github.com")
    # Certificates (PEM) of the private authority that signed Enterprise Server's certificate.
    ca_certificates = optional(string, "")
  })
  default = null

  validation {
    condition     = var.github == null ? true : length(var.github.owners) > 0
    error_message = "At least one owner. Without GitHub, github is null."
  }
}

variable "tags" {
  description = "Tags of the stack and of all that it creates."
  type        = map(string)
  default     = {}
}
