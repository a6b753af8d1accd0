"""Examples of arguments: held to what the tool takes, when it loads."""

from collections.abc import Mapping
from typing import Any

import pytest

from pierhead import Server
from pierhead.core.catalog import Stage
from pierhead.core.definitions import ChangeClass, tool_change, tool_digest
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.usecases.wire_forms import server_from_form, server_to_form, tool_from_form, tool_to_form

TWO = ({"day": "monday"}, {"day": "friday", "plates": 2})


def lunch(*examples: Mapping[str, Any]) -> Server:
    server = Server("lunch", owner="kitchen", support="#lunch")

    @server.tool(policy="everyone", effect="read", minutes_saved=1, examples=examples)
    async def menu(day: str, plates: int = 1) -> list[str]:
        """What is cooked."""
        return [day] * plates

    return server


def test_examples_are_kept_as_they_were_given_and_travel_with_the_tool() -> None:
    (tool,) = lunch(*TWO).manifest()
    assert tool.examples == TWO
    assert tool_from_form(tool_to_form(tool)) == tool
    listed = lunch(*TWO).listed(Stage.DEPLOYED, "http://127.0.0.1:1/mcp")
    assert server_from_form(server_to_form(listed)) == listed


def test_a_tool_without_examples_reads_as_it_always_did() -> None:
    (tool,) = lunch().manifest()
    assert "examples" not in tool_to_form(tool)


def test_examples_are_no_part_of_what_people_sign() -> None:
    (shown,), (plain,) = lunch(*TWO).manifest(), lunch().manifest()
    assert tool_digest(shown) == tool_digest(plain)
    assert tool_change(plain, shown).change is ChangeClass.PATCH


def test_a_form_whose_example_is_no_object_is_refused() -> None:
    (tool,) = lunch(*TWO).manifest()
    with pytest.raises(Invalid, match="an example is no object"):
        tool_from_form({**tool_to_form(tool), "examples": ["monday"]})


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        ([{"day": 1}, {"day": "friday"}], "example 1 of menu is none: menu cannot take these arguments: day"),
        ([{"day": "monday"}, {"dya": "friday"}], "example 2 of menu is none"),
        ([{"day": "monday"}], "1 examples"),
        ([{"day": "monday"}, {"day": "monday"}], "2 examples, of which 1 differ"),
        ([{"day": f"{number}"} for number in range(11)], "11 examples"),
        ([{"day": "x" * 2_000}, {"day": "monday"}], "too long"),
        ([{"day": {"mon", "tue"}}, {"day": "monday"}], "no JSON object"),
    ],
)
def test_examples_that_are_none_stop_the_load(examples: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as stopped:
        lunch(*examples)
    assert stopped.value.code == "bad-declaration"
