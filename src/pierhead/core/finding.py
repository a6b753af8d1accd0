"""What a check of definitions found: where, how bad, and what to change.

A finding never repeats hostile text as it stands: `quoted` makes it harmless first. Above: `check_definitions` makes
findings, pages and APIs show them. Not here: the checks (`core/hostile_text`, `core/schema_bounds`, `core/look_alike`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_LONGEST_QUOTE: Final = 60


class Severity(StrEnum):
    """`refuse` stops publishing; `warn` is shown to reviewers."""

    REFUSE = "refuse"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. `tool` is empty where it is about the whole server; `place` is a path inside it.

    `rule` is stable, like `invisible-character`; `message` says what and where, `hint` what to change.
    """

    severity: Severity
    rule: str
    tool: str
    place: str
    message: str
    hint: str


def quoted(text: str) -> str:
    """A short piece of foreign text that no terminal, page or model can be led by: ASCII, the rest as escapes."""
    shown = text.encode("unicode_escape").decode("ascii")
    return f"'{shown[:_LONGEST_QUOTE]}{'...' if len(shown) > _LONGEST_QUOTE else ''}'"
