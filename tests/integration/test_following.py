"""Processes follow what is registered: real ones, told what the registry would tell."""

import stat
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from pierhead.adapters.internal_client import InternalClient
from pierhead.adapters.processes import Child, Supervisor
from pierhead.bootstrap.following import Following
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.watching import Place, look_at

pytestmark = pytest.mark.anyio
RIG = Path(__file__).parents[1] / "rigs" / "child.py"


@dataclass
class Stage:
    """What follows, and what was said of it."""

    following: Following = field(init=False)
    supervisor: Supervisor = field(init=False)
    said: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    reasons: list[str] = field(default_factory=list[str])

    async def report(self, name: str, state: str, reason: str) -> None:
        self.said.append((name, state))
        self.reasons.append(reason)


def entry(stage: str = "", origin: str = "registered", **document: Any) -> dict[str, Any]:
    return {"origin": origin, "stage": stage, "document": {"kind": "http", **document}}


def told(**entries: dict[str, Any]) -> dict[str, Any]:
    return {"entries": entries}


@asynccontextmanager
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    whole, keys = Stage(), Keys.at(tmp_path)
    keys.ensure(())

    def child(name: str, port: int) -> Child:
        argv = (sys.executable, str(RIG), str(port), name, *(["fail"] if name.startswith("bad") else []))
        return Child(f"server-{name}", argv, port, "/healthz", tmp_path / f"{name}.log")

    whole.supervisor = Supervisor(whole.report, lambda: 0.5)
    client = InternalClient("http://127.0.0.1:9", b"")
    whole.following = Following(client, whole.supervisor, keys, child, whole.report, 5, frozenset({"lunch.example"}))
    try:
        yield whole
    finally:
        await whole.supervisor.stop(await whole.following.stop(), 5)


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not holds():  # noqa: ASYNC110 - what is awaited happens elsewhere
            await anyio.sleep(0.02)


async def test_a_registered_server_is_started_with_a_key_of_its_own_and_stopped_when_it_is_retired(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as whole:
        await whole.following.agree(told(sky=entry(), warehouse=entry(origin="fleet")))
        await until(lambda: ("server-sky", "running") in whole.said)
        assert set(whole.following.children()) == {"sky"}
        key = tmp_path / "keys" / "assertion-sky.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        await whole.following.agree(told(sky=entry("retired")))
        assert whole.said[-1] == ("server-sky", "stopped")
        assert whole.supervisor.pids() == {}
        assert not key.exists()


@pytest.mark.parametrize("at", ["registered", "in-review", "approved", "deployed", "suspended", "quarantined"])
async def test_its_guard_runs_at_every_stage_but_the_last(tmp_path: Path, at: str) -> None:
    async with stage(tmp_path) as whole:
        await whole.following.agree(told(sky=entry(at)))
        await until(lambda: ("server-sky", "running") in whole.said)


async def test_an_entry_that_changed_is_started_again_and_one_that_did_not_is_left_alone(tmp_path: Path) -> None:
    async with stage(tmp_path) as whole:
        await whole.following.agree(told(sky=entry(url="a"), sea=entry()))
        await until(lambda: len(whole.supervisor.pids()) == 2 and whole.said.count(("server-sea", "running")) == 1)
        await until(lambda: ("server-sky", "running") in whole.said)
        before = whole.supervisor.pids()
        await whole.following.agree(told(sky=entry("deployed", url="b"), sea=entry("deployed")))
        await until(lambda: whole.said.count(("server-sky", "running")) == 2)
        after = whole.supervisor.pids()
        assert before["server-sea"] == after["server-sea"]
        assert before["server-sky"] != after["server-sky"]


async def test_one_that_cannot_start_disturbs_no_other_and_is_not_in_the_way_of_the_end(tmp_path: Path) -> None:
    async with stage(tmp_path) as whole:
        await whole.following.agree(told(**{f"bad{n}": entry() for n in range(6)}, sky=entry()))
        ended = {("server-sky", "running"), *((f"server-bad{n}", "failed") for n in range(6))}
        await until(lambda: ended <= set(whole.said))
        assert any("it cannot start" in reason for reason in whole.reasons)
        await until(lambda: list(whole.supervisor.pids()) == ["server-sky"])  # between two tries of the others


async def test_a_look_finds_who_answers_and_who_does_not(tmp_path: Path) -> None:
    async with stage(tmp_path) as whole:
        await whole.following.agree(told(sky=entry(), bad=entry()))
        await until(lambda: ("server-sky", "running") in whole.said)
        places = {name: Place(child.port) for name, child in whole.following.children().items()}
        looks = {look["server"]: look for look in await look_at(places)}
        assert (looks["sky"]["condition"], looks["sky"]["version"]) == ("up", "1")
        assert (looks["bad"]["condition"], looks["bad"]["reason"]) == ("down", "it is away")


async def test_a_server_that_its_team_runs_gets_no_process_and_is_looked_at_where_it_is(tmp_path: Path) -> None:
    own = {"kind": "python", "url": "http://lunch.example:9000/mcp"}
    async with stage(tmp_path) as whole:
        await whole.following.agree(
            told(
                lunch=entry(**own),
                elsewhere=entry(**{**own, "url": "http://other.example:1/mcp"}),
                fleets=entry(origin="fleet", **{**own, "url": "http://other.example:1/mcp"}),
                ended=entry("retired", **own),
            )
        )
        assert whole.following.children() == {}
        assert whole.following.elsewhere() == {
            "lunch": Place(9000, host="lunch.example"),
            "fleets": Place(1, host="other.example"),
        }


async def test_who_answers_in_the_place_of_another_is_not_taken_for_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as whole:
        await whole.following.agree(told(sky=entry()))
        await until(lambda: ("server-sky", "running") in whole.said)
        (look,) = await look_at({"sea": Place(whole.following.children()["sky"].port)})
        assert (look["condition"], look["reason"]) == ("down", "something else answers where it should")
