"""Simulating a policy on a page: what is proposed in texts, what would change, and that nothing of it is in force."""

import asyncio
import csv
import io
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from tests.openapi_answers import validator
from tests.pages import hidden
from tests.visiting import Visit, words_of
from tests.web_site import NOW, PUBLIC_URL, declare

from pierhead.apps.registry import openapi
from pierhead.apps.registry.web.simulations import KEPT_S, MOST_KEPT, MOST_TOLD, Simulations, Started
from pierhead.core.errors import LimitExceeded, NotFound
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.simulate_policy import Change, Moved, Progress, Simulation, Unjudged

pytestmark = pytest.mark.anyio

FORM = "/access/simulate"
OPENED = "servers:\n  presto:\n    access: group:ads or group:data-eng\n"
FREEZE = '@id("freeze") @sentence("presto is frozen") forbid (principal, action, resource in Server::"presto");\n'


async def sign_in(visit: Visit, person: str) -> None:
    """At a site whose servers are all of a kind that is installed."""
    for name in ("presto", "time"):
        declare(visit.world, name, kind="sql")
    await visit.sign_in(person)


async def propose(visit: Visit, files: Any = (), **fields: str) -> httpx2.Response:
    """The form as a browser sends it."""
    token = hidden((await visit.http.get(FORM)).text, "token")
    parts: list[Any] = [(name, (None, text)) for name, text in {"token": token, "days": "30", **fields}.items()]
    parts += [*files, ("fleet_file", ("", b""))]
    return await visit.http.post(FORM, files=parts, headers={"origin": PUBLIC_URL})


async def found(visit: Visit, answer: httpx2.Response) -> Any:
    assert answer.status_code == 303, words_of(answer.text)
    place = answer.headers["location"]
    await asyncio.gather(*visit.world.site.simulations.running)
    return await visit.json(place)


def moved(view: Any, member: str) -> list[tuple[str, str, str]]:
    return [(each["who"], each["server"], each["moved"]) for each in view[member]]


async def test_a_pasted_part_of_a_fleet_file_is_simulated_and_who_gains_is_told_first(visit: Visit) -> None:
    await sign_in(visit, "carol")
    before = visit.world.site.snapshots.current()
    text = f"{OPENED}  time: {{access: nobody}}\n"
    answer = await propose(visit, fleet=text.replace("group:ads or ", "").replace("\n", "\r\n"))
    view = await found(visit, answer)
    assert ("bob", "presto", "loses") in moved(view, "changes")
    assert {each[1] for each in moved(view, "reach")} == {"presto", "time"}
    assert view["widens"] == []
    people = "people: {alice: {groups: [data-eng]}, bob: {groups: [data-eng]}, carol: {groups: []}}\n"
    view = await found(visit, await propose(visit, fleet=people))
    assert view["widens"] == ["bob"]
    assert moved(view, "reach")[0] == ("bob", "airflow", "gains")
    assert ("bob", "presto", "loses") in moved(view, "reach")
    page = await visit.text(f"/access/simulations/{view['id']}")
    assert "1 caller gains: bob." in page
    assert page.index("Gains") < page.index("Loses")
    assert visit.world.site.snapshots.current() is before
    assert visit.world.facts() == ["sign-in-succeeded"]


async def test_files_are_taken_as_texts_are(visit: Visit) -> None:
    await sign_in(visit, "carol")
    files = [
        ("fleet_file", ("fleet.yaml", b"servers:\n  presto: {access: nobody}\npolicies: [a.cedar, b.cedar]\n")),
        ("policy_files", ("a.cedar", FREEZE.encode())),
        ("policy_files", ("b.cedar", FREEZE.replace("presto", "time").encode())),
    ]
    view = await found(visit, await propose(visit, files))
    assert {(who, server) for who, server, _ in moved(view, "reach")} >= {("bob", "presto"), ("alice", "time")}


async def test_a_policy_alone_is_simulated_for_auditors(visit: Visit) -> None:
    await sign_in(visit, "carol")
    view = await found(visit, await propose(visit, policy=FREEZE))
    assert {(each["who"], each["server"], each["why"]) for each in view["changes"]} == {
        ("bob", "presto", "presto is frozen")
    }


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"fleet": "servers:\n  presto:\n    access: grp:ads\n"}, "fleet", "Fleet.yaml: line 3, column 13: servers"),
        ({"policy": f"{FREEZE}forbid (\n"}, "policy", "Company.cedar, line 2, column"),
        ({"policy": FREEZE.replace("presto", "prsto")}, "policy", "server &#39;prsto&#39; is not there"),
        ({"policy": FREEZE, "policy_name": "no.txt"}, "policy", "&#39;no.txt&#39; is no name of a policy file"),
        ({}, "fleet", "Nothing is proposed"),
        ({"fleet": "x" * 1_000_001}, "fleet", "It is longer than 1,000,000 characters"),
        ({"policy": "x" * 262_145}, "policy", "A policy file is longer than 262,144 characters"),
    ],
)
async def test_a_fault_comes_back_beside_its_field_with_line_and_column(
    visit: Visit, fields: dict[str, str], field: str, said: str
) -> None:
    await sign_in(visit, "carol")
    answer = await propose(visit, **fields)
    assert answer.status_code == 400
    beside = answer.text.partition(f'id="fault-{field}">')[2].partition("</span>")[0]
    assert said in beside, words_of(answer.text)[:600]
    if len(fields.get("fleet", "")) < 1000:
        assert fields.get("fleet", "") in answer.text


async def test_a_file_and_a_text_at_once_or_two_files_of_one_name_are_refused(visit: Visit) -> None:
    await sign_in(visit, "carol")
    both = await propose(visit, [("fleet_file", ("fleet.yaml", b"people: {}"))], fleet=OPENED)
    assert "Paste it or upload it, not both." in both.text
    twice = await propose(visit, [("policy_files", ("company.cedar", b"x"))], policy=FREEZE)
    assert "Two policy files have the same name." in twice.text
    again = [("policy_files", ("a.cedar", b"x")), ("policy_files", ("a.cedar", b"y"))]
    assert "a member is given twice" in words_of((await propose(visit, again)).text).lower()


async def test_what_is_no_text_or_no_form_with_files_is_refused(visit: Visit) -> None:
    await sign_in(visit, "carol")
    assert (await propose(visit, [("fleet_file", ("fleet.yaml", b"\xff\xfe"))])).status_code == 400
    assert (await visit.send(FORM, FORM, fleet=OPENED)).status_code == 400
    broken = {"origin": PUBLIC_URL, "content-type": "multipart/form-data; boundary=x"}
    for content, headers in ((b"--y", broken), (b"", broken | {"content-type": "multipart/form-data"})):
        assert (await visit.http.post(FORM, content=content, headers=headers)).status_code in {400, 403}
    too_much = await propose(visit, [("fleet_file", ("fleet.yaml", b"x" * 4_300_000))])
    assert too_much.status_code == 400


async def test_a_form_of_another_page_is_refused(visit: Visit) -> None:
    await sign_in(visit, "carol")
    answer = await visit.http.post(FORM, files={"fleet": (None, OPENED)}, headers={"origin": PUBLIC_URL})
    assert (answer.status_code, "wrong-origin" in answer.text) == (403, True)


async def test_owners_simulate_what_they_own_and_others_nothing(visit: Visit) -> None:
    await sign_in(visit, "bob")
    assert "You own no server here." in await visit.text(FORM)
    site = visit.world.site
    now = site.snapshots.current()
    owned = {**now.servers, "presto": replace(now.servers["presto"], owner="ads")}
    site.registry.served.put(Revision(99, "", "{}"), replace(now, revision=99, servers=owned))
    page = await visit.text(FORM)
    assert "Entries of presto." in page
    assert "Cedar" not in page
    view = await found(visit, await propose(visit, fleet="servers: {presto: {access: nobody}}"))
    assert ("bob", "presto", "loses") in moved(view, "reach")
    refused = await propose(visit, fleet=OPENED.replace("presto", "warehouse"))
    assert "you may not simulate warehouse" in refused.text
    for more in ({"policy": FREEZE}, {"fleet": "people: {bob: {groups: [data-eng]}}"}):
        assert "you may not simulate other" in (await propose(visit, **more)).text


async def test_what_came_of_it_is_for_who_started_it_alone(visit: Visit) -> None:
    await sign_in(visit, "carol")
    place = (await propose(visit, fleet=OPENED)).headers["location"]
    assert (await visit.http.get(place)).status_code == 200
    await sign_in(visit, "frank")
    assert (await visit.http.get(place)).status_code == 404
    assert (await visit.http.get(f"/api/v1/policy/simulations/{place.rpartition('/')[2]}")).status_code == 404


async def test_it_is_taken_along_as_a_table_without_a_formula_and_as_json(visit: Visit) -> None:
    await sign_in(visit, "alice")
    done = visit.world.site.simulations.find("sim_done", "alice")
    assert done.found is not None
    odd = replace(done.found.changes[0], why="=cmd()")
    done.found = replace(done.found, changes=(odd, *done.found.changes[1:]))
    place = "/api/v1/policy/simulations/sim_done"
    table = await visit.http.get(f"{place}?format=csv")
    assert table.headers["content-disposition"] == 'attachment; filename="policy-simulation.csv"'
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["about"] for row in rows] == ["recorded call"] * 3 + ["known caller"] * 4 + ["not judged"]
    assert (rows[0]["moved"], rows[0]["who"], rows[0]["calls"], rows[0]["why"]) == ("gains", "bob", "12", "'=cmd()")
    said = await visit.http.get(place)
    assert said.headers["content-disposition"] == 'attachment; filename="policy-simulation.json"'
    validator(openapi.document(PUBLIC_URL), "GET /api/v1/policy/simulations/{id}", 200).validate(said.json())
    assert [each["moved"] for each in said.json()["changes"]] == ["gains", "need not ask", "loses"]
    assert (await visit.http.get(f"{place}?format=pdf")).status_code == 400
    assert (await visit.http.get("/api/v1/policy/simulations/sim_running")).status_code == 409


async def test_one_that_runs_says_how_far_it_is_and_works_without_scripts(visit: Visit) -> None:
    await sign_in(visit, "alice")
    page = (await visit.http.get("/access/simulations/sim_running")).text
    assert "41,250 of 100,000 decisions" in page
    assert 'href="/access/simulations/sim_running"' in page
    running = visit.world.site.simulations.find("sim_running", "alice")
    running.progress = Progress()
    assert "It waits for its turn" in await visit.text("/access/simulations/sim_running")
    running.failed = True
    assert "The simulation failed." in await visit.text("/access/simulations/sim_running")


@pytest.mark.parametrize("each", Moved)
async def test_every_kind_of_change_has_its_badge(visit: Visit, each: Moved) -> None:
    await visit.sign_in("alice")
    done = visit.world.site.simulations.find("sim_done", "alice")
    change = Change("bob", "ide", "warehouse", "run_query", each, "approval (approve)", "approval (four-eyes)", "")
    done.found = Simulation(1, (change,), (), (), is_cut=False)
    said = await visit.text("/access/simulations/sim_done")
    assert f"{str(each).capitalize()} bob" in said
    assert "Ask (approve) Ask (four-eyes)" in said


async def test_a_simulation_that_changes_nothing_says_so(visit: Visit) -> None:
    await sign_in(visit, "carol")
    same = OPENED.replace(" or group:data-eng", "")
    view = await found(visit, await propose(visit, fleet=same))
    page = await visit.text(f"/access/simulations/{view['id']}")
    assert "Nothing changes for the calls that were replayed" in page
    now = visit.world.site.snapshots.current()
    visit.world.site.registry.served.put(Revision(99, "", "{}"), replace(now, revision=99))
    assert "The policy changed meanwhile." in await visit.text(f"/access/simulations/{view['id']}")


# -- where they are kept

NOTHING = Simulation(0, (), (), (), is_cut=False)


async def nothing(progress: Progress) -> Simulation:
    del progress
    return NOTHING


async def test_one_person_runs_one_at_a_time_and_they_take_turns() -> None:
    simulations, may_end, one_began = Simulations(MemoryClock(NOW)), asyncio.Event(), asyncio.Event()
    begun: list[Progress] = []

    async def run(progress: Progress) -> Simulation:
        begun.append(progress)
        one_began.set()
        await may_end.wait()
        return NOTHING

    first = asyncio.create_task(simulations.start(run, "ann", 0, 1, ()))
    second = asyncio.create_task(simulations.start(run, "ben", 0, 1, ()))
    await one_began.wait()
    with pytest.raises(LimitExceeded, match="your last simulation still runs"):
        await simulations.start(run, "ann", 0, 1, ())
    assert len(begun) == 1
    may_end.set()
    assert [(await each).is_running for each in (first, second)] == [False, False]
    assert len(begun) == 2
    assert not (await simulations.start(nothing, "ann", 0, 1, ())).is_running


async def test_few_run_at_once_at_all() -> None:
    simulations, never = Simulations(MemoryClock(NOW)), asyncio.Event()

    async def run(progress: Progress) -> Simulation:
        del progress
        await never.wait()
        return NOTHING

    starting = [asyncio.create_task(simulations.start(run, f"p{number}", 0, 1, ())) for number in range(MOST_KEPT)]
    await asyncio.sleep(0)
    with pytest.raises(LimitExceeded, match="too many"):
        await simulations.start(run, "one-more", 0, 1, ())
    never.set()
    await asyncio.gather(*starting)


async def test_one_that_fails_is_told_as_failed(caplog: pytest.LogCaptureFixture) -> None:
    async def run(progress: Progress) -> Simulation:
        raise OSError(f"the record is away after {progress.done}")

    simulations = Simulations(MemoryClock(NOW))
    started = await simulations.start(run, "ann", 0, 1, ())
    assert (started.failed, started.is_running) == (True, False)
    assert "a simulation failed" in caplog.text


async def test_they_are_kept_for_an_hour_and_the_oldest_of_too_many_goes_first() -> None:
    clock = MemoryClock(NOW)
    simulations = Simulations(clock)
    made: list[Started] = [await simulations.start(nothing, "ann", 0, 1, ()) for _ in range(MOST_KEPT + 1)]
    with pytest.raises(NotFound):
        simulations.find(made[0].id, "ann")
    assert simulations.find(made[-1].id, "ann") is made[-1]
    clock.seconds += KEPT_S + 1
    with pytest.raises(NotFound):
        simulations.find(made[-1].id, "ann")


async def test_what_is_kept_of_one_is_bounded_and_says_so() -> None:
    change = Change("a", "ide", "s", "t", Moved.GAINS, "refuse", "permit", "")

    async def run(progress: Progress) -> Simulation:
        del progress
        return Simulation(1, (change,) * (MOST_TOLD + 1), (), (Unjudged("x", 1, "y"),), is_cut=False)

    started = await Simulations(MemoryClock(NOW)).start(run, "ann", 0, 1, ())
    assert started.found is not None
    assert (len(started.found.changes), started.found.is_cut) == (MOST_TOLD, True)
