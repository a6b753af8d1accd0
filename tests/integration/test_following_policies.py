"""Company policies while a registry runs: their files are followed, and what cannot be in force changes nothing."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.rigs.gateway import bound, eventually
from tests.unit.samples import caller

from pierhead.apps.registry import run
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.follow_policies import FollowedPolicies
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.wire_registry import RegistryAdapters, RegistrySetting, registry_adapters
from pierhead.core.audit_policy import PolicyRefused
from pierhead.core.policy import Question
from pierhead.usecases.memory import MemoryAudit

FLEET = """
people:
  alice: {groups: [data-eng]}
servers:
  clock:
    kind: stdio
    command: [mcp-server-time]
    owner: platform
    support: "#help"
    access: everyone
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
policies: [company.cedar]
"""
FORBID = '@id("freeze") forbid (principal, action == Action::"reach", resource == Server::"clock");\n'
PERMIT = '@id("open") permit (principal, action == Action::"reach", resource == Server::"clock");\n'
CASES = "cases: [{case: she reaches it, as: alice, server: clock, expect: permit}]\n"
URL = "http://127.0.0.1:8420"


@dataclass
class Registry:
    """One that is open, its files, and what follows them."""

    folder: Path
    adapters: RegistryAdapters
    followed: FollowedPolicies
    audit: MemoryAudit

    def write(self, text: str, name: str = "company.cedar") -> None:
        (self.folder / name).write_text(text)

    async def looks(self) -> None:
        """Twice: a file that has just changed may change still."""
        await self.followed.look()
        await self.followed.look()

    def rules(self) -> set[str]:
        now = self.adapters.policy.current()
        return {match.rule for match in now.policies.matches(caller(), Question.REACH, now.servers["clock"], None)}

    def refusal(self) -> tuple[str, str]:
        """The last fact of a change that was refused, as code and message."""
        fact = self.audit.facts[-1]
        assert isinstance(fact, PolicyRefused)
        assert (fact.revision, fact.by) == (self.adapters.policy.current().revision, "fleet")
        return fact.code, fact.message


def setting_of(folder: Path, policies: str, more: str = "") -> RegistrySetting:
    path = folder / "fleet.yaml"
    path.write_text(FLEET + more)
    (folder / "company.cedar").write_text(policies)
    (folder / "cases.yaml").write_text(CASES)
    fleet = fleet_file.load(path, folder)
    Keys.at(folder).ensure(tuple(fleet.servers))
    return RegistrySetting(folder, fleet, URL, "ide", "local", fleet_file=path)


@asynccontextmanager
async def registry(folder: Path, policies: str, more: str = "") -> AsyncGenerator[Registry]:
    setting = setting_of(folder, policies, more)
    async with AsyncExitStack() as opened:
        adapters = await registry_adapters(setting, opened)
        audit = MemoryAudit()
        named = tuple(text.name for text in setting.fleet.policies)
        followed = FollowedPolicies(folder / "fleet.yaml", folder, adapters.registry.source, audit, named)
        await followed.look()
        yield Registry(folder, adapters, followed, audit)


def told(folder: Path, policies: str, story: Callable[[Registry], Awaitable[None]], more: str = "") -> None:
    async def tell() -> None:
        async with registry(folder, policies, more) as at:
            await story(at)

    asyncio.run(tell())


def test_a_changed_file_is_in_force_as_the_next_revision(tmp_path: Path) -> None:
    async def story(at: Registry) -> None:
        first = at.adapters.policy.current().revision
        assert at.rules() == {"company.cedar#open"}
        at.write(FORBID)
        await at.followed.look()
        assert at.rules() == {"company.cedar#open"}, "it may be half a file still"
        await at.followed.look()
        assert at.rules() == {"company.cedar#freeze"}
        assert at.adapters.policy.current().revision == first + 1
        await at.looks()
        assert at.adapters.policy.current().revision == first + 1

    told(tmp_path, PERMIT, story)


def test_a_file_that_cannot_be_in_force_leaves_the_old_one_and_says_where(tmp_path: Path) -> None:
    async def story(at: Registry) -> None:
        revision = at.adapters.policy.current().revision
        for text, code, place in (
            (f"{FORBID}permit (principal", "policy-syntax", "company.cedar, line 2, column"),
            (FORBID.replace("clock", "clok"), "policy-unknown-name", "company.cedar, line 1, column"),
            ("forbid (principal, action, resource) when { context.hour > 3 };", "policy-unknown-name", "line 1"),
            ("// nothing is left of it\n", "policy-syntax", "no policy stands here"),
            ("", "policy-syntax", "company.cedar, line 1, column 1"),
        ):
            at.write(text)
            await at.looks()
            assert at.rules() == {"company.cedar#freeze"}, text
            found, message = at.refusal()
            assert found == code, message
            assert place in message, message
        (at.folder / "company.cedar").unlink()
        await at.looks()
        assert at.refusal()[0] == "bad-fleet"
        assert at.adapters.policy.current().revision == revision
        at.write(PERMIT)
        await at.looks()
        assert at.rules() == {"company.cedar#open"}

    told(tmp_path, FORBID, story)


def test_a_file_that_fails_a_case_of_the_fleet_is_not_taken(tmp_path: Path) -> None:
    async def story(at: Registry) -> None:
        at.write(FORBID)
        await at.looks()
        assert at.rules() == {"company.cedar#open"}
        assert at.refusal()[0] == "policy-case-failed"
        assert len(at.audit.facts) == 1

    told(tmp_path, PERMIT, story, "tests: [cases.yaml]\n")


def test_files_that_the_fleet_file_names_anew_are_followed_too(tmp_path: Path) -> None:
    async def story(at: Registry) -> None:
        at.write(FORBID, "more.cedar")
        at.write(FLEET.replace("[company.cedar]", "[company.cedar, more.cedar]"), "fleet.yaml")
        await at.looks()
        assert at.rules() == {"company.cedar#open", "more.cedar#freeze"}
        at.write(FORBID.replace("freeze", "thaw"), "more.cedar")
        await at.looks()
        assert at.rules() == {"company.cedar#open", "more.cedar#thaw"}
        at.write(FLEET.replace("policies: [company.cedar]", ""), "fleet.yaml")
        await at.looks()
        assert at.rules() == set()

    told(tmp_path, PERMIT, story)


def test_a_running_registry_follows_by_itself_and_records_what_it_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        listener, port = bound()
        serving = asyncio.ensure_future(run(setting_of(tmp_path, PERMIT), listener))
        try:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                assert (await client.get("/healthz")).status_code == 200
            (tmp_path / "company.cedar").write_text("permit (")
            await eventually(lambda: "stay as they were" in caplog.text, within_s=60)
            (tmp_path / "company.cedar").write_text(FORBID)
            await eventually(lambda: "changed: revision 2" in caplog.text, within_s=60)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            listener.close()
        with closing(sqlite3.connect(tmp_path / "pierhead.db")) as database:
            kinds = database.execute("SELECT kind FROM facts WHERE kind LIKE 'policy-%' ORDER BY sequence").fetchall()
        assert kinds == [("policy-published",), ("policy-refused",), ("policy-published",)]

    asyncio.run(story())
