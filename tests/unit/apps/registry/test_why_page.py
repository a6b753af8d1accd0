"""The page "why may I, or why may I not?": its answer is that of a call, its reasons are told to whom they concern."""

from dataclasses import replace

import pytest
from tests.visiting import Visit

from pierhead.apps.registry.web.view_why import in_words
from pierhead.core.approval import Approval
from pierhead.core.bounds import read_bounds
from pierhead.core.catalog import Discovery
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.usecases.ports_registry import Revision

pytestmark = pytest.mark.anyio

WAREHOUSE = "/why?server=warehouse&tool=run_query"


async def test_what_is_permitted_is_told_layer_by_layer(visit: Visit) -> None:
    await visit.sign_in("alice")
    view = await visit.json(WAREHOUSE)
    assert (view["decision"], view["is_own"]) == ("permit", True)
    reach, use = view["layers"]
    assert reach["rules"][0]["sentence"] == (
        "Lets people reach it: access admits members of analytics or members of data-eng."
    )
    assert (use["question"], use["decision"], use["open_to"]) == ("use", "permit", ["members of data-eng"])


async def test_what_is_refused_names_the_layer_and_whom_to_ask(visit: Visit) -> None:
    await visit.sign_in("bob")
    view = await visit.json(WAREHOUSE)
    assert (view["decision"], view["sentence"]) == ("refuse", "no rule lets bob reach it as a person")
    assert view["to_do"] == "ask data-platform in #warehouse-help: they can change this"
    assert [layer["decision"] for layer in view["layers"]] == ["refuse", "refuse"]
    page = (await visit.http.get("/why?server=warehouse&tool=run_query")).text
    assert "No rule took part for bob." in page
    assert "Open to: members of analytics; members of data-eng." in page or "members of analytics or members" in page


async def test_an_approval_is_an_ask_and_says_what_comes_next(visit: Visit) -> None:
    await visit.sign_in("alice")
    view = await visit.json("/why?server=airflow&tool=clear_task")
    assert view["decision"] == "ask"
    assert view["layers"][1]["sentence"] == "alice may use the tool, once somebody agrees"
    assert "waits for another person's yes" in view["to_do"]


async def test_reach_alone_is_asked_where_no_tool_is_named(visit: Visit) -> None:
    await visit.sign_in("alice")
    view = await visit.json("/why?server=warehouse")
    assert [layer["question"] for layer in view["layers"]] == ["reach"]
    assert view["sentence"] == "alice may reach warehouse"


async def test_a_stopped_server_says_that_nobody_can_call_it(visit: Visit) -> None:
    await visit.sign_in("alice")
    view = await visit.json("/why?server=knowledge")
    assert (view["decision"], view["layers"]) == ("refuse", [])
    assert view["sentence"] == "knowledge is quarantined: nobody can call it"


async def test_a_narrowing_is_told_as_what_stops_the_call(visit: Visit) -> None:
    await visit.sign_in("alice")
    site = visit.world.site
    now = site.snapshots.current()
    server = now.servers["warehouse"]
    tool = replace(server.tools["run_query"], narrowed=parse_who("user:zoe"), approval=Approval.NONE)
    servers = {**now.servers, "warehouse": replace(server, tools={**server.tools, "run_query": tool})}
    rows = {**now.rows, "warehouse": (Row("warehouse", parse_who("everyone"), EVERY, EVERY, EVERY),)}
    site.registry.served.put(Revision(99, "", "{}"), replace(now, revision=99, servers=servers, rows=rows))
    view = await visit.json(WAREHOUSE)
    assert view["layers"][1]["rules"][-1]["sentence"] == "Stops the call: the fleet narrows run_query to zoe."
    assert view["layers"][1]["open_to"] == ["members of data-eng", "zoe"]


async def test_a_condition_on_arguments_is_told_and_asks_nobody(visit: Visit) -> None:
    await visit.sign_in("alice")
    site = visit.world.site
    now = site.snapshots.current()
    server = now.servers["warehouse"]
    tool = replace(server.tools["run_query"], narrowed_bounds=read_bounds(None, "limit <= 100"))
    servers = {**now.servers, "warehouse": replace(server, tools={**server.tools, "run_query": tool})}
    site.registry.served.put(Revision(99, "", "{}"), replace(now, revision=99, servers=servers))
    view = await visit.json(WAREHOUSE)
    assert (view["decision"], view["sentence"]) == ("permit", "alice may use run_query")
    assert view["layers"][1]["rules"][-1]["sentence"] == "Hangs on the arguments of each call: limit <= 100."


async def test_a_gated_server_reads_as_one_that_is_not_there(visit: Visit) -> None:
    site = visit.world.site
    now = site.snapshots.current()
    gated = {**now.servers, "warehouse": replace(now.servers["warehouse"], discovery=Discovery.GATED)}
    site.registry.served.put(Revision(99, "", "{}"), replace(now, revision=99, servers=gated))
    for person, status in (("bob", 404), ("alice", 200), ("carol", 200)):
        await visit.sign_in(person)
        assert (await visit.http.get(WAREHOUSE)).status_code == status
        assert ("warehouse" in (await visit.json("/why"))["servers"]) == (status == 200)


async def test_others_are_asked_about_by_administrators_auditors_and_the_servers_owners(visit: Visit) -> None:
    question = f"{WAREHOUSE}&person=bob"
    for person, may in (("frank", True), ("carol", True), ("alice", False)):
        await visit.sign_in(person)
        answer = await visit.http.get(question)
        assert answer.status_code == (200 if may else 403)
    site = visit.world.site
    now = site.snapshots.current()
    owned = {**now.servers, "warehouse": replace(now.servers["warehouse"], owner="data-eng")}
    site.registry.served.put(Revision(99, "", "{}"), replace(now, revision=99, servers=owned))
    view = await visit.json(question)
    assert (view["person"], view["decision"], view["people"]) == ("bob", "refuse", [])
    assert "May <bdi>bob</bdi>" in (await visit.http.get(question)).text


async def test_the_surface_is_part_of_the_question(visit: Visit) -> None:
    await visit.sign_in("alice")
    site = visit.world.site
    now = site.snapshots.current()
    rows = {**now.rows, "warehouse": (Row("warehouse", parse_who("everyone"), frozenset({"ide"}), EVERY, EVERY),)}
    site.registry.served.put(Revision(99, "", "{}"), replace(now, revision=99, rows=rows))
    assert (await visit.json(WAREHOUSE))["decision"] == "permit"
    assert (await visit.json(f"{WAREHOUSE}&surface=chat"))["decision"] == "refuse"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("server=nothing-here", 404),
        ("server=warehouse&tool=drop_everything", 404),
        ("server=warehouse&person=nobody-here", 404),
        ("serv=warehouse", 400),
        (f"server={'x' * 300}", 400),
    ],
)
async def test_what_is_not_there_and_what_cannot_be_read_are_told(visit: Visit, query: str, status: int) -> None:
    await visit.sign_in("frank")
    assert (await visit.http.get(f"/why.json?{query}")).status_code == status
    assert (await visit.http.get(f"/why?{query}")).status_code == status


def test_short_forms_are_told_in_words() -> None:
    assert (
        in_words("group:ads or user:ann or workload:spiffe://a/b")
        == "members of ads or ann or the workload spiffe://a/b"
    )


# -- who can


async def test_auditors_see_who_can_and_everyone_else_is_led_to_why(visit: Visit) -> None:
    await visit.sign_in("alice")
    view = await visit.json("/access")
    assert (view["may_ask"], view["grants"]) == (False, [])
    assert 'href="/why"' in (await visit.http.get("/access")).text
    await visit.sign_in("carol")
    view = await visit.json("/access?tool=run_query")
    assert {(each["who"], each["server"]) for each in view["grants"]} == {
        ("members of data-eng", "warehouse"),
        ("members of ads", "presto"),
    }
    assert "2 grants on tool run_query." in await visit.text("/access?tool=run_query")


async def test_servers_that_leave_it_to_company_policies_are_said_to_be_not_judged(visit: Visit) -> None:
    await visit.sign_in("carol")
    site = visit.world.site
    now = site.snapshots.current()
    rows = {**now.rows, "presto": (Row("presto", parse_who("policies"), EVERY, EVERY, EVERY),)}
    site.registry.served.put(Revision(99, "", "{}"), replace(now, revision=99, rows=rows))
    view = await visit.json("/access?server=presto")
    assert view["not_judged"] == ["presto: company policies decide who; told are those whom they name"]


async def test_servers_that_declare_no_tables_are_said_to_be_not_judged(visit: Visit) -> None:
    await visit.sign_in("carol")
    assert "time: it declares no tables" in await visit.text("/access?table=flights")
    assert "Nobody can, by any rule." in await visit.text("/access?table=flights")


@pytest.mark.parametrize(("query", "status"), [("serv=x", 400), ("server=nothing-here", 404), ("tool=a&table=b", 400)])
async def test_a_question_about_access_that_cannot_be_answered_says_so(visit: Visit, query: str, status: int) -> None:
    await visit.sign_in("carol")
    assert (await visit.http.get(f"/access?{query}")).status_code == status
