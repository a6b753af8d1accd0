"""The official conformance suite against the SDK's fixture server, itself and through the gateway, both governed."""

from pathlib import Path

import pytest
from tests.components import NodeTools, node_tools
from tests.conformance.sites import SITES, through_gateway
from tests.conformance.suite import EXPECTED_FAILURES, REQUIRED, UNSCORED, Verdict, conform

from pierhead.core.audit import CallFinished, CallStarted
from pierhead.usecases.memory import MemoryAudit

pytestmark = [
    pytest.mark.slow,
    pytest.mark.anyio,
    # The suite of 2025-11-25 asks for what 2026-07-28 calls deprecated.
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]


@pytest.fixture(scope="session")
def tools() -> NodeTools:
    return node_tools()


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("revision", REQUIRED)
async def test_every_required_scenario_passes_and_those_of_our_own_choice(
    site: str, revision: str, tools: NodeTools, tmp_path: Path
) -> None:
    async with SITES[site]() as at:
        verdict = await conform(tools, at.url, tmp_path, "--requirements", revision)
    scenarios = verdict.required()
    assert verdict.exit_code == 0, verdict.output
    assert (len(scenarios), verdict.succeeded(*scenarios)) == REQUIRED[revision]
    assert verdict.failing().isdisjoint(scenarios)
    assert {name: verdict.succeeded(name) for name in UNSCORED[revision]} == UNSCORED[revision]
    assert verdict.failing().isdisjoint(UNSCORED[revision])


@pytest.mark.parametrize("site", SITES)
async def test_nothing_fails_but_what_is_expected_to(site: str, tools: NodeTools, tmp_path: Path) -> None:
    async with SITES[site]() as at:
        verdict = await conform(
            tools, at.url, tmp_path, "--suite", "all", "--expected-failures", str(EXPECTED_FAILURES)
        )
    assert verdict.exit_code == 0, verdict.output
    assert verdict.failing() == _expected(verdict)


async def test_every_call_of_the_suite_left_its_facts_on_both_sides(tools: NodeTools, tmp_path: Path) -> None:
    """An intent for each call that ran, an outcome for each intent; the server ran only what the gateway had noted."""
    async with through_gateway() as at:
        await conform(tools, at.url, tmp_path, "--requirements", "2026-07-28")
    ran, relayed = _calls(at.server_audit), _calls(at.gateway_audit)
    assert len(ran) > 30
    assert ran <= relayed


def _calls(audit: MemoryAudit) -> set[str]:
    """The ids of the calls that were started, each once and each with its one end."""
    started = [fact.call_id for fact in audit.facts if isinstance(fact, CallStarted)]
    finished = [fact.call_id for fact in audit.facts if isinstance(fact, CallFinished)]
    assert sorted(set(started)) == sorted(started) == sorted(finished)
    return set(started)


def _expected(verdict: Verdict) -> set[str]:
    listed = {line.strip()[2:] for line in EXPECTED_FAILURES.read_text().splitlines() if line.startswith("  - ")}
    assert listed <= verdict.checks.keys()
    return listed
