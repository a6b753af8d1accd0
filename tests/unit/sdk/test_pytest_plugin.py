"""The pytest plug-in: its fixtures over a small server, and its promises against servers that break them."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, Field

from pierhead import Caller, NotFound, Server
from pierhead.testing import PROFILES, Bench, Identity, from_tool
from pierhead.testing.bench import identity
from pierhead.testing.coverage import ToolCoverage
from pierhead.testing.plugin import OpenClient
from pierhead.testing.profiles import ERAS, MODERN
from pierhead.testing.properties import PROPERTIES

pytestmark = pytest.mark.anyio

AGENT = "spiffe://demo.example/agent"
STAFF = identity("ann", ["staff"])
RAN: list[int] = []


def shelf() -> Server:
    server = Server("shelf", owner="o", support="#s", instructions="Look first.")

    @server.tool(
        policy=f"group:staff or workload:{AGENT}",
        effect="read",
        minutes_saved=1,
        examples=[{"number": 1}, {"number": 2}],
    )
    async def look(number: int, *, caller: Caller) -> str:
        """Look at a book."""
        if number == 99:
            raise NotFound("no such book", hint="look at another")
        return f"{caller.name} sees {number}"

    @server.tool(
        policy="group:staff",
        effect="destructive",
        approval="confirm",
        minutes_saved=1,
        examples=[{"number": 1}, {"number": 2}],
    )
    async def burn(number: int) -> int:
        """Burn a book."""
        RAN.append(number)
        return number

    return server


@pytest.fixture
def pierhead_server() -> Server:
    RAN.clear()
    return shelf()


@pytest.mark.tool("look")
async def test_a_test_runs_in_both_revisions(
    mcp_client: OpenClient, as_user: Callable[..., Identity], mcp_era: str, audit_facts: Any
) -> None:
    async with mcp_client(as_user("ann", groups=["staff"])) as client:
        assert client.protocol_version == mcp_era
        answer = await client.call_tool("look", {"number": 7})
        assert answer.structured_content == {"result": "ann sees 7"}
    assert audit_facts.kinds() == ["call-started", "call-finished"]


async def test_clients_are_open_side_by_side_and_one_after_the_other(bench: Bench) -> None:
    async with bench.client(STAFF, MODERN) as ann, bench.client(identity("ben", ["staff"]), ERAS[1]) as ben:
        for client, name in ((ann, "ann"), (ben, "ben")):
            answer = await client.call_tool("look", {"number": 1})
            assert answer.structured_content == {"result": f"{name} sees 1"}
    async with bench.client(STAFF, MODERN) as again:
        await again.call_tool("look", {"number": 1})
    assert bench.audit.kinds().count("call-finished") == 3


async def test_a_program_calls_as_itself(mcp_client: OpenClient, as_workload: Callable[..., Identity]) -> None:
    async with mcp_client(as_workload(AGENT), era=MODERN) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["look"]
        answer = await client.call_tool("look", {"number": 1})
        assert answer.structured_content == {"result": f"{AGENT} sees 1"}
    async with mcp_client(as_workload(AGENT, user="gus", groups=["guests"]), era=MODERN) as client:
        assert (await client.list_tools()).tools == []


async def test_denied_is_denied(mcp_client: OpenClient, deny_all: None) -> None:
    async with mcp_client(STAFF) as client:
        assert (await client.list_tools()).tools == []
        with pytest.raises(MCPError):
            await client.call_tool("look", {"number": 1})


async def test_people_answer_as_they_are_told_to(
    mcp_client: OpenClient, approve_with: Callable[..., None], approvals: Any, frozen_time: Any
) -> None:
    async with mcp_client(STAFF) as client:
        assert (await client.call_tool("burn", {"number": 1})).structured_content["status"] == "approval_required"  # pyright: ignore[reportOptionalSubscript]
        approve_with("deny")
        assert (await client.call_tool("burn", {"number": 2})).structured_content["status"] == "denied"  # pyright: ignore[reportOptionalSubscript]
        assert RAN == []
        frozen_time.seconds += 24 * 3600
        approve_with("approve", comment="yes")
        assert (await client.call_tool("burn", {"number": 3})).structured_content == {"result": 3}
    assert RAN == [3]
    assert [record.proposal.tool for record in approvals.asked] == ["burn"] * 3


@pytest.mark.parametrize("profile", PROFILES)
async def test_each_client_is_asked_where_it_can_be(profile: str, mcp_client: OpenClient, mcp_era: str) -> None:
    """A form goes to clients that show forms; the others are told where to answer."""
    async with mcp_client(STAFF, profile=profile, form="approve") as client:
        answer = await client.call_tool("burn", {"number": 4})
    ran = [4] if PROFILES[profile].elicits else []
    assert ran == RAN
    assert ("status" in (answer.structured_content or {})) is not PROFILES[profile].elicits


async def test_a_form_that_is_closed_runs_nothing(mcp_client: OpenClient) -> None:
    async with mcp_client(STAFF, profile="claude-code") as client:
        await client.call_tool("burn", {"number": 5})
    assert RAN == []


async def test_this_server_keeps_what_every_server_promises(
    ready_property: Callable[[Identity], Awaitable[None]],
) -> None:
    await ready_property(STAFF)


def test_the_plug_in_names_every_promise() -> None:
    from pierhead.testing import plugin  # noqa: PLC0415

    assert tuple(PROPERTIES) == plugin._PROPERTIES


def broken(kind: str) -> Server:
    """A server that breaks one promise."""
    many = {f"tool_{number}" for number in range(101)} if kind == "many" else {"x" * 60 if kind == "long" else "look"}
    server = Server("broken", owner="o", support="#s", instructions="word " * 200 if kind == "talks" else None)
    for name in sorted(many):

        @server.tool(
            policy="everyone", effect="read", minutes_saved=1, name=name, examples=[{"number": 1}, {"number": 2}]
        )
        async def look(number: int) -> str:
            """Look."""
            RAN.append(number)
            return "x" * 50_000 if kind == "large" else f"{len(RAN)}" if kind == "counts" else ""

    return server


@pytest.mark.parametrize(
    ("kind", "promise", "said"),
    [
        ("large", "results keep within their limit", "take limit and cursor"),
        ("counts", "both revisions agree", "answer differently"),
        ("many", "every client can hold it", "sends 100 tools"),
        ("long", "every client can hold it", "cuts names"),
        ("talks", "every client can hold it", "stand alone"),
    ],
)
async def test_a_promise_that_is_broken_is_told(kind: str, promise: str, said: str) -> None:
    RAN.clear()
    with pytest.raises(AssertionError, match=said):
        await PROPERTIES[promise](Bench(broken(kind)), STAFF)


def test_coverage_names_what_no_test_reached() -> None:
    server, coverage = shelf(), ToolCoverage()
    coverage.watch(server)
    coverage.watch(server)
    untried = [line for line in coverage.missing() if "succeed" in line]
    assert untried == ["no test saw shelf.burn succeed", "no test saw shelf.look succeed"]
    errors = len([line for line in coverage.missing() if "no test reached the error at" in line])

    async def called() -> None:
        bench = Bench(server)
        async with bench.client(STAFF, MODERN) as client:
            await client.call_tool("look", {"number": 1})
            await client.call_tool("look", {"number": 99})

    anyio.run(called)
    assert [line for line in coverage.missing() if "succeed" in line] == ["no test saw shelf.burn succeed"]
    assert len([line for line in coverage.missing() if "no test reached the error at" in line]) == errors - 1


class Inner(BaseModel):
    at: str = Field(pattern=r"^[a-z]{1,4}$")
    next: "Inner | None" = None


def test_arguments_from_a_schema_are_taken_by_the_tool() -> None:
    server = Server("made", owner="o", support="#s")

    @server.tool(policy="everyone", effect="read", minutes_saved=1)
    async def take(
        number: Annotated[int, Field(ge=1, lt=10)],
        text: Annotated[str, Field(min_length=1, max_length=5)],
        share: Annotated[float, Field(gt=0, le=1)],
        tags: Annotated[list[str], Field(max_length=3)],
        flags: dict[str, bool],
        inner: Inner | None = None,
    ) -> None:
        """Take it."""

    bound = server.tools["take"]

    @given(from_tool(bound))
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def taken(arguments: dict[str, Any]) -> None:
        import orjson  # noqa: PLC0415

        bound.parse(orjson.dumps(arguments))

    taken()


@pytest.mark.parametrize(
    ("schema", "error"),
    [
        ({"type": "object", "patternProperties": {}}, ValueError),
        ({"type": "string", "contentEncoding": "x"}, ValueError),
        ({}, ValueError),
    ],
)
def test_a_schema_beyond_what_is_known_is_said(schema: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="cannot"):
        from_tool(schema).validate()
    with pytest.raises(TypeError):
        from_tool(7)


@given(st.data())
@settings(max_examples=10, deadline=None)
def test_each_kind_of_schema_gives_its_values(data: st.DataObject) -> None:
    kinds: dict[str, Any] = {
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "id": {"type": "string", "format": "uuid"},
        "one": {"const": 1},
        "of": {"enum": ["a", "b"]},
        "any": {"type": ["boolean", "null"]},
        "set": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
    }
    made = data.draw(from_tool({"type": "object", "properties": kinds, "required": list(kinds)}))
    assert made.keys() == kinds.keys()
    assert made["one"] == 1
    assert len(made["set"]) == len({*made["set"]})


def test_pytest_pays_nothing_where_nothing_is_asked_of_it() -> None:
    program = (
        "import sys, pierhead.testing.plugin; print(sorted({'mcp', 'pydantic', 'hypothesis'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
