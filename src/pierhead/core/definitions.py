"""What clients and models are shown of a server: its digests, and how much one such text differs from another.

Pure. Digests are over RFC 8785 canonical JSON (`call.canonical`). Above: `review` binds the digests, `usecases/drift`
compares the live text with the signed one. Not here: who signs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from pierhead.core.call import digest
from pierhead.core.catalog import Effect, Tool
from pierhead.core.errors import Invalid
from pierhead.core.json import Json

_LARGEST_EXACT: Final = 2**53 - 1
_WORDING: Final = frozenset({"title", "description", "examples", "$comment"})
_NAMED: Final = frozenset({"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"})
"""Keywords whose members are names: a property may well be called `title`."""
_VERBATIM: Final = frozenset({"enum", "const", "default", "required"})


class ChangeClass(StrEnum):
    """How much a version differs from the one that was signed before it."""

    FIRST = "first"
    MAJOR = "major"
    MINOR = "minor"
    WORDING = "wording"
    """Affects prompts: a description, a title, an example, the instructions."""
    PATCH = "patch"


def gravest(*classes: ChangeClass) -> ChangeClass:
    """The class that asks for most of `classes`; PATCH for none at all."""
    order = list(ChangeClass)
    return min(classes, key=order.index, default=ChangeClass.PATCH)


@dataclass(frozen=True, slots=True)
class ToolChange:
    """One tool that is there before and after, and what of it differs."""

    name: str
    members: tuple[str, ...]
    change: ChangeClass


def annotations(tool: Tool) -> dict[str, Json]:
    """The hints that clients are shown: they follow from what was declared, whatever the server claims of itself."""
    return {
        "readOnlyHint": tool.effect is Effect.READ,
        "destructiveHint": tool.effect is Effect.DESTRUCTIVE,
        "idempotentHint": tool.idempotent or tool.effect is Effect.READ,
    }


def definition(tool: Tool) -> dict[str, Json]:
    """The members of a tool that reach a model, by their names on the wire."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": cast("Json", tool.input_schema),
        "outputSchema": cast("Json", tool.output_schema),
        "annotations": annotations(tool),
    }


def argument_names(tool: Tool) -> Mapping[str, object]:
    """What the tool can be given, by name; one that carries out a plan is judged by that `plan`, too."""
    given = cast("Mapping[str, object]", tool.input_schema.get("properties", {}))
    return {**given, "plan": {}} if "plan_id" in given else given


def tool_digest(tool: Tool) -> str:
    """SHA-256 of one tool's definition."""
    return _digest(definition(tool))


def tools_digest(instructions: str, tools: Iterable[Tool]) -> str:
    """SHA-256 over the instructions and every tool, in any order.

    Source: docs/explanation/review-gate.md, "What is signed".
    """
    ordered = sorted(tools, key=lambda tool: tool.name)
    return _digest({"instructions": instructions, "tools": [definition(tool) for tool in ordered]})


def document_digest(document: Mapping[str, Json]) -> str:
    """SHA-256 of any JSON object, in the same form as the others."""
    return _digest(document)


def is_same(signed: Tool, live: Tool) -> bool:
    """Whether the live tool is the signed one in everything that people decided on: its text and its declaration."""
    if _declared(signed) != _declared(live):
        return False
    # as a rule they are written alike, which is told far sooner; to Python alone, `True` would equal 1
    return repr(definition(signed)) == repr(definition(live)) or tool_digest(signed) == tool_digest(live)


def tool_change(before: Tool, after: Tool) -> ToolChange:
    """What differs between two definitions of one tool; no members, if nothing does."""
    found = list(_tool_changes(before, after))
    members = tuple(dict.fromkeys(member for member, _ in found))
    return ToolChange(after.name, members, gravest(*(change for _, change in found)))


def change_classes(
    before: Sequence[Tool], after: Sequence[Tool], instructions: tuple[str, str] = ("", "")
) -> frozenset[ChangeClass]:
    """Every class of difference that is there: a removed tool, a broken schema or a new effect is major.

    Shapes: tools in any order; `instructions` before and after. Nothing at all, if nothing differs.
    """
    old, new = {tool.name: tool for tool in before}, {tool.name: tool for tool in after}
    effects = {tool.effect for tool in before}
    found = {ChangeClass.MAJOR for name in old if name not in new}
    for name, tool in new.items():
        found |= _classes(old[name], tool) if name in old else _added(tool, effects)
    if instructions[0] != instructions[1]:
        found.add(ChangeClass.WORDING)
    return frozenset(found)


def _added(tool: Tool, effects: set[Effect]) -> set[ChangeClass]:
    is_new_effect = tool.effect is not Effect.READ and tool.effect not in effects
    return {ChangeClass.MINOR, ChangeClass.MAJOR} if is_new_effect else {ChangeClass.MINOR}


def _classes(before: Tool, after: Tool) -> set[ChangeClass]:
    return {change for _, change in _tool_changes(before, after)}


def _declared(tool: Tool) -> tuple[object, ...]:
    return (tool.effect, tool.approval, tool.policy, tool.idempotent, tool.bounds, tool.drafts)


_MEMBERS: Final = {
    "effect": ChangeClass.MAJOR,
    "approval": ChangeClass.MAJOR,
    "policy": ChangeClass.MAJOR,
    "bounds": ChangeClass.MAJOR,
    "drafts": ChangeClass.MAJOR,
    "idempotent": ChangeClass.MINOR,
    "title": ChangeClass.WORDING,
    "description": ChangeClass.WORDING,
    "minutes": ChangeClass.PATCH,
    "timeout_s": ChangeClass.PATCH,
    "examples": ChangeClass.PATCH,
}


def _tool_changes(before: Tool, after: Tool) -> Iterator[tuple[str, ChangeClass]]:
    for member, change in _MEMBERS.items():
        if getattr(before, member) != getattr(after, member):
            yield member, change
    for member, old, new, is_told in (
        ("input_schema", before.input_schema, after.input_schema, False),
        ("output_schema", before.output_schema, after.output_schema, True),
    ):
        for change in _schema_changes(old, new, is_told=is_told):
            yield member, change


def _schema_changes(
    before: Mapping[str, object], after: Mapping[str, object], *, is_told: bool
) -> tuple[ChangeClass, ...]:
    """Compared by digest: to Python, `True` equals 1. To a model a schema is text, too. `is_told`: of its answers."""
    old, new = cast("Json", before), cast("Json", after)
    if _digest(old) == _digest(new):
        return ()
    old_shape, new_shape = cast("dict[str, Json]", _shape(old)), cast("dict[str, Json]", _shape(new))
    if _digest(old_shape) == _digest(new_shape):
        return (ChangeClass.WORDING,)
    if _only_adds(old_shape, new_shape, is_told=is_told):
        return (ChangeClass.MINOR,)
    return ChangeClass.MAJOR, ChangeClass.WORDING


def _only_adds(before: dict[str, Json], after: dict[str, Json], *, is_told: bool) -> bool:
    """Whether nobody who relied on the old one is let down: there are new members, and nothing else moved.

    What is sent was right and is right still: no more is required. What is told has all that it always had.
    """
    old, new = _names(before), _names(after)
    kept = all(name in new and _still_takes(schema, new[name], is_told=is_told) for name, schema in old.items())
    others = {key for key in before.keys() | after.keys() if key not in {"properties", "required", "$defs"}}
    required_before, required_after = _required(before), _required(after)
    return (
        kept
        and all(before.get(key) == after.get(key) for key in others)
        and (required_before <= required_after if is_told else required_after <= required_before)
        and _kept_definitions(before, after)
    )


def _still_takes(before: Json, after: Json, *, is_told: bool) -> bool:
    """Whether a member is as it was; an argument may have more values to choose from, an answer may not."""
    if before == after:
        return True
    if is_told or not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return False
    old, new = before.get("enum"), after.get("enum")
    if not isinstance(old, list) or not isinstance(new, list):
        return False
    rest = {key: value for key, value in after.items() if key != "enum"}
    return rest == {key: value for key, value in before.items() if key != "enum"} and all(each in new for each in old)


def _kept_definitions(before: dict[str, Json], after: dict[str, Json]) -> bool:
    new = cast("Mapping[str, Json]", after.get("$defs", {}))
    old = cast("Mapping[str, Json]", before.get("$defs", {}))
    return all(name in new and new[name] == schema for name, schema in old.items())


def _names(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", schema.get("properties", {}))


def _required(schema: Mapping[str, Json]) -> set[Json]:
    return set(cast("Sequence[str]", schema.get("required", ())))


def _shape(schema: Json) -> Json:
    """A schema without its wording: two of one shape accept the same values."""
    if isinstance(schema, Mapping):
        return {key: _shape_of(key, value) for key, value in schema.items() if key not in _WORDING}
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return [_shape(each) for each in schema]
    return schema


def _shape_of(key: str, value: Json) -> Json:
    if key in _NAMED and isinstance(value, Mapping):
        return {name: _shape(each) for name, each in value.items()}
    return value if key in _VERBATIM else _shape(value)


def _digest(value: Json) -> str:
    try:
        return digest(_plain(value))
    except RecursionError:
        raise Invalid("a schema is nested too deeply", hint="write a flatter one", code="not-canonical") from None


def _plain(value: object) -> Json:
    """Plain JSON. An integer beyond what JSON numbers hold exactly becomes the nearest one, as parsers read it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("Sequence[object]", value)]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_EXACT:
        return float(value)
    return cast("Json", value)
