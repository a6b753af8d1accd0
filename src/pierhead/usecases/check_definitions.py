"""Whether definitions may be shown to reviewers and to models: hostile ones are refused, odd ones pointed out.

`refuse_hostile(check_definitions(...))` stands before everything that takes definitions in; reviewers see the
warnings. Pure. Below: `core/hostile_text`, `core/look_alike`, `core/schema_bounds`. Not here: drift, reviews.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pierhead.core.catalog import Tool
from pierhead.core.errors import Invalid
from pierhead.core.finding import Finding, Severity, quoted
from pierhead.core.hostile_text import TextFault, text_faults
from pierhead.core.look_alike import look_alike, near_name, same_words
from pierhead.core.schema_bounds import DEEPEST, MANY_PARTS, MOST_PARTS, Part, outside_reference, parts, pattern_fault
from pierhead.usecases.wire_forms import Manifest

MOST_TOOLS: Final = 500
MANY_TOOLS: Final = 100
LARGEST_SCHEMA: Final = 64 * 1024
LONGEST_DESCRIPTION: Final = 8_000
LONG_DESCRIPTION: Final = 2_000
_LONGEST_TEXT: Final = 20_000
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SHOWN_FAULTS: Final = 5


def check_definitions(server: str, manifest: Manifest, others: Mapping[str, Manifest]) -> tuple[Finding, ...]:
    """Everything that is wrong or odd in what `server` wants to show.

    Shapes: `others` are the manifests of the other servers by name; an entry for `server` itself is passed over.
    Findings come in the manifest's order, those about the whole server first.
    """
    elsewhere = {tool.name for name, other in others.items() if name != server for tool in other.tools}
    found = [*_server_findings(server, manifest, others), *_name_clashes(manifest)]
    for tool in manifest.tools[:MOST_TOOLS]:
        found += [*_tool_name(tool.name, elsewhere), *_texts(tool), *_schemas(tool)]
    return tuple(found)


def check_document(server: str, document: Mapping[str, object], others: Iterable[str]) -> tuple[Finding, ...]:
    """The same for an entry as declared: its texts, and its name beside those of the other servers."""
    found = list(_server_name(server, [other for other in others if other != server]))
    return (*found, *check_texts("", "", document))


def check_texts(tool: str, place: str, value: object) -> tuple[Finding, ...]:
    """The same for any other member that a client is shown: its texts, wherever they stand in it."""
    found: list[Finding] = []
    for part in parts(value):
        at = ".".join(each for each in (place, part.place) if each)
        if part.depth > DEEPEST:
            return (*found, _finding(Severity.REFUSE, "deep-nesting", tool, at, _deep(), "make it flatter"))
        found += _part_texts(tool, Part(at, part.depth, part.key, part.value))
    return tuple(found)


def refuse_hostile(findings: Iterable[Finding]) -> None:
    """Errors: Invalid (`hostile-definition`), with every refusing finding's place and what to change."""
    refused = [finding for finding in findings if finding.severity is Severity.REFUSE]
    if not refused:
        return
    told = "; ".join(f"{_where(finding)}: {finding.message}" for finding in refused[:_SHOWN_FAULTS])
    more = f"; and {len(refused) - _SHOWN_FAULTS} more" if len(refused) > _SHOWN_FAULTS else ""
    hints = "; ".join(dict.fromkeys(finding.hint for finding in refused[:_SHOWN_FAULTS]))
    raise Invalid(f"these definitions are not taken: {told}{more}", hint=hints, code="hostile-definition")


def _where(finding: Finding) -> str:
    return " ".join(part for part in (finding.tool, finding.place) if part) or "server"


def _server_findings(server: str, manifest: Manifest, others: Mapping[str, Manifest]) -> Iterator[Finding]:
    yield from _server_name(server, [name for name in others if name != server])
    count = len(manifest.tools)
    if count > MOST_TOOLS:
        message = f"{count} tools; at most {MOST_TOOLS} are taken"
        yield _finding(Severity.REFUSE, "too-many-tools", "", "tools", message, "split it into several servers")
    elif count > MANY_TOOLS:
        message = f"{count} tools: models choose badly among many"
        yield _finding(Severity.WARN, "many-tools", "", "tools", message, "declare the tools that are needed")
    yield from (_of("", "description", fault) for fault in text_faults(manifest.description[:_LONGEST_TEXT]))


def _server_name(server: str, others: list[str]) -> Iterator[Finding]:
    twin = look_alike(server, others)
    if twin:
        message = f"the name {quoted(server)} looks like the server {quoted(twin)}"
        yield _finding(Severity.REFUSE, "look-alike", "", "name", message, "choose a name that nobody mistakes")
    elif near := near_name(server, others):
        message = f"the name {quoted(server)} is one letter from the server {quoted(near)}"
        yield _finding(Severity.WARN, "near-name", "", "name", message, "make sure that it is meant")


def _name_clashes(manifest: Manifest) -> Iterator[Finding]:
    folded = Counter(tool.name.casefold() for tool in manifest.tools)
    for name, count in folded.items():
        if count > 1:
            message = f"{count} tools are named {quoted(name)} but for case"
            yield _finding(Severity.REFUSE, "same-name", "", "tools", message, "give each tool a name of its own")


def _tool_name(name: str, elsewhere: set[str]) -> Iterator[Finding]:
    if not _NAME.fullmatch(name):
        message = f"the name {quoted(name)} is not made of ASCII letters, digits, '_', '.' and '-' (1 to 64)"
        yield _finding(Severity.REFUSE, "tool-name", quoted(name), "name", message, "rename the tool")
        return
    if name in elsewhere:
        return  # each server has its own names; two databases both have `query`
    twin = look_alike(name, sorted(elsewhere))
    if twin and not same_words(name, twin):
        message = f"it looks like {quoted(twin)}, a tool of another server"
        yield _finding(Severity.REFUSE, "look-alike", name, "name", message, "choose a name that nobody mistakes")
    elif twin or (twin := near_name(name, sorted(elsewhere))):
        message = f"it is nearly {quoted(twin)}, a tool of another server"
        yield _finding(Severity.WARN, "near-name", name, "name", message, "make sure that it is meant")


def _texts(tool: Tool) -> Iterator[Finding]:
    size = len(tool.description)
    if size > LONGEST_DESCRIPTION:
        message = f"{size} characters; at most {LONGEST_DESCRIPTION} are taken"
        yield _finding(Severity.REFUSE, "long-description", tool.name, "description", message, "shorten it")
    elif size > LONG_DESCRIPTION:
        message = f"{size} characters, which every client pays for in every conversation"
        yield _finding(Severity.WARN, "long-description", tool.name, "description", message, "shorten it")
    elif not tool.description.strip():
        message = "no description: a model can only guess what it does"
        yield _finding(Severity.WARN, "no-description", tool.name, "description", message, "say what it does")
    for member, text in (("description", tool.description), ("title", tool.title)):
        yield from (_of(tool.name, member, fault) for fault in text_faults(text[:_LONGEST_TEXT]))


def _schemas(tool: Tool) -> Iterator[Finding]:
    for place, schema in (("input_schema", tool.input_schema), ("output_schema", tool.output_schema)):
        yield from _schema(tool.name, place, schema)


def _schema(tool: str, place: str, schema: Mapping[str, object]) -> Iterator[Finding]:
    seen = [
        Part(f"{place}.{part.place}" if part.place else place, part.depth, part.key, part.value)
        for part in parts(schema)
    ]
    too_deep = next((part for part in seen if part.depth > DEEPEST), None)
    if too_deep is not None:
        yield _finding(Severity.REFUSE, "deep-nesting", tool, place, _deep(), "make it flatter")
    if len(seen) > MOST_PARTS:
        message = f"more than {MOST_PARTS} parts"
        yield _finding(Severity.REFUSE, "huge-schema", tool, place, message, "make it smaller")
    if too_deep is not None or len(seen) > MOST_PARTS:
        return
    yield from _size(tool, place, schema, len(seen))
    for part in seen:
        yield from _part(tool, part)


def _size(tool: str, place: str, schema: Mapping[str, object], count: int) -> Iterator[Finding]:
    size = len(json.dumps(schema, ensure_ascii=False, default=str))
    if size > LARGEST_SCHEMA:
        message = f"{size} characters; at most {LARGEST_SCHEMA} are taken"
        yield _finding(Severity.REFUSE, "huge-schema", tool, place, message, "make it smaller")
    elif count > MANY_PARTS:
        message = f"{count} parts, which every client pays for in every conversation"
        yield _finding(Severity.WARN, "large-schema", tool, place, message, "make it smaller")


def _part(tool: str, part: Part) -> Iterator[Finding]:
    if outside_reference(part):
        message = f"it refers to {quoted(str(part.value))}, which is not inside the schema"
        yield _finding(Severity.REFUSE, "outside-reference", tool, part.place, message, "put the schema itself there")
    elif fault := pattern_fault(part):
        message = f"its pattern is {fault}"
        yield _finding(Severity.REFUSE, "unusable-pattern", tool, part.place, message, "simplify the pattern")
    else:
        yield from _part_texts(tool, part)


def _part_texts(tool: str, part: Part) -> Iterator[Finding]:
    """Its own name, and its value if that is text: a model reads both."""
    texts = [part.key] if part.key and not part.place.endswith("]") else []
    if isinstance(part.value, str):
        texts.append(part.value)
    for text in texts:
        place = _safe(part.place)
        if len(text) > _LONGEST_TEXT:
            message = f"a text of {len(text)} characters"
            yield _finding(Severity.REFUSE, "long-text", tool, place, message, "shorten it")
            return
        yield from (_of(tool, place, fault) for fault in text_faults(text))


def _safe(place: str) -> str:
    """A path holds names that nobody has checked."""
    return place if place.isascii() and place.isprintable() else quoted(place)


def _deep() -> str:
    return f"nested deeper than {DEEPEST}"


def _of(tool: str, place: str, fault: TextFault) -> Finding:
    return Finding(fault.severity, fault.rule, _safe(tool), place, fault.message, fault.hint)


def _finding(severity: Severity, rule: str, tool: str, place: str, message: str, hint: str) -> Finding:
    return Finding(severity, rule, _safe(tool), _safe(place), message, hint)
