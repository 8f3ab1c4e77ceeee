terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "url" {}
variable "key" {}
variable "secret" {}
provider "aws" {
  region                      = "us-east-1"
  access_key                  = var.key
  secret_key                  = var.secret
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  endpoints {
    ecr = var.url
    iam = var.url
    sts = var.url
  }
}
data "aws_caller_identity" "me" {}
data "aws_ecr_authorization_token" "me" {}
resource "aws_ecr_repository" "app" {
  name                 = "team-a/prod/app"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = true
  image_scanning_configuration {
    scan_on_push = true
  }
  encryption_configuration {
    encryption_type = "AES256"
  }
  tags = { team = "a" }
}
resource "aws_ecr_repository" "base" {
  name = "team-a/base"
}
data "aws_ecr_repository" "base" { name = aws_ecr_repository.base.name }
resource "aws_ecr_registry_scanning_configuration" "all" {
  scan_type = "BASIC"
  rule {
    scan_frequency = "SCAN_ON_PUSH"
    repository_filter {
      filter      = "*"
      filter_type = "WILDCARD"
    }
  }
}
resource "aws_ecr_repository_policy" "app" {
  repository = aws_ecr_repository.app.name
  policy     = jsonencode({ Version = "2012-10-17", Statement = [{ Sid = "X", Effect = "Allow", Principal = { AWS = aws_iam_role.exec.arn }, Action = ["ecr:BatchGetImage"] }] })
}
resource "aws_iam_user" "ci" {
  name                 = "ci"
  path                 = "/machines/"
  force_destroy        = true
  permissions_boundary = aws_iam_policy.pull.arn
  tags                 = { team = "a" }
}
resource "aws_iam_access_key" "ci" { user = aws_iam_user.ci.name }
resource "aws_iam_group" "devs" { name = "devs" }
resource "aws_iam_user_group_membership" "ci" {
  user   = aws_iam_user.ci.name
  groups = [aws_iam_group.devs.name]
}
resource "aws_iam_policy" "pull" {
  name        = "pull"
  description = "pulls"
  policy      = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["ecr:BatchGetImage"], Resource = "*" }] })
  tags        = { team = "a" }
}
resource "aws_iam_user_policy_attachment" "ci" {
  user       = aws_iam_user.ci.name
  policy_arn = aws_iam_policy.pull.arn
}
resource "aws_iam_group_policy_attachment" "devs" {
  group      = aws_iam_group.devs.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
}
resource "aws_iam_user_policy" "ci" {
  user   = aws_iam_user.ci.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = "*" }] })
}
resource "aws_iam_role" "exec" {
  name               = "ecsTaskExecutionRole"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "ecs-tasks.amazonaws.com" }, Action = "sts:AssumeRole" }] })
  tags               = { team = "a" }
}
resource "aws_iam_role" "trusting" {
  name               = "trusting"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { AWS = aws_iam_user.ci.arn }, Action = "sts:AssumeRole" }] })
}
resource "aws_iam_role_policy" "exec" {
  role   = aws_iam_role.exec.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["ecr:*"], Resource = "*" }] })
}
resource "aws_iam_role_policy_attachment" "exec" {
  role       = aws_iam_role.exec.name
  policy_arn = aws_iam_policy.pull.arn
}
resource "aws_iam_instance_profile" "node" {
  name = "node"
  role = aws_iam_role.exec.name
}
resource "aws_iam_openid_connect_provider" "gitlab" {
  url            = "https://gitlab.example.com"
  client_id_list = ["sts.amazonaws.com"]
}
resource "aws_iam_account_alias" "me" { account_alias = "bonded-test" }
resource "aws_iam_service_specific_credential" "ci" {
  service_name = "ecr.amazonaws.com"
  user_name    = aws_iam_user.ci.name
}
