"""What a look takes of what a process says of itself: the members that it knows, of their kinds, and no more."""

import json
from typing import Any

import pytest

from pierhead.bootstrap.watching import told_in

SAID: dict[str, Any] = {
    "server": "lunch",
    "policy": "loaded",
    "version": "1",
    "tools_digest": "d",
    "is_as_published": True,
    "dependencies": [{"name": "oven", "condition": "up", "reason": ""}],
}


def told(**changes: Any) -> Any:
    return told_in(json.dumps({**SAID, **changes}).encode())


def test_what_is_said_as_it_should_be_is_told_as_it_is() -> None:
    assert told() == SAID
    assert told(more="than that") == SAID


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"is_as_published": "yes"}, {"is_as_published": False}),
        ({"version": "1" * 500}, {"version": "1" * 100}),
        ({"version": "\ud800"}, {"version": "?"}),
        ({"dependencies": "none"}, {"dependencies": []}),
        ({"dependencies": [1, {}]}, {"dependencies": [{"name": "unnamed", "condition": "unknown", "reason": ""}]}),
        (
            {"dependencies": [{"name": "x", "condition": "splendid", "reason": "r" * 999}]},
            {"dependencies": [{"name": "x", "condition": "unknown", "reason": "r" * 300}]},
        ),
    ],
)
def test_what_is_said_otherwise_harms_nobody(changes: dict[str, Any], found: dict[str, Any]) -> None:
    assert told(**changes) == {**SAID, **found}


def test_a_hundred_dependencies_are_not_kept() -> None:
    assert len(told(dependencies=SAID["dependencies"] * 100)["dependencies"]) == 20


@pytest.mark.parametrize("answer", [None, b"", b"ok", b"[1]", b"7"])
def test_what_is_no_report_is_none(answer: bytes | None) -> None:
    assert told_in(answer) is None
