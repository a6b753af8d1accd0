"""The pytest plug-in: fixtures for the tests of a server, with nothing to import.

The server is the one that the nearest `pyproject.toml` names under `[tool.pierhead]`; or override `pierhead_server`.
Only pytest and the standard library are imported here: pytest loads this wherever Pierhead is installed.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from mcp import Client

    from pierhead.sdk.server import Server
    from pierhead.sdk.testing_people import People, Verdict
    from pierhead.testing.bench import Bench, Identity
    from pierhead.testing.recorded import Recorded
    from pierhead.usecases.memory import MemoryAudit, MemoryClock

OpenClient = Callable[..., "AbstractAsyncContextManager[Client]"]
_ERAS: Final = ("2026-07-28", "2025-11-25")
_PROPERTIES: Final = (
    "denied callers see no tool",
    "unknown arguments are refused",
    "approvals are good for one call as it was asked",
    "results keep within their limit",
    "lists are stable",
    "both revisions agree",
    "every client can hold it",
)
_WATCHING: Final = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    help_ = "fail unless each tool succeeded in some test, and each error of its module was reached"
    group = parser.getgroup("pierhead")
    group.addoption("--tool-coverage", action="store_true", help=help_)
    group.addoption("--record-http", default="", metavar="URL", help="recorded_http asks this system, and keeps it")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "tool(name): the test is about this tool of the server (Pierhead)")
    config.stash[_WATCHING] = None
    if not config.getoption("--tool-coverage"):
        return
    if getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("--tool-coverage counts in one process: leave out -n")
    from pierhead.testing.coverage import ToolCoverage  # noqa: PLC0415 - see the module's docstring

    config.stash[_WATCHING] = ToolCoverage()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    watching = session.config.stash.get(_WATCHING, None)
    if watching is not None and exitstatus == pytest.ExitCode.OK and watching.missing():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    watching = terminalreporter.config.stash.get(_WATCHING, None)
    if watching is None:
        return
    terminalreporter.section("tool coverage")
    for line in watching.missing() or [f"{len(watching.tools)} tools, {len(watching.raises)} errors: all reached"]:
        terminalreporter.line(line)


@pytest.fixture
def pierhead_server(request: pytest.FixtureRequest) -> "Server":
    """The server under test. Override it to test another."""
    for folder in request.path.parents:
        code = _server_of(folder)
        if code:
            from pierhead.bootstrap.plugins import own_server  # noqa: PLC0415 - loads the platform

            return own_server(code, folder)
    return pytest.fail('say which server: [tool.pierhead] server = "MODULE:NAME" in pyproject.toml', pytrace=False)


@pytest.fixture
def bench(pierhead_server: "Server", request: pytest.FixtureRequest) -> "Bench":
    """The server on the platform in memory, for this test alone."""
    from pierhead.testing.bench import Bench  # noqa: PLC0415

    for marker in request.node.iter_markers("tool"):
        if unknown := sorted(set(marker.args) - pierhead_server.tools.keys()):
            known = ", ".join(pierhead_server.tools)
            pytest.fail(f"{pierhead_server.name} has no tool {', '.join(unknown)}; it has {known}", pytrace=False)
    watching = request.config.stash.get(_WATCHING, None)
    if watching is not None:
        watching.watch(pierhead_server)
    return Bench(pierhead_server)


@pytest.fixture(params=_ERAS)
def mcp_era(request: pytest.FixtureRequest) -> str:
    """Each protocol revision in turn."""
    return str(request.param)


@pytest.fixture
def mcp_client(bench: "Bench", mcp_era: str) -> OpenClient:
    """Opens real clients, in both revisions.

    `async with mcp_client(who, era=..., profile=..., form=...) as client`: all but `who` may be left out. `profile` is
    one of `pierhead.testing.PROFILES`; a revision that it does not speak is skipped.
    """
    from pierhead.testing.profiles import PROFILES  # noqa: PLC0415

    def opened(
        who: "Identity", *, era: str = "", profile: str = "", form: str = ""
    ) -> "AbstractAsyncContextManager[Client]":
        if profile and profile not in PROFILES:
            pytest.fail(f"no profile {profile!r}; there are {', '.join(PROFILES)}", pytrace=False)
        if era and era not in _ERAS:
            pytest.fail(f"no revision {era!r}; there are {', '.join(_ERAS)}", pytrace=False)
        known = PROFILES.get(profile)
        if known is not None and (era or mcp_era) not in known.eras:
            pytest.skip(f"{profile} does not speak {era or mcp_era}")
        return bench.client(who, era or mcp_era, profile=known, form=form)

    return opened


@pytest.fixture
def as_user() -> "Callable[..., Identity]":
    """`as_user("ann", groups=["staff"], claims={...})`: a person who calls."""

    def made(name: str, groups: Iterable[str] = (), claims: Mapping[str, object] | None = None) -> "Identity":
        from pierhead.testing.bench import identity  # noqa: PLC0415

        return identity(name, groups, claims)

    return made


@pytest.fixture
def as_workload() -> "Callable[..., Identity]":
    """`as_workload("spiffe://corp.example/agent")`: a program that calls, without a person or with one (`user=`)."""

    def made(spiffe_id: str, *, user: str = "", groups: Iterable[str] = ()) -> "Identity":
        from pierhead.testing.bench import Identity  # noqa: PLC0415

        return Identity(user, frozenset(groups), spiffe_id)

    return made


@pytest.fixture
def deny_all(bench: "Bench") -> None:
    """Policy lets nobody use any tool."""
    bench.deny_all()


@pytest.fixture
def approve_with(bench: "Bench") -> "Callable[..., None]":
    """`approve_with("approve")`, `("deny")` or `(None)`: how people answer from now on."""

    def told(verdict: "Verdict | None" = "approve", *, comment: str = "") -> None:
        bench.approve_with(verdict, comment=comment)

    return told


@pytest.fixture
def approvals(bench: "Bench") -> "People":
    """Who is asked: `approvals.asked`, and `await approvals.decide(id, "approve", by="ann")`."""
    return bench.people


@pytest.fixture
def audit_facts(bench: "Bench") -> "MemoryAudit":
    """What was recorded: `audit_facts.facts`, `audit_facts.kinds()`."""
    return bench.audit


@pytest.fixture
def recorded_http(request: pytest.FixtureRequest) -> "Iterator[Callable[[str], Recorded]]":
    """`recorded_http("tickets").url`: a system on this machine that answers as `recordings/tickets.json` says.

    The file lies beside the test. `--record-http URL` asks the system there and writes it. A request that nothing
    is recorded for is answered 501, and the test fails when it ends.
    """
    from contextlib import ExitStack  # noqa: PLC0415 - only its users pay for it

    from pierhead.testing.recorded import recorded_system  # noqa: PLC0415

    upstream, systems = str(request.config.getoption("--record-http")), list["Recorded"]()
    with ExitStack() as opened:

        def system(name: str) -> "Recorded":
            file = request.path.parent / "recordings" / f"{name}.json"
            if not upstream and not file.is_file():
                pytest.fail(f"{file} is not there: record it with --record-http URL", pytrace=False)
            systems.append(opened.enter_context(recorded_system(file, upstream)))
            return systems[-1]

        yield system
    if unknown := [each for one in systems for each in one.unknown]:
        pytest.fail(f"nothing is recorded for {', '.join(unknown)}", pytrace=False)


@pytest.fixture
def frozen_time(bench: "Bench") -> "MemoryClock":
    """The platform's clock; it stands until the test moves it: `frozen_time.seconds += 3600`."""
    return bench.clock


@pytest.fixture(params=_PROPERTIES)
def ready_property(bench: "Bench", request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - an async function of who calls
    """What every server promises, each promise a test of its own.

    `await ready_property(as_user("ann", groups=["staff"]))`, as somebody who may use all the tools.
    """
    from pierhead.testing.properties import PROPERTIES  # noqa: PLC0415

    promise = PROPERTIES[request.param]

    async def holds(who: "Identity") -> None:
        await promise(bench, who)

    return holds


def _server_of(folder: Path) -> str:
    """What the project in that folder says; empty where none does."""
    try:
        read = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    said = read.get("tool", {}).get("pierhead", {}).get("server", "")
    return said if isinstance(said, str) else ""
