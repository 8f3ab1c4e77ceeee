"""Holds the JSON of commands to docs/reference/command-json.md."""

import re
from typing import Any

from server import ROOT

PAGE = (ROOT / "docs" / "reference" / "command-json.md").read_text()


def assert_members(command: str, answer: dict[str, Any]) -> None:
    """The members are those of the command's row, unless that sends the reader elsewhere."""
    row = re.search(rf"^\| `{command}` \| (.*) \|[^|]*\|$", PAGE, flags=re.MULTILINE)
    assert row, f"docs/reference/command-json.md has no row for '{command}'"
    if re.match(r"What |The |A list of pairs", row[1]):
        return
    # What is inside a member stands in parentheses.
    members = re.findall(r"`([^`]+)`", re.sub(r"\([^)]*\)", "", row[1]))
    assert set(answer) == set(members), "docs/reference/command-json.md says something else"
