"""What a server's answer to `tools/list` breaks of the standard: S01 to S14, S18, S19, and the lint.

What the registry refuses at registration is refused here by the same checks (`check_definitions`); this adds what only
the whole standard asks for. Pure. Above: `check_standard`. Not here: declarations, code, the running server.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect, Tool
from pierhead.core.finding import Finding, Severity
from pierhead.core.hostile_text import mixed_word
from pierhead.core.rule import NOBODY
from pierhead.core.standard import Breach, Weight
from pierhead.core.standard_rules import breach
from pierhead.core.usage import Minutes
from pierhead.usecases.check_arguments import argument_breaches
from pierhead.usecases.check_definitions import check_definitions, check_texts
from pierhead.usecases.check_lint import lint_breaches
from pierhead.usecases.check_manners import manner_breaches
from pierhead.usecases.wire_forms import Manifest

Wire = Mapping[str, object]

#: What a check of definitions is called in the standard.
STANDARD_OF: Final[Mapping[str, str]] = {
    "active-markup": "S06",
    "address-with-values": "S07",
    "control-character": "S04",
    "deep-nesting": "S09",
    "encoded-text": "S08",
    "huge-schema": "S09",
    "invisible-character": "S03",
    "large-schema": "S09",
    "long-description": "S14",
    "long-text": "S14",
    "look-alike": "S02",
    "many-tools": "L04",
    "mixed-scripts": "S02",
    "near-name": "S02",
    "no-description": "S14",
    "orders-to-the-model": "S05",
    "outside-reference": "S09",
    "pressing-words": "S05",
    "same-name": "S01",
    "text-direction": "S03",
    "too-many-tools": "L04",
    "tool-name": "S01",
    "unusable-pattern": "S09",
}
_AS_TOOL: Final = frozenset({"name", "title", "description", "inputSchema", "outputSchema"})
#: What S12 judges by itself.
_ICON: Final = re.compile(r"icons\[\d+\]\.src")
_SCHEMAS: Final = {"input_schema": "inputSchema", "output_schema": "outputSchema"}


@dataclass(frozen=True, slots=True)
class Listing:
    """What a server shows. `hosts` are those its entry names; None: nobody said. `others` are other servers' tools."""

    server: str
    tools: tuple[Wire, ...]
    description: str = ""
    instructions: str = ""
    hosts: frozenset[str] | None = None
    others: Mapping[str, Manifest] | None = None
    is_hosted: bool = False
    """Whether Pierhead's host stands before it: a server of the SDK, or a guest behind the guard."""


def check_listing(listing: Listing) -> tuple[Breach, ...]:
    """Everything in the listing that breaks a rule, each thing once, by tool in the listing's order."""
    tools = as_tools(listing.tools)
    manifest = Manifest("", listing.description, "", tools, listing.instructions)
    found = [_translated(each) for each in check_definitions(listing.server, manifest, listing.others or {})]
    found += [_translated(each) for each in check_texts("", "instructions", listing.instructions)]
    for tool, wire in zip(tools, listing.tools, strict=True):
        where = f"tools.{_safe(tool.name)}"
        rest = {key: value for key, value in wire.items() if key not in _AS_TOOL}
        found += [_translated(each) for each in check_texts(tool.name, "", rest) if not _ICON.fullmatch(each.place)]
        found += _scripts(where, tool)
        found += argument_breaches(where, wire, is_hosted=listing.is_hosted)
        found += manner_breaches(where, wire, listing.hosts)
    found += lint_breaches(listing.server, listing.instructions, tools)
    return tuple(dict.fromkeys(found))


def as_tools(wires: Iterable[Wire]) -> tuple[Tool, ...]:
    """As the checks of definitions know tools; what is of the wrong type counts as not there."""
    return tuple(_as_tool(wire) for wire in wires)


def _as_tool(wire: Wire) -> Tool:
    hints = _mapping(wire.get("annotations"))
    effect = Effect.READ if hints.get("readOnlyHint") is True else Effect.WRITE
    return Tool(
        name=_text(wire.get("name")),
        description=_text(wire.get("description")),
        policy=NOBODY,
        effect=Effect.DESTRUCTIVE if hints.get("destructiveHint") is True else effect,
        approval=Approval.NONE,
        minutes=Minutes.estimate(0),
        input_schema=_mapping(wire.get("inputSchema")),
        output_schema=_mapping(wire.get("outputSchema")),
        title=_text(wire.get("title")),
    )


def _translated(finding: Finding) -> Breach:
    weight = Weight.BLOCKS if finding.severity is Severity.REFUSE else Weight.WARNS
    word, _, inside = finding.place.partition(".")
    place = ".".join(part for part in (_SCHEMAS.get(word, word), inside) if part)
    where = f"tools.{finding.tool}" + (f".{place}" if place else "") if finding.tool else place
    return breach(STANDARD_OF[finding.rule], where, finding.message, finding.hint, weight=weight)


def _scripts(where: str, tool: Tool) -> Iterator[Breach]:
    """What people read as its name is in letters of one script; anywhere else a mixture is a warning."""
    for member, text in (("name", tool.name), ("title", tool.title)):
        if mixed_word(text):
            yield breach("S02", f"{where}.{member}", "one word of it is in letters of several scripts")


def _safe(name: str) -> str:
    return name if name.isascii() and name.isprintable() else name.encode("unicode_escape").decode("ascii")[:60]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Wire:
    return cast("Wire", value) if isinstance(value, Mapping) else {}
