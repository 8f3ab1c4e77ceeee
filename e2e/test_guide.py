"""The pages of the guide that need no container engine, run as they are written."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from guide import GUIDE, PAGES, WITH_ENGINES, Page


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_true(name: str, tmp_path: Path) -> None:
    Page.read(name).run(tmp_path / "home", free_port())


# What the Kubernetes API documents of the objects that the guide shows: a name that ends with [] holds a list of
# objects, one with {} a map whose keys are free. Of kubelet.config.k8s.io, v1, rbac.authorization.k8s.io and
# admissionregistration.k8s.io, as of Kubernetes 1.35.
LABELS = {"matchLabels{}": {}, "matchExpressions[]": {"key": {}, "operator": {}, "values": {}}}
OBJECT = {"metadata": {"name": {}, "namespace": {}, "labels{}": {}, "annotations{}": {}}}
RULES = {"apiGroups": {}, "apiVersions": {}, "operations": {}, "resources": {}, "resourceNames": {}, "scope": {}}
MATCH = {
    "namespaceSelector": LABELS,
    "objectSelector": LABELS,
    "resourceRules[]": RULES,
    "excludeResourceRules[]": RULES,
    "matchPolicy": {},
}
TOKENS = [
    *["serviceAccountTokenAudience", "cacheType", "requireServiceAccount"],
    *["requiredServiceAccountAnnotationKeys", "optionalServiceAccountAnnotationKeys"],
]
PROVIDER = {
    **{name: {} for name in ["name", "matchImages", "defaultCacheDuration", "apiVersion", "args"]},
    "env[]": {"name": {}, "value": {}},
    "tokenAttributes": {name: {} for name in TOKENS},
}
POLICY = {
    "failurePolicy": {},
    "matchConstraints": MATCH,
    "matchConditions[]": {"name": {}, "expression": {}},
    "variables[]": {"name": {}, "expression": {}},
    "validations[]": {"expression": {}, "message": {}, "messageExpression": {}, "reason": {}},
    "auditAnnotations[]": {"key": {}, "valueExpression": {}},
    "paramKind": {"apiVersion": {}, "kind": {}},
}
BINDING = {
    "policyName": {},
    "validationActions": {},
    "matchResources": MATCH,
    "paramRef": {"name": {}, "namespace": {}, "selector": LABELS, "parameterNotFoundAction": {}},
}
SUBJECT = {"apiGroup": {}, "kind": {}, "name": {}, "namespace": {}}
ADMISSION, RBAC = "admissionregistration.k8s.io/v1", "rbac.authorization.k8s.io/v1"
KINDS: dict[tuple[str, str], dict[str, Any]] = {
    ("kubelet.config.k8s.io/v1", "CredentialProviderConfig"): {"providers[]": PROVIDER},
    ("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration"): {"imagePullCredentialsVerificationPolicy": {}},
    ("v1", "ServiceAccount"): OBJECT
    | {"imagePullSecrets[]": {"name": {}}, "secrets[]": {"name": {}}, "automountServiceAccountToken": {}},
    ("v1", "Secret"): OBJECT | {"type": {}, "data{}": {}, "stringData{}": {}, "immutable": {}},
    (RBAC, "ClusterRole"): OBJECT
    | {"rules[]": {"apiGroups": {}, "resources": {}, "resourceNames": {}, "verbs": {}, "nonResourceURLs": {}}},
    (RBAC, "ClusterRoleBinding"): OBJECT | {"roleRef": {"apiGroup": {}, "kind": {}, "name": {}}, "subjects[]": SUBJECT},
    (ADMISSION, "ValidatingAdmissionPolicy"): OBJECT | {"spec": POLICY},
    (ADMISSION, "ValidatingAdmissionPolicyBinding"): OBJECT | {"spec": BINDING},
}


def test_every_block_of_yaml_is_yaml() -> None:
    for name, block in blocks_of_yaml():
        assert isinstance(yaml.safe_load(block), dict), f"{name}: {block}"


def test_objects_of_kubernetes_have_the_fields_that_its_api_documents() -> None:
    seen = set()
    for name, block in blocks_of_yaml():
        found = yaml.safe_load(block)
        kind = found.pop("apiVersion", None), found.pop("kind", None)
        if kind in KINDS:
            seen.add(kind)
            check_fields(found, KINDS[kind], f"{name}: {kind[1]}")
        else:
            assert kind[0] is None or "k8s.io" not in kind[0], f"{name}: {kind} is not in KINDS"
    assert seen == set(KINDS)


def test_a_field_that_is_not_documented_is_found() -> None:
    known = KINDS["kubelet.config.k8s.io/v1", "CredentialProviderConfig"]
    for wrong in ({"provider": []}, {"providers": [{"matchImage": []}]}, {"providers": {"name": "x"}}):
        with pytest.raises(AssertionError):
            check_fields(wrong, known, "wrong")


def blocks_of_yaml() -> list[tuple[str, str]]:
    blocks = [
        (page.name, block)
        for page in GUIDE.glob("*.md")
        for block in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    ]
    assert blocks, "the pages on CI and Kubernetes have some"
    return blocks


def check_fields(found: Any, known: dict[str, Any], where: str) -> None:
    assert isinstance(found, dict), where
    for name, value in found.items():
        inside = f"{where}.{name}"
        if f"{name}{{}}" in known:
            assert all(isinstance(text, str) for text in value.values()), inside
        elif f"{name}[]" in known:
            assert isinstance(value, list), inside
            for entry in value:
                check_fields(entry, known[f"{name}[]"], inside)
        else:
            assert name in known, f"{inside} is not documented; these are: {', '.join(known)}"
            if known[name]:
                check_fields(value, known[name], inside)


def test_every_page_is_run_somewhere() -> None:
    pages = {path.name for path in GUIDE.glob("*.md")} - {"README.md"}
    assert pages == {*PAGES, *WITH_ENGINES}
