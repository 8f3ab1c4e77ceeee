"""The pages of the guide that need no container engine, run as they are written."""

import re
import socket
from pathlib import Path

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


def test_every_block_of_yaml_is_yaml() -> None:
    blocks = [
        (page.name, block)
        for page in GUIDE.glob("*.md")
        for block in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    ]
    assert blocks, "the pages on CI and Kubernetes have some"
    for name, block in blocks:
        assert isinstance(yaml.safe_load(block), dict), f"{name}: {block}"


def test_every_page_is_run_somewhere() -> None:
    pages = {path.name for path in GUIDE.glob("*.md")} - {"README.md"}
    assert pages == {*PAGES, *WITH_ENGINES}
