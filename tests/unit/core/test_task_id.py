"""The name of a task: what stands in it in the open, and how long it may be."""

from pierhead.core.task_id import LONGEST, sealed_in, task_id_of, tool_in


def test_a_name_says_its_tool_whatever_the_tool_is_called() -> None:
    for tool in ("drop", "shop:drop", "größe", "a.b/c"):
        name = task_id_of("v1.abc-_", tool)
        assert (sealed_in(name), tool_in(name)) == ("v1.abc-_", tool)


def test_a_name_that_we_did_not_make_says_no_tool() -> None:
    for name in ("", "abc", "786512e2-9e0d-44bd-8f29-789f320fe840", "v1.abc:"):
        assert tool_in(name) == ""


def test_a_name_that_no_header_could_carry_is_none() -> None:
    fits = "s" * (LONGEST - len(":drop"))
    assert len(task_id_of(fits, "drop")) == LONGEST
    assert task_id_of(fits + "s", "drop") == ""
