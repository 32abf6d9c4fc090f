locals {
  flavor_count = length(var.flavors)
  template     = "${var.release_directory}/runner-metrics-${local.flavor_count}-flavor${local.flavor_count == 1 ? "" : "s"}.template.json"
  lambda_zip   = "${var.release_directory}/runner-metrics-lambda-${var.release_version}.zip"
}

data "aws_s3_bucket" "code" {
  bucket = var.code_bucket
}

# CloudFormation updates a function or a stack only if the key or the URL changes, so both have the hash of the content.
resource "aws_s3_object" "code" {
  bucket = var.code_bucket
  key    = "${var.name}/${filesha256(local.lambda_zip)}/lambda.zip"
  source = local.lambda_zip
  tags   = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_s3_object" "template" {
  bucket       = var.code_bucket
  key          = "${var.name}/${filesha256(local.template)}/template.json"
  source       = local.template
  content_type = "application/json"
  tags         = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudformation_stack" "this" {
  name         = var.name
  template_url = "https://${data.aws_s3_bucket.code.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM"]
  tags         = var.tags

  parameters = merge(
    {
      CodeBucket             = aws_s3_object.code.bucket
      CodeKey                = aws_s3_object.code.key
      OrphanAfterSeconds     = tostring(var.orphan_after_seconds)
      AlarmEmail             = var.alarm_email
      PermissionsBoundaryArn = var.permissions_boundary == null ? "" : var.permissions_boundary
      KmsKeyArn              = var.kms_key_arn == null ? "" : var.kms_key_arn
    },
    { for index, flavor in var.flavors : "Flavor${index + 1}" => flavor },
    var.github == null ? {} : {
      GithubOwners         = join(",", var.github.owners)
      GithubSecretArn      = var.github.secret_arn
      GithubRunners        = var.github.runners
      GithubMismatch       = var.github.mismatch
      GithubApiUrl         = var.github.api_url
      GithubCaCertificates = var.github.ca_certificates
    },
  )
}
