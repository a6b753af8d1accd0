"""Odd inputs: as many as asked, always the same, the fitting ones fitting."""

from typing import Any, Final

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.odd_inputs import odd_inputs

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "day": {"type": "string", "maxLength": 3},
        "free": {"type": "string"},
        "count": {"type": "integer", "minimum": 2},
        "loose": {"type": "number"},
        "is_open": {"type": "boolean"},
        "names": {"type": "array", "items": {"type": "string"}},
        "bare": {"type": "array"},
        "of": {"enum": ["a", "b"]},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "whole": {"type": "object"},
    },
}


def test_every_second_input_fits_and_the_others_do_not() -> None:
    found = list(odd_inputs(SCHEMA, 200, "canary-1", only_wrong=False))
    checker = jsonschema.Draft202012Validator(SCHEMA)
    assert len(found) == 200
    assert all(checker.is_valid(each) for each in found[::2])
    assert not any(checker.is_valid(each) for each in found[1::2])
    assert found == list(odd_inputs(SCHEMA, 200, "canary-1", only_wrong=False))


def test_a_tool_that_writes_is_sent_only_what_its_schema_refuses() -> None:
    checker = jsonschema.Draft202012Validator(SCHEMA)
    assert not any(checker.is_valid(each) for each in odd_inputs(SCHEMA, 200, "canary-1", only_wrong=True))
    assert all(each for each in odd_inputs({}, 20, "canary-1", only_wrong=True))


@given(st.integers(0, 50))
def test_there_are_as_many_as_asked(count: int) -> None:
    assert (
        len(list(odd_inputs({"properties": {"a": {"minimum": "x", "type": "integer"}}}, count, "m", only_wrong=False)))
        == count
    )
