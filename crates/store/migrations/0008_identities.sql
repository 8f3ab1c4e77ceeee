-- Groups, managed policies, boundaries, instance profiles, identity providers, service control
-- policies, and sessions of users.

-- A closed account's credentials are not found any more; its rows stay.
ALTER TABLE accounts ADD COLUMN closed_at BIGINT;
ALTER TABLE accounts ADD COLUMN alias TEXT;
CREATE UNIQUE INDEX accounts_by_alias ON accounts (alias) WHERE alias IS NOT NULL;

-- What an account may do at most, attached by the operator of the host.
CREATE TABLE service_control_policies (
    account TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    policy TEXT NOT NULL REFERENCES policy_versions (id),
    PRIMARY KEY (account, name)
);
-- Every account begins with the one that allows everything.
INSERT INTO policy_versions (id, text) VALUES ('aws-FullAWSAccess',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}');
INSERT INTO service_control_policies (account, name, policy)
    SELECT id, 'FullAWSAccess', 'aws-FullAWSAccess' FROM accounts;

-- The boundary of a user or role is the ARN of a managed policy.
ALTER TABLE users ADD COLUMN boundary TEXT;
ALTER TABLE roles ADD COLUMN boundary TEXT;
CREATE INDEX users_by_boundary ON users (boundary, account) WHERE boundary IS NOT NULL;
CREATE INDEX roles_by_boundary ON roles (boundary, account) WHERE boundary IS NOT NULL;

-- Recorded once a minute at most.
ALTER TABLE access_keys ADD COLUMN last_used_at BIGINT;
ALTER TABLE access_keys ADD COLUMN last_used_region TEXT;
ALTER TABLE access_keys ADD COLUMN last_used_service TEXT;
ALTER TABLE roles ADD COLUMN last_used_at BIGINT;
ALTER TABLE roles ADD COLUMN last_used_region TEXT;

CREATE TABLE user_groups (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    path TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (account, folded_name)
);

CREATE TABLE group_members (
    group_id TEXT NOT NULL REFERENCES user_groups (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_by_user ON group_members (user_id, group_id);

-- The account is empty for the policies of AWS, which every account has.
CREATE TABLE managed_policies (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    path TEXT NOT NULL,
    arn TEXT NOT NULL UNIQUE,
    description TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    default_version BIGINT NOT NULL,
    last_version BIGINT NOT NULL,
    tags TEXT NOT NULL,
    UNIQUE (account, folded_name)
);

CREATE TABLE managed_policy_versions (
    managed_policy TEXT NOT NULL REFERENCES managed_policies (id),
    number BIGINT NOT NULL,
    policy TEXT NOT NULL REFERENCES policy_versions (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (managed_policy, number)
);

-- Of users, groups and roles, by unique id; the account is that of the principal.
CREATE TABLE attached_policies (
    principal TEXT NOT NULL,
    managed_policy TEXT NOT NULL REFERENCES managed_policies (id),
    account TEXT NOT NULL,
    PRIMARY KEY (principal, managed_policy)
);
CREATE INDEX attached_policies_by_policy ON attached_policies (managed_policy, account, principal);

CREATE TABLE instance_profiles (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    path TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    role TEXT REFERENCES roles (id),
    tags TEXT NOT NULL,
    UNIQUE (account, folded_name)
);
CREATE INDEX instance_profiles_by_role ON instance_profiles (role) WHERE role IS NOT NULL;

-- The URL is without its scheme, as ARNs and condition keys have it.
CREATE TABLE oidc_providers (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    url TEXT NOT NULL,
    client_ids TEXT NOT NULL,
    thumbprints TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    tags TEXT NOT NULL,
    UNIQUE (account, url)
);

-- A session is of a role or of a user; which, the unique id of its principal says. A user's is one
-- of GetSessionToken, or federated under a name of its own. What a web identity was is kept as
-- context keys.
ALTER TABLE sessions RENAME COLUMN role TO principal;
ALTER TABLE sessions ADD COLUMN kind TEXT NOT NULL DEFAULT 'role';
ALTER TABLE sessions ADD COLUMN context TEXT NOT NULL DEFAULT '{}';
CREATE INDEX sessions_by_principal ON sessions (principal, expires_at);

-- The policies of AWS that are about a registry, to the letter, each in its current version.
INSERT INTO policy_versions (id, text) VALUES ('aws-AdministratorAccess-v1',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}');
INSERT INTO managed_policies (id, account, name, folded_name, path, arn, description,
    created_at, updated_at, default_version, last_version, tags) VALUES ('ANPA7E7ALMTL67E5SJ2UQ', '', 'AdministratorAccess',
    'administratoraccess', '/',
    'arn:aws:iam::aws:policy/AdministratorAccess',
    'Provides full access to AWS services and resources.',
    1423247986000, 1423247986000, 1, 1, '{}');
INSERT INTO managed_policy_versions (managed_policy, number, policy, created_at)
    VALUES ('ANPA7E7ALMTL67E5SJ2UQ', 1, 'aws-AdministratorAccess-v1', 1423247986000);
INSERT INTO policy_versions (id, text) VALUES ('aws-IAMFullAccess-v2',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","organizations:DescribeAccount","organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit","organizations:DescribePolicy","organizations:ListChildren","organizations:ListParents","organizations:ListPoliciesForTarget","organizations:ListRoots","organizations:ListPolicies","organizations:ListTargetsForPolicy"],"Resource":"*"}]}');
INSERT INTO managed_policies (id, account, name, folded_name, path, arn, description,
    created_at, updated_at, default_version, last_version, tags) VALUES ('ANPA3TZ3DLWNZDHCZMM2K', '', 'IAMFullAccess',
    'iamfullaccess', '/',
    'arn:aws:iam::aws:policy/IAMFullAccess',
    'Provides full access to IAM via the AWS Management Console.',
    1423248038000, 1423248038000, 2, 2, '{}');
INSERT INTO managed_policy_versions (managed_policy, number, policy, created_at)
    VALUES ('ANPA3TZ3DLWNZDHCZMM2K', 2, 'aws-IAMFullAccess-v2', 1423248038000);
INSERT INTO policy_versions (id, text) VALUES ('aws-AmazonEC2ContainerRegistryFullAccess-v3',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:*","cloudtrail:LookupEvents"],"Resource":"*"},{"Effect":"Allow","Action":["iam:CreateServiceLinkedRole"],"Resource":"*","Condition":{"StringEquals":{"iam:AWSServiceName":["replication.ecr.amazonaws.com"]}}}]}');
INSERT INTO managed_policies (id, account, name, folded_name, path, arn, description,
    created_at, updated_at, default_version, last_version, tags) VALUES ('ANPA5ZO5M5W7KB7473T3K', '', 'AmazonEC2ContainerRegistryFullAccess',
    'amazonec2containerregistryfullaccess', '/',
    'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess',
    'Provides administrative access to Amazon ECR resources',
    1450717608000, 1450717608000, 3, 3, '{}');
INSERT INTO managed_policy_versions (managed_policy, number, policy, created_at)
    VALUES ('ANPA5ZO5M5W7KB7473T3K', 3, 'aws-AmazonEC2ContainerRegistryFullAccess-v3', 1450717608000);
INSERT INTO policy_versions (id, text) VALUES ('aws-AmazonEC2ContainerRegistryPowerUser-v3',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:GetRepositoryPolicy","ecr:DescribeRepositories","ecr:ListImages","ecr:DescribeImages","ecr:BatchGetImage","ecr:GetLifecyclePolicy","ecr:GetLifecyclePolicyPreview","ecr:ListTagsForResource","ecr:DescribeImageScanFindings","ecr:InitiateLayerUpload","ecr:UploadLayerPart","ecr:CompleteLayerUpload","ecr:PutImage"],"Resource":"*"}]}');
INSERT INTO managed_policies (id, account, name, folded_name, path, arn, description,
    created_at, updated_at, default_version, last_version, tags) VALUES ('ANPAXS4S2QMAJL46LJOSV', '', 'AmazonEC2ContainerRegistryPowerUser',
    'amazonec2containerregistrypoweruser', '/',
    'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser',
    'Provides full access to Amazon EC2 Container Registry repositories, but does not allow repository deletion or policy changes.',
    1450717533000, 1450717533000, 3, 3, '{}');
INSERT INTO managed_policy_versions (managed_policy, number, policy, created_at)
    VALUES ('ANPAXS4S2QMAJL46LJOSV', 3, 'aws-AmazonEC2ContainerRegistryPowerUser-v3', 1450717533000);
INSERT INTO policy_versions (id, text) VALUES ('aws-AmazonEC2ContainerRegistryReadOnly-v3',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:GetRepositoryPolicy","ecr:DescribeRepositories","ecr:ListImages","ecr:DescribeImages","ecr:BatchGetImage","ecr:GetLifecyclePolicy","ecr:GetLifecyclePolicyPreview","ecr:ListTagsForResource","ecr:DescribeImageScanFindings"],"Resource":"*"}]}');
INSERT INTO managed_policies (id, account, name, folded_name, path, arn, description,
    created_at, updated_at, default_version, last_version, tags) VALUES ('ANPAQNZMUDUIZZVIZVUIH', '', 'AmazonEC2ContainerRegistryReadOnly',
    'amazonec2containerregistryreadonly', '/',
    'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly',
    'Provides read-only access to Amazon EC2 Container Registry repositories.',
    1450717455000, 1450717455000, 3, 3, '{}');
INSERT INTO managed_policy_versions (managed_policy, number, policy, created_at)
    VALUES ('ANPAQNZMUDUIZZVIZVUIH', 3, 'aws-AmazonEC2ContainerRegistryReadOnly-v3', 1450717455000);
INSERT INTO policy_versions (id, text) VALUES ('aws-AmazonEC2ContainerRegistryPullOnly-v1',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:BatchImportUpstreamImage"],"Resource":"*"}]}');
INSERT INTO managed_policies (id, account, name, folded_name, path, arn, description,
    created_at, updated_at, default_version, last_version, tags) VALUES ('ANPAENJCQFPSOIDTGGRMH', '', 'AmazonEC2ContainerRegistryPullOnly',
    'amazonec2containerregistrypullonly', '/',
    'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly',
    'Provides pull access to Amazon EC2 Container Registry repositories.',
    1728061129000, 1728061129000, 1, 1, '{}');
INSERT INTO managed_policy_versions (managed_policy, number, policy, created_at)
    VALUES ('ANPAENJCQFPSOIDTGGRMH', 1, 'aws-AmazonEC2ContainerRegistryPullOnly-v1', 1728061129000);
INSERT INTO policy_versions (id, text) VALUES ('aws-ECRReplicationServiceRolePolicy-v1',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:CreateRepository","ecr:ReplicateImage"],"Resource":"*"}]}');
INSERT INTO managed_policies (id, account, name, folded_name, path, arn, description,
    created_at, updated_at, default_version, last_version, tags) VALUES ('ANPA5UMFF4LDR4P2D5GMW', '', 'ECRReplicationServiceRolePolicy',
    'ecrreplicationservicerolepolicy', '/aws-service-role/',
    'arn:aws:iam::aws:policy/aws-service-role/ECRReplicationServiceRolePolicy',
    'Enables access to AWS services and resources used or managed by Amazon ECR replication',
    1607119888000, 1607119888000, 1, 1, '{}');
INSERT INTO managed_policy_versions (managed_policy, number, policy, created_at)
    VALUES ('ANPA5UMFF4LDR4P2D5GMW', 1, 'aws-ECRReplicationServiceRolePolicy-v1', 1607119888000);
INSERT INTO policy_versions (id, text) VALUES ('aws-AWSECRPullThroughCache_ServiceRolePolicy-v2',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:InitiateLayerUpload","ecr:UploadLayerPart","ecr:CompleteLayerUpload","ecr:PutImage"],"Resource":"*","Sid":"ECR"},{"Effect":"Allow","Action":["secretsmanager:GetSecretValue"],"Resource":"arn:aws:secretsmanager:*:*:secret:ecr-pullthroughcache/*","Sid":"SecretsManager","Condition":{"StringEquals":{"aws:ResourceAccount":"${aws:PrincipalAccount}"}}}]}');
INSERT INTO managed_policies (id, account, name, folded_name, path, arn, description,
    created_at, updated_at, default_version, last_version, tags) VALUES ('ANPA562AS6HFIKO6W23NV', '', 'AWSECRPullThroughCache_ServiceRolePolicy',
    'awsecrpullthroughcache_servicerolepolicy', '/aws-service-role/',
    'arn:aws:iam::aws:policy/aws-service-role/AWSECRPullThroughCache_ServiceRolePolicy',
    'Enables access to AWS services and resources used or managed by AWS ECR Pull Through Cache',
    1637963520000, 1637963520000, 2, 2, '{}');
INSERT INTO managed_policy_versions (managed_policy, number, policy, created_at)
    VALUES ('ANPA562AS6HFIKO6W23NV', 2, 'aws-AWSECRPullThroughCache_ServiceRolePolicy-v2', 1637963520000);
INSERT INTO policy_versions (id, text) VALUES ('aws-ECRTemplateServiceRolePolicy-v1',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:CreateRepository"],"Resource":"*","Sid":"CreateRepositoryWithTemplate"}]}');
INSERT INTO managed_policies (id, account, name, folded_name, path, arn, description,
    created_at, updated_at, default_version, last_version, tags) VALUES ('ANPAPNVSZDKE5YTDE7NLT', '', 'ECRTemplateServiceRolePolicy',
    'ecrtemplateservicerolepolicy', '/aws-service-role/',
    'arn:aws:iam::aws:policy/aws-service-role/ECRTemplateServiceRolePolicy',
    'Allows actions to be performed when using AWS ECR repository creation templates',
    1718838697000, 1718838697000, 1, 1, '{}');
INSERT INTO managed_policy_versions (managed_policy, number, policy, created_at)
    VALUES ('ANPAPNVSZDKE5YTDE7NLT', 1, 'aws-ECRTemplateServiceRolePolicy-v1', 1718838697000);
