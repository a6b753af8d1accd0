"""What clients are shown of a server: its digests, and how much one such text differs from another."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.registry_in_memory import TOOLS

from pierhead.core.approval import Approval
from pierhead.core.bounds import read_bounds
from pierhead.core.catalog import Effect, Tool
from pierhead.core.definitions import (
    ChangeClass,
    argument_names,
    change_classes,
    definition,
    document_digest,
    is_same,
    tool_change,
    tool_digest,
    tools_digest,
)
from pierhead.core.errors import Invalid
from pierhead.core.rule import parse_who
from pierhead.core.usage import Minutes

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"table": {"type": "string", "description": "Which."}, "title": {"type": "string"}},
    "required": ["table"],
    "$defs": {"a": {"type": "null"}},
    "additionalProperties": False,
}
TOOL = replace(TOOLS[0], title="Read", description="Reads ☕.", input_schema=SCHEMA, output_schema={"type": "object"})
MAJOR, MINOR, WORDING, PATCH = ChangeClass.MAJOR, ChangeClass.MINOR, ChangeClass.WORDING, ChangeClass.PATCH


def test_the_digest_is_that_of_the_canonical_json_of_what_is_documented() -> None:
    written = (
        '{"instructions":"Héed","tools":[{"annotations":{"destructiveHint":false,"idempotentHint":true,'
        '"readOnlyHint":true},"description":"Reads ☕.","inputSchema":{"type":"object"},"name":"read",'
        '"outputSchema":{},"title":"Read"}]}'
    )
    tool = replace(TOOL, input_schema={"type": "object"}, output_schema={})
    assert tools_digest("Héed", [tool]) == hashlib.sha256(written.encode()).hexdigest()


def test_the_digest_heeds_every_shown_member_and_no_order() -> None:
    other = replace(TOOL, name="other")
    assert tools_digest("", [TOOL, other]) == tools_digest("", [other, TOOL])
    changes = [
        {"name": "x"},
        {"title": "x"},
        {"description": "x"},
        {"input_schema": {}},
        {"output_schema": {}},
        {"effect": Effect.WRITE},
    ]
    digests = {tool_digest(TOOL), *(tool_digest(replace(TOOL, **change)) for change in changes)}
    assert len(digests) == len(changes) + 1
    assert tool_digest(replace(TOOL, minutes=Minutes.estimate(9), timeout_s=1.0)) == tool_digest(TOOL)
    assert tools_digest("a", [TOOL]) != tools_digest("", [TOOL])


def test_hints_follow_from_what_is_declared() -> None:
    assert definition(replace(TOOL, effect=Effect.DESTRUCTIVE))["annotations"] == {
        "readOnlyHint": False,
        "destructiveHint": True,
        "idempotentHint": False,
    }


def test_integers_that_json_cannot_hold_exactly_are_read_as_every_parser_reads_them() -> None:
    assert document_digest({"a": 2**63 - 1}) == document_digest({"a": 2.0**63})
    assert document_digest({"a": True}) != document_digest({"a": 1})
    assert document_digest({"a": (1, 2)}) == document_digest({"a": [1, 2]})


def test_what_is_nested_beyond_reason_has_no_digest() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(Invalid) as refused:
        document_digest(deep)
    assert refused.value.code == "not-canonical"


def test_a_live_tool_is_the_signed_one_if_text_and_declaration_are() -> None:
    assert is_same(TOOL, replace(TOOL, minutes=Minutes.estimate(9), timeout_s=1.0, narrowed=parse_who("nobody")))
    turned = dict(reversed(list(SCHEMA.items())))
    assert is_same(TOOL, replace(TOOL, input_schema=turned))
    truth, one = {"const": True}, {"const": 1}
    assert not is_same(replace(TOOL, input_schema=truth), replace(TOOL, input_schema=one))
    for change in (
        {"bounds": read_bounds(["x"], None)},
        {"policy": parse_who("everyone")},
        {"approval": Approval.APPROVE},
        {"title": "x"},
    ):
        assert not is_same(TOOL, replace(TOOL, **change))


def schema(**members: Any) -> dict[str, Any]:
    return {**SCHEMA, **members}


@pytest.mark.parametrize(
    ("change", "classes"),
    [
        ({}, set()),
        ({"minutes": Minutes.estimate(9)}, {PATCH}),
        ({"timeout_s": 1.0}, {PATCH}),
        ({"title": "x"}, {WORDING}),
        ({"description": "x"}, {WORDING}),
        ({"idempotent": True}, {MINOR}),
        ({"effect": Effect.WRITE}, {MAJOR}),
        ({"approval": Approval.CONFIRM}, {MAJOR}),
        ({"policy": parse_who("everyone")}, {MAJOR}),
        ({"input_schema": dict(reversed(list(SCHEMA.items())))}, set()),
        ({"input_schema": schema(title="x", examples=[1])}, {WORDING}),
        ({"input_schema": schema(properties={**SCHEMA["properties"], "more": {"type": "string"}})}, {MINOR}),
        ({"input_schema": schema(required=[])}, {MINOR}),
        ({"input_schema": schema(**{"$defs": {"a": {"type": "null"}, "b": {}}})}, {MINOR}),
        ({"input_schema": schema(properties={"table": {"type": "string"}})}, {MAJOR, WORDING}),
        ({"input_schema": schema(required=["table", "title"])}, {MAJOR, WORDING}),
        ({"input_schema": schema(additionalProperties=True)}, {MAJOR, WORDING}),
        ({"input_schema": schema(**{"$defs": {}})}, {MAJOR, WORDING}),
        ({"input_schema": schema(allOf=[{"title": "x"}])}, {MAJOR, WORDING}),
        ({"output_schema": {"type": "object", "properties": {"a": {"enum": ["title"]}}}}, {MINOR}),
        ({"output_schema": {}}, {MAJOR, WORDING}),
    ],
)
def test_each_difference_of_a_tool_has_its_classes(change: dict[str, Any], classes: set[ChangeClass]) -> None:
    after = replace(TOOL, **change)
    assert change_classes([TOOL], [after]) == classes
    found = tool_change(TOOL, after)
    assert (found.name, bool(found.members)) == ("read", bool(classes))
    assert set(found.members) == (set(change) if classes else set())


ANSWER: Mapping[str, Any] = {
    "type": "object",
    "properties": {"rows": {"type": "integer"}, "mode": {"enum": ["fast", "full"]}},
    "required": ["rows"],
}
MORE = {"properties": {**ANSWER["properties"], "seconds": {"type": "number"}}}


@pytest.mark.parametrize(
    ("now", "change"),
    [
        ({"required": []}, MAJOR),  # a client that read it finds it absent
        ({"properties": {"mode": {"enum": ["fast", "full"]}}}, MAJOR),
        ({"properties": {**ANSWER["properties"], "rows": {"type": "string"}}}, MAJOR),
        ({"properties": {**ANSWER["properties"], "mode": {"enum": ["fast", "full", "none"]}}}, MAJOR),
        (MORE, MINOR),
        ({**MORE, "required": ["rows", "seconds"]}, MINOR),
    ],
)
def test_what_an_answer_no_longer_promises_is_major(now: Any, change: ChangeClass) -> None:
    found = tool_change(replace(TOOL, output_schema=ANSWER), replace(TOOL, output_schema={**ANSWER, **now}))
    assert (found.members, found.change) == (("output_schema",), change)


@pytest.mark.parametrize(
    ("now", "change"),
    [
        ({"required": []}, MINOR),
        (MORE, MINOR),
        ({**MORE, "required": ["rows", "seconds"]}, MAJOR),
        ({"properties": {**ANSWER["properties"], "rows": {"type": "integer", "maximum": 9}}}, MAJOR),
        ({"properties": {**ANSWER["properties"], "mode": {"enum": ["fast"]}}}, MAJOR),
        ({"properties": {**ANSWER["properties"], "mode": {"enum": ["fast", "full", "all"]}}}, MINOR),
        ({"properties": {**ANSWER["properties"], "mode": {"enum": ["fast", "all", "none"]}}}, MAJOR),
        ({"properties": {**ANSWER["properties"], "mode": {"enum": ["fast", "full", "all"], "default": 1}}}, MAJOR),
        ({"properties": {**ANSWER["properties"], "mode": {"type": "string"}}}, MAJOR),
        ({"properties": {**ANSWER["properties"], "mode": True}}, MAJOR),
    ],
)
def test_what_a_tool_no_longer_takes_or_newly_wants_is_major(now: Any, change: ChangeClass) -> None:
    """A value more to choose from is as an argument more: nobody who called it is let down."""
    found = tool_change(replace(TOOL, input_schema=ANSWER), replace(TOOL, input_schema={**ANSWER, **now}))
    assert (found.members, found.change) == (("input_schema",), change)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ({"approval": Approval.FOUR_EYES}, {"approval": Approval.CONFIRM}),
        ({"effect": Effect.DESTRUCTIVE}, {"effect": Effect.WRITE}),
        ({"policy": parse_who("group:a")}, {"policy": parse_who("group:a or group:b")}),
    ],
)
def test_less_asked_of_people_is_major_however_it_is_worded(was: Any, now: Any) -> None:
    assert tool_change(replace(TOOL, **was), replace(TOOL, **now)).change is MAJOR


@pytest.mark.parametrize(
    ("before", "after", "instructions", "classes"),
    [
        ([TOOL], [TOOL], ("a", "b"), {WORDING}),
        ([TOOL], [], ("", ""), {MAJOR}),
        ([], [TOOL], ("", ""), {MINOR}),
        ([TOOL], [TOOL, replace(TOOL, name="w", effect=Effect.WRITE)], ("", ""), {MAJOR, MINOR}),
        (
            [replace(TOOL, effect=Effect.WRITE)],
            [replace(TOOL, effect=Effect.WRITE), replace(TOOL, name="w", effect=Effect.WRITE)],
            ("", ""),
            {MINOR},
        ),
    ],
)
def test_a_removed_tool_or_a_new_effect_is_major_and_a_new_tool_minor(
    before: list[Tool], after: list[Tool], instructions: tuple[str, str], classes: set[ChangeClass]
) -> None:
    assert change_classes(before, after, instructions) == classes


def test_a_tool_takes_the_members_of_its_schema() -> None:
    assert set(argument_names(replace(TOOL, input_schema={"properties": {"a": {}, "b": {}}}))) == {"a", "b"}
    assert argument_names(replace(TOOL, input_schema={})) == {}
