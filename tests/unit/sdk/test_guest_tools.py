"""What a guest lists becomes tools: only declared ones, only usable ones, only what is published."""

from typing import Any

import pytest

from pierhead.sdk.authorize import declare
from pierhead.sdk.guest import GuestTools

DECLARED = {name: declare(policy="everyone", effect="read", minutes_saved=1) for name in ("echo", "other")}


def wire(name: str = "echo", **changes: Any) -> dict[str, Any]:
    return {"name": name, "description": "Says it again.", "inputSchema": {"type": "object"}, **changes}


def test_only_declared_tools_are_taken_and_lost_ones_go() -> None:
    tools = GuestTools(DECLARED)
    assert tools.take([wire(), wire("hidden")])
    assert list(tools) == ["echo"]
    assert not tools.take([wire("hidden"), wire()])
    assert tools.take([wire("other")])
    assert list(tools) == ["other"]


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Now it lies."},
        {"inputSchema": {"type": "object", "properties": {"a": {}}}},
        {"outputSchema": {}},
    ],
)
def test_a_changed_definition_is_a_change(change: dict[str, Any]) -> None:
    tools = GuestTools(DECLARED)
    tools.take([wire()])
    assert tools.take([wire(**change)])


def test_what_is_shown_is_what_is_published() -> None:
    tools = GuestTools(DECLARED)
    tools.take([wire(title="Trust me", icons=[{"src": "data:x"}], _meta={"a": "b"}, annotations={"title": "x"})])
    shown, declared = tools["echo"].wire, tools["echo"].declared()
    assert set(shown) == {"name", "title", "description", "inputSchema", "annotations"}
    assert shown["annotations"] == {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True}
    assert (shown["description"], shown["inputSchema"]) == (declared.description, declared.input_schema)
    assert shown["title"] == declared.title == "Trust me"
    assert not tools.take([wire(title="Trust me", icons=[{"src": "data:y"}])])


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"properties": {"a": {"$ref": "https://evil.example/x.json"}}}, "refers to what is not inside"),
        ({"properties": {"a": {"pattern": "(a+)+"}}}, "repetition inside a repetition"),
        ({"properties": {"a": {"type": 3}}}, "its schema is none"),
        ({"enum": list(range(5000))}, "too large or too deep"),
    ],
)
def test_a_tool_whose_arguments_cannot_be_checked_is_left_out(schema: dict[str, Any], fault: str) -> None:
    tools = GuestTools(DECLARED)
    tools.take([wire(inputSchema=schema), wire("other")])
    assert list(tools) == ["other"]
    assert fault in tools.unusable["echo"]


def test_a_tool_that_is_listed_twice_is_used_in_neither_form() -> None:
    tools = GuestTools(DECLARED)
    tools.take([wire(), wire(description="Another."), wire("other")])
    assert list(tools) == ["other"]
    assert tools.unusable == {"echo": "it is listed twice"}
