"""What is not documented does not exist: every reference page against the code, in both directions.

A page documents a name by a table row whose first cell begins with it, in backticks. A row that names what the code
no longer has is a finding too, once the code has anything of that kind. Not here: how names are found (`truth`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools import truth
from tools.findings import ROOT, Finding, Source
from tools.texts import prose

_ROW: Final = re.compile(r"^\|\s*`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Reference:
    """One page, and the names that the code says it must hold."""

    page: str
    what: str
    names: frozenset[str]


def references(files: list[Source]) -> list[Reference]:
    """Every page with its names, read from the code."""
    apps = [source for source in files if source.path.startswith("src/pierhead/apps/")]
    found = {
        ("errors", "error code"): truth.error_codes(files),
        ("settings", "setting"): truth.settings(),
        ("cli", "command"): truth.commands(),
        ("http", "route"): truth.routes(apps),
        ("audit", "fact"): truth.fact_kinds(),
        ("sdk", "export"): truth.exports(),
        ("metrics", "metric"): truth.metrics(files),
    }
    return [Reference(f"docs/reference/{page}.md", what, frozenset(names)) for (page, what), names in found.items()]


def check_references(all_references: Iterable[Reference], root: Path = ROOT) -> list[Finding]:
    """What is offered and not documented, and what is documented and not offered."""
    return [finding for reference in all_references for finding in _compare(reference, root)]


def _compare(reference: Reference, root: Path) -> list[Finding]:
    file = root / reference.page
    documented = rows(file.read_text(encoding="utf-8")) if file.exists() else {}
    missing = sorted(reference.names - documented.keys())
    gone = sorted(documented.keys() - reference.names) if reference.names else []
    return [Finding(reference.page, 0, f"{reference.what} `{name}` is not documented") for name in missing] + [
        Finding(reference.page, documented[name], f"{reference.what} `{name}` is not in the code") for name in gone
    ]


def rows(text: str) -> dict[str, int]:
    """The names that a page documents, with their lines."""
    return {found[1]: number for number, line in prose(text) if (found := _ROW.match(line))}
