"""AI clients as a server meets them: which revisions they speak, what they can ask, and where they cut.

For tests alone. At run time the request's own capabilities decide, never a table. Source: docs/reference/testing.md.
"""

from dataclasses import dataclass
from typing import Final

MODERN: Final = "2026-07-28"
LEGACY: Final = "2025-11-25"
ERAS: Final = (MODERN, LEGACY)


@dataclass(frozen=True, slots=True)
class Profile:
    """One client. Units: `call_s` seconds; `longest_name` and `instructions_read` characters."""

    name: str
    eras: tuple[str, ...]
    elicits: bool
    """Whether it can put a form before its person."""
    oauth: tuple[str, ...]
    """How it registers itself, in the order that it tries."""
    call_s: float | None = None
    most_tools: int | None = None
    longest_name: int | None = None
    """Of a tool, behind the prefix that the client puts before it: `mcp_SERVER_`."""
    instructions_read: int | None = None


_ALL: Final = (
    Profile("vscode-local", (LEGACY,), elicits=True, oauth=("cimd", "dcr", "pre-registered"), most_tools=128),
    Profile("copilot-harness", ERAS, elicits=True, oauth=("dcr",)),
    Profile("claude-code", ERAS, elicits=True, oauth=("cimd", "dcr", "pre-registered"), call_s=300),
    Profile("codex", ERAS, elicits=True, oauth=("cimd", "dcr", "pre-registered"), call_s=60, instructions_read=512),
    Profile("gemini", (LEGACY,), elicits=False, oauth=("dcr", "pre-registered"), call_s=600, longest_name=63),
    Profile("no-elicitation", ERAS, elicits=False, oauth=("pre-registered",), most_tools=100),
)
PROFILES: Final = {profile.name: profile for profile in _ALL}
