"""The official conformance suite against the SDK's fixture server, both revisions, with governance in force."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator
from pathlib import Path

import orjson
import pytest
from tests.components import NodeTools, node_tools
from tests.conformance import everything
from tests.conformance.serving import Forwarder, serving
from tests.conformance.suite import EXPECTED_FAILURES, REQUIRED, UNSCORED, Verdict, conform

from pierhead.testing import Running, platform

pytestmark = [
    pytest.mark.slow,
    pytest.mark.anyio,
    # The suite of 2025-11-25 asks for what 2026-07-28 calls deprecated.
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]


@pytest.fixture(scope="session")
def tools() -> NodeTools:
    return node_tools()


@dataclasses.dataclass(frozen=True)
class Site:
    """Where the suite calls, and the platform behind it."""

    url: str
    running: Running


@contextlib.asynccontextmanager
async def direct() -> AsyncGenerator[Site]:
    """The SDK's application on a socket; the forwarder says who is calling, as the gateway would."""
    caller = [(b"pierhead-assertion", orjson.dumps({"user": "alice", "groups": []}))]
    async with (
        platform(everything.build(), access="everyone") as running,
        serving(running.application) as port,
        serving(Forwarder(port, lambda _: caller)) as front,
    ):
        yield Site(f"http://127.0.0.1:{front}/mcp", running)


SITES = {"direct": direct}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("revision", REQUIRED)
async def test_every_required_scenario_passes(site: str, revision: str, tools: NodeTools, tmp_path: Path) -> None:
    async with SITES[site]() as at:
        verdict = await conform(tools, at.url, tmp_path, "--requirements", revision)
    scenarios = verdict.required()
    assert verdict.exit_code == 0, verdict.output
    assert (len(scenarios), verdict.succeeded(*scenarios)) == REQUIRED[revision]
    assert verdict.failing().isdisjoint(scenarios)


@pytest.mark.parametrize("site", SITES)
async def test_the_unscored_scenarios_of_our_own_choice_pass(site: str, tools: NodeTools, tmp_path: Path) -> None:
    async with SITES[site]() as at:
        verdict = await conform(tools, at.url, tmp_path, "--requirements", "2026-07-28")
    assert {name: verdict.succeeded(name) for name in UNSCORED} == UNSCORED
    assert verdict.failing().isdisjoint(UNSCORED)


@pytest.mark.parametrize("site", SITES)
async def test_nothing_fails_but_what_is_expected_to(site: str, tools: NodeTools, tmp_path: Path) -> None:
    async with SITES[site]() as at:
        verdict = await conform(
            tools, at.url, tmp_path, "--suite", "all", "--expected-failures", str(EXPECTED_FAILURES)
        )
    assert verdict.exit_code == 0, verdict.output
    assert verdict.failing() == _expected(verdict)


async def test_every_call_of_the_suite_left_its_facts(tools: NodeTools, tmp_path: Path) -> None:
    """An intent for each call that ran, an outcome for each intent, and nothing else ran."""
    async with direct() as at:
        await conform(tools, at.url, tmp_path, "--requirements", "2026-07-28")
        facts = at.running.audit.facts
    started = [fact.call_id for fact in facts if fact.kind == "call-started"]
    finished = [fact.call_id for fact in facts if fact.kind == "call-finished"]
    assert len(started) > 30
    assert started == list(dict.fromkeys(started))
    assert sorted(started) == sorted(finished)


def _expected(verdict: Verdict) -> set[str]:
    listed = {line.strip()[2:] for line in EXPECTED_FAILURES.read_text().splitlines() if line.startswith("  - ")}
    assert listed <= verdict.checks.keys()
    return listed
