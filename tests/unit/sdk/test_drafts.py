"""Tools that draft: a write that a program alone may make, as reviewers sign it."""

from pierhead import Server
from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect, Tool
from pierhead.core.definitions import ChangeClass, is_same, tool_change
from pierhead.usecases.wire_forms import tool_from_form, tool_to_form


def noted(effect: str) -> Tool:
    server = Server("notes", owner="desk", support="#desk")

    @server.tool(policy="everyone", effect=effect, minutes_saved=1)
    async def note(text: str) -> str:
        """Keep a note."""
        return text

    (tool,) = server.manifest()
    return tool


def test_a_draft_is_a_write_that_says_so_and_travels_with_it() -> None:
    drafting = noted("draft")
    assert (drafting.effect, drafting.approval, drafting.drafts) == (Effect.WRITE, Approval.NONE, True)
    assert tool_from_form(tool_to_form(drafting)) == drafting
    assert "drafts" not in tool_to_form(noted("write"))


def test_beginning_to_draft_is_a_major_change_that_people_sign() -> None:
    change = tool_change(noted("write"), noted("draft"))
    assert (change.change, change.members) == (ChangeClass.MAJOR, ("drafts",))
    assert not is_same(noted("write"), noted("draft"))
