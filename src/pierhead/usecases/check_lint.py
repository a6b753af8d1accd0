"""The lint of definitions (L): names, instructions, how many tools, how many tokens.

Pure. Above: `check_listing`. Below: `core/token_weight`. Not here: what blocks an approval (the standard).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from pierhead.core.catalog import Tool
from pierhead.core.schema_bounds import DEEPEST, parts
from pierhead.core.standard import Breach
from pierhead.core.standard_rules import breach
from pierhead.core.token_weight import token_weight

MANY_TOOLS: Final = 20
MOST_TOOLS: Final = 40
TOOL_TOKENS: Final = 500
MANY_TOKENS: Final = 4_000
MOST_TOKENS: Final = 4_500
LONGEST_INSTRUCTIONS: Final = 1_200
STANDS_ALONE: Final = 512
_NAME: Final = re.compile(r"[a-z0-9_]{1,40}")
_LISTS: Final = re.compile(r"^([a-z]+_)?(list|search|browse)(_|$)")
_LIMITS: Final = frozenset({"limit", "max_results", "page_size", "per_page", "top", "n", "count", "first", "max_rows"})


@dataclass(frozen=True, slots=True)
class TokenReport:
    """About how many tokens each tool takes in `tools/list`, in the listing's order, and all together."""

    tools: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.tools.values())


def token_report(tools: Sequence[Tool]) -> TokenReport:
    """What is nested too deeply to be taken weighs nothing here: it is refused anyway."""
    return TokenReport({tool.name: _weight(tool) for tool in tools})


def _weight(tool: Tool) -> int:
    schemas = (tool.input_schema, tool.output_schema)
    if any(part.depth > DEEPEST for schema in schemas for part in parts(schema)):
        return 0
    return token_weight(tool.name, tool.description, schemas)


def lint_breaches(server: str, instructions: str, tools: Sequence[Tool]) -> Iterator[Breach]:
    """What the lint finds in a whole server."""
    prefix = server.replace("-", "_")
    for tool in tools:
        where = f"tools.{tool.name}" if tool.name.isascii() and tool.name.isprintable() else "tools"
        if not _NAME.fullmatch(tool.name) or tool.name.count(f"{prefix}_") > 1:
            yield breach("L01", f"{where}.name", "it is longer than 40 characters, or of others than a-z 0-9 _")
        taken = cast("Mapping[str, object]", tool.input_schema.get("properties") or {})
        if _LISTS.search(tool.name) and not _LIMITS & taken.keys():
            yield breach("L08", f"{where}.inputSchema", "it lists, and takes no limit")
    yield from _instructions(instructions)
    yield from _counts(len(tools), token_report(tools))


def _instructions(text: str) -> Iterator[Breach]:
    if len(text) > LONGEST_INSTRUCTIONS:
        yield breach("L02", "instructions", f"{len(text)} characters; at most {LONGEST_INSTRUCTIONS}")
    elif len(text) > STANDS_ALONE and not re.search(r"[.!?:](\s|$)", text[:STANDS_ALONE]):
        yield breach("L02", "instructions", f"no sentence ends in the first {STANDS_ALONE} characters")


def _counts(count: int, report: TokenReport) -> Iterator[Breach]:
    if count > MOST_TOOLS:
        yield breach("L04", "tools", f"{count} tools; at most {MOST_TOOLS}")
    elif count > MANY_TOOLS:
        yield breach("L03", "tools", f"{count} tools; at most {MANY_TOOLS}")
    for name, tokens in report.tools.items():
        if tokens > TOOL_TOKENS:
            yield breach("L05", f"tools.{name}" if name.isascii() else "tools", f"about {tokens} tokens")
    if report.total > MOST_TOKENS:
        yield breach("L07", "tools", f"about {report.total} tokens; at most {MOST_TOKENS}")
    elif report.total > MANY_TOKENS:
        yield breach("L06", "tools", f"about {report.total} tokens; at most {MANY_TOKENS}")
