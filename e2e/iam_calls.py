"""The smallest valid input of each operation of IAM that is served, with the resource of its check."""

from account import allow, document, grant

PULL_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
KEY = {"AccessKeyId": "AKIA" + "0" * 16}
TOKEN = {"ServiceSpecificCredentialId": "ACCA" + "0" * 17}
NEW_POLICY = {"PolicyDocument": document(allow("*"))}
TRUST = document(grant("*", "sts:AssumeRole"))
TAGS = {"Tags": [{"Key": "k", "Value": "v"}]}
UNTAG = {"TagKeys": ["k"]}
SOURCE = {"PolicySourceArn": "arn:aws:iam::ACCOUNT:user/USER"}
PROVIDER = "oidc-provider/gitlab.example.com"

# USER, GROUP and ROLE stand for names of existing ones, ACCOUNT for the caller's account.
IAM_CALLS: dict[str, tuple[str, dict]] = {
    "CreateUser": ("user/new", {"UserName": "new"}),
    "ListUsers": ("*", {}),
    "CreateGroup": ("group/new", {"GroupName": "new"}),
    "ListGroups": ("*", {}),
    "CreateRole": ("role/new", {"RoleName": "new", "AssumeRolePolicyDocument": TRUST}),
    "ListRoles": ("*", {}),
    "CreatePolicy": ("policy/new", {"PolicyName": "new"} | NEW_POLICY),
    "ListPolicies": ("*", {}),
    "AddUserToGroup": ("group/GROUP", {"GroupName": "GROUP", "UserName": "USER"}),
    "RemoveUserFromGroup": ("group/GROUP", {"GroupName": "GROUP", "UserName": "USER"}),
    "GetAccessKeyLastUsed": ("*", KEY),
    "CreateInstanceProfile": ("instance-profile/new", {"InstanceProfileName": "new"}),
    "ListInstanceProfiles": ("*", {}),
    "CreateServiceLinkedRole": (
        "role/aws-service-role/replication.ecr.amazonaws.com/AWSServiceRoleForECRReplication",
        {"AWSServiceName": "replication.ecr.amazonaws.com"},
    ),
    "DeleteServiceLinkedRole": ("role/ROLE", {"RoleName": "ROLE"}),
    "CreateOpenIDConnectProvider": (PROVIDER, {"Url": "https://gitlab.example.com"}),
    "ListOpenIDConnectProviders": ("*", {}),
    "CreateAccountAlias": ("*", {"AccountAlias": "some-name"}),
    "DeleteAccountAlias": ("*", {"AccountAlias": "some-name"}),
    "ListAccountAliases": ("*", {}),
    "GetAccountSummary": ("*", {}),
    "ListVirtualMFADevices": ("*", {}),
    "GetAccountAuthorizationDetails": ("*", {}),
    "SimulateCustomPolicy": ("*", {"PolicyInputList": [document(allow("*"))], "ActionNames": ["ecr:PutImage"]}),
    "GetContextKeysForCustomPolicy": ("*", {"PolicyInputList": [document(allow("*"))]}),
    "SimulatePrincipalPolicy": ("user/USER", SOURCE | {"ActionNames": ["ecr:PutImage"]}),
    "GetContextKeysForPrincipalPolicy": ("user/USER", SOURCE),
}
IAM_CALLS |= {
    name: ("user/USER", {"UserName": "USER"} | more)
    for name, more in {
        "GetUser": {},
        "ListMFADevices": {},
        "ListSSHPublicKeys": {},
        "ListSigningCertificates": {},
        "ListServiceSpecificCredentials": {},
        "GetLoginProfile": {},
        "DeleteLoginProfile": {},
        "UpdateUser": {},
        "DeleteUser": {},
        "ListGroupsForUser": {},
        "CreateServiceSpecificCredential": {"ServiceName": "ecr.amazonaws.com"},
        "ResetServiceSpecificCredential": TOKEN,
        "UpdateServiceSpecificCredential": TOKEN | {"Status": "Inactive"},
        "DeleteServiceSpecificCredential": TOKEN,
        "CreateAccessKey": {},
        "ListAccessKeys": {},
        "UpdateAccessKey": KEY | {"Status": "Inactive"},
        "DeleteAccessKey": KEY,
    }.items()
}
IAM_CALLS |= {
    name: ("group/GROUP", {"GroupName": "GROUP"} | more)
    for name, more in {"GetGroup": {}, "UpdateGroup": {}, "DeleteGroup": {}}.items()
}
IAM_CALLS |= {
    name: ("role/ROLE", {"RoleName": "ROLE"} | more)
    for name, more in {
        "GetRole": {},
        "UpdateRole": {},
        "UpdateRoleDescription": {"Description": "builds"},
        "UpdateAssumeRolePolicy": {"PolicyDocument": TRUST},
        "DeleteRole": {},
        "ListInstanceProfilesForRole": {},
    }.items()
}
IAM_CALLS |= {
    name: (f"{kind.lower()}/{kind.upper()}", {f"{kind}Name": kind.upper()} | more)
    for kind in ("User", "Group", "Role")
    for name, more in {
        f"Put{kind}Policy": {"PolicyName": "p"} | NEW_POLICY,
        f"Get{kind}Policy": {"PolicyName": "p"},
        f"Delete{kind}Policy": {"PolicyName": "p"},
        f"List{kind}Policies": {},
        f"Attach{kind}Policy": {"PolicyArn": PULL_ONLY},
        f"Detach{kind}Policy": {"PolicyArn": PULL_ONLY},
        f"ListAttached{kind}Policies": {},
    }.items()
}
IAM_CALLS |= {
    name: (f"{kind.lower()}/{kind.upper()}", {f"{kind}Name": kind.upper()} | more)
    for kind in ("User", "Role")
    for name, more in {
        f"Put{kind}PermissionsBoundary": {"PermissionsBoundary": PULL_ONLY},
        f"Delete{kind}PermissionsBoundary": {},
        f"Tag{kind}": TAGS,
        f"Untag{kind}": UNTAG,
        f"List{kind}Tags": {},
    }.items()
}
IAM_CALLS |= {
    name: ("policy/some", {"PolicyArn": "arn:aws:iam::ACCOUNT:policy/some"} | more)
    for name, more in {
        "GetPolicy": {},
        "DeletePolicy": {},
        "ListEntitiesForPolicy": {},
        "CreatePolicyVersion": NEW_POLICY,
        "GetPolicyVersion": {"VersionId": "v1"},
        "ListPolicyVersions": {},
        "SetDefaultPolicyVersion": {"VersionId": "v1"},
        "DeletePolicyVersion": {"VersionId": "v1"},
        "TagPolicy": TAGS,
        "UntagPolicy": UNTAG,
        "ListPolicyTags": {},
    }.items()
}
IAM_CALLS |= {
    name: ("instance-profile/some", {"InstanceProfileName": "some"} | more)
    for name, more in {
        "GetInstanceProfile": {},
        "AddRoleToInstanceProfile": {"RoleName": "ROLE"},
        "RemoveRoleFromInstanceProfile": {"RoleName": "ROLE"},
        "DeleteInstanceProfile": {},
        "TagInstanceProfile": TAGS,
        "UntagInstanceProfile": UNTAG,
        "ListInstanceProfileTags": {},
    }.items()
}
IAM_CALLS |= {
    name: (PROVIDER, {"OpenIDConnectProviderArn": f"arn:aws:iam::ACCOUNT:{PROVIDER}"} | more)
    for name, more in {
        "GetOpenIDConnectProvider": {},
        "DeleteOpenIDConnectProvider": {},
        "AddClientIDToOpenIDConnectProvider": {"ClientID": "ci"},
        "RemoveClientIDFromOpenIDConnectProvider": {"ClientID": "ci"},
        "UpdateOpenIDConnectProviderThumbprint": {"ThumbprintList": ["0" * 40]},
        "TagOpenIDConnectProvider": TAGS,
        "UntagOpenIDConnectProvider": UNTAG,
        "ListOpenIDConnectProviderTags": {},
    }.items()
}


def iam_call(name: str, **placeholders: str) -> tuple[str, dict]:
    """The resource and the input of an operation with real names for `USER`, `GROUP`, `ROLE` and `ACCOUNT`."""
    resource, parameters = IAM_CALLS[name]
    for placeholder, value in placeholders.items():
        resource = resource.replace(placeholder, value)
        parameters = {k: v.replace(placeholder, value) if isinstance(v, str) else v for k, v in parameters.items()}
    return resource, parameters
