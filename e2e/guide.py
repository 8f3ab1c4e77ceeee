"""Runs the pages of docs/guide as a reader would: each block of `sh` in one shell, in order.

A block of `text` behind one of `sh` is what that printed, with … for what differs each time. Ports and directories are
the test's own: `5000` in `localhost:5000` is replaced, and HOME is empty.
"""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from server import BINARY, ROOT, clean_environment

GUIDE = ROOT / "docs" / "guide"
# Pages that need nothing but the AWS CLI, for e2e/test_guide.py; and those that need docker, for
# e2e/clients/test_guide_with_docker.py.
PAGES = ["air-gapped.md", "backup.md", "ci.md", "service-tokens.md"]
WITH_ENGINES = [
    "first-ten-minutes.md",
    "cross-account.md",
    "teams-and-environments.md",
    "scan-and-gate.md",
    "kubernetes.md",
]
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "end of the block"


@dataclass
class Block:
    line: int
    commands: str
    output: str | None = None


@dataclass
class Page:
    """What a reader does at one page."""

    path: Path
    blocks: list[Block] = field(default_factory=list)

    @classmethod
    def read(cls, name: str) -> "Page":
        page = cls(GUIDE / name)
        text = page.path.read_text()
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if match[1] == "sh":
                page.blocks.append(Block(line, match[2]))
            else:
                assert page.blocks and page.blocks[-1].output is None, f"{name}:{line} is the output of nothing"
                page.blocks[-1].output = match[2]
        assert page.blocks, f"{name} has nothing to run"
        return page

    def run(self, home: Path, port: int, environment: dict[str, str] | None = None) -> None:
        """Runs all blocks; the first that fails or prints something else ends it."""
        bin = home / "bin"
        bin.mkdir(parents=True)
        (bin / "bonded").symlink_to(BINARY)
        (bin / "aws").symlink_to(Path(sys.executable).with_name("aws"))
        settings = clean_environment() | {"HOME": str(home), "BONDED_LISTEN": f"127.0.0.1:{port}"}
        settings["PATH"] = f"{bin}:{settings['PATH']}"
        settings.pop("XDG_CONFIG_HOME", None)
        for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]:
            settings.pop(name)
        shell = subprocess.Popen(
            ["bash", "--norc", "-euo", "pipefail"],
            cwd=home,
            env=settings | (environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert shell.stdin is not None and shell.stdout is not None
        try:
            shell.stdin.write("trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n")
            for block in self.blocks:
                where = f"{self.path.name}:{block.line}"
                shell.stdin.write(block.commands.replace("localhost:5000", f"localhost:{port}"))
                shell.stdin.write(f"\necho '{END}'\n")
                shell.stdin.flush()
                said = self._until_end(shell, where)
                if block.output is not None:
                    expected = block.output.replace("localhost:5000", f"localhost:{port}")
                    assert matches(expected, said), f"{where} is said to print\n{expected}\nand printed\n{said}"
        finally:
            shell.stdin.close()
            shell.wait(60)

    @staticmethod
    def _until_end(shell: "subprocess.Popen[str]", where: str) -> str:
        said = []
        assert shell.stdout is not None
        for line in shell.stdout:
            if line.rstrip("\n") == END:
                return "".join(said)
            said.append(line)
        raise AssertionError(f"{where} failed:\n{''.join(said)}")


def matches(expected: str, said: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, said.strip(), re.DOTALL) is not None
