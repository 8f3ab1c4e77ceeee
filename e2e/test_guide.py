"""The pages of the guide that need no container engine, run as they are written."""

import socket
from pathlib import Path

import pytest

from guide import GUIDE, PAGES, WITH_ENGINES, Page


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_true(name: str, tmp_path: Path) -> None:
    Page.read(name).run(tmp_path / "home", free_port())


def test_every_page_is_run_somewhere() -> None:
    pages = {path.name for path in GUIDE.glob("*.md")} - {"README.md"}
    assert pages == {*PAGES, *WITH_ENGINES}
