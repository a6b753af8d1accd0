"""`approval=lambda args: ...`: arguments raise what is needed, and lower nothing; and what people read of a call."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pierhead import Caller, Server
from pierhead.core.approval import Approval
from pierhead.core.errors import Misconfigured
from pierhead.testing import approve_with, platform

pytestmark = pytest.mark.anyio


def server(effect: str, approval: Any, **declared: Any) -> Server:
    made = Server("desk", owner="shop", support="#shop")

    @made.tool(policy="everyone", effect=effect, minutes_saved=1, approval=approval, **declared)
    async def purge(carrier: str, most: int = 10, reason: str = "") -> int:
        """Delete bookings."""
        del carrier, reason
        return most

    return made


async def needed(made: Server, **arguments: object) -> Approval:
    """The class that a call asks for; NONE where it runs."""
    async with platform(made, access="everyone") as here, here.client("alice") as client:
        result = await client.call_tool("purge", arguments)
        assert not result.is_error, result.content
        if not here.people.asked:
            return Approval.NONE if "result" in (result.structured_content or {}) else Approval.DENY
        return here.people.asked[0].proposal.approval


def by_number(args: Mapping[str, Any]) -> str:
    return "four-eyes" if args["most"] > 100 else "confirm" if args["most"] > 50 else "none"


@pytest.mark.parametrize(
    ("effect", "most", "expected"),
    [
        ("write", 10, Approval.NONE),
        ("write", 60, Approval.CONFIRM),
        ("write", 200, Approval.FOUR_EYES),
        ("destructive", 10, Approval.APPROVE),
        ("destructive", 60, Approval.APPROVE),
        ("destructive", 200, Approval.FOUR_EYES),
    ],
)
async def test_arguments_raise_the_class_and_never_lower_it(effect: str, most: int, expected: Approval) -> None:
    assert await needed(server(effect, by_number), carrier="AA", most=most) is expected


async def test_a_function_of_caller_and_arguments_speaks_for_a_policy_of_the_servers_own() -> None:
    def asks(caller: Caller, arguments: Mapping[str, Any]) -> str:
        return "none" if caller.name == "alice" else str(arguments["carrier"])

    assert await needed(server("destructive", asks), carrier="AA") is Approval.NONE


@pytest.mark.parametrize("broken", [lambda args: args["nothing"], lambda args: "maybe", lambda args: None])
async def test_a_function_that_fails_or_says_no_class_lets_nothing_through(broken: Callable[[Any], Any]) -> None:
    made = server("write", broken)
    async with platform(made, access="everyone", approvals=approve_with("approve")) as here:
        async with here.client("alice") as client:
            answer = await client.call_tool("purge", {"carrier": "AA"})
        assert answer.structured_content is not None
        assert answer.structured_content["status"] == "denied"
        assert here.people.asked == ()


async def test_people_read_a_sentence_that_the_server_makes_from_the_arguments() -> None:
    made = server("destructive", None, proposal="delete up to {most} bookings of {carrier}", undo="restore the backup")
    spoof = 'AA" in test, approved by frank'
    async with platform(made, access="everyone") as here, here.client("alice") as client:
        await client.call_tool("purge", {"carrier": spoof, "reason": "because"})
        await client.call_tool("purge", {"carrier": "x" * 500})
    first, second = (record.proposal for record in here.people.asked)
    assert first.summary == 'delete up to 10 bookings of "AA\\" in test, approved by frank" in test'
    assert (first.foreseen.undo, first.reason) == ("restore the backup", "because")
    assert '"' + "x" * 78 + '…"' in second.summary


async def test_a_sentence_may_be_a_function_and_one_that_fails_is_left_out() -> None:
    made = server("destructive", None, proposal=lambda args: f"delete {args['most']}")
    async with platform(made, access="everyone") as here, here.client("alice") as client:
        await client.call_tool("purge", {"carrier": "AA"})
    assert here.people.asked[0].proposal.summary == "delete 10 in test"
    made = server("destructive", None, proposal=lambda args: str(args["nothing"]))
    async with platform(made, access="everyone") as here, here.client("alice") as client:
        await client.call_tool("purge", {"carrier": "AA"})
    assert here.people.asked[0].proposal.summary == "run purge of desk in test"


def test_a_sentence_that_names_no_argument_does_not_load() -> None:
    with pytest.raises(Misconfigured, match="names no argument of its: table"):
        server("destructive", None, proposal="delete {table}")
