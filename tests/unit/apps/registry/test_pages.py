"""Every page and its twin: who sees what, what it says, and that it is safe to show."""

import re
from dataclasses import replace

import httpx2
import pytest
from starlette.applications import Starlette
from tests.pages import hidden
from tests.visiting import Inline, Visit
from tests.web_registry import SPARK_REVIEW, kept, registry
from tests.web_site import NOW, PUBLIC_URL, WAITING, build

from pierhead.apps.registry.web.pages import PAGES, Web
from pierhead.apps.registry.web.site import Site
from pierhead.usecases.memory import MemorySnapshots, snapshot_of
from pierhead.usecases.memory_records import MemoryRecords
from pierhead.usecases.memory_sign_in import KnownPeople
from pierhead.usecases.ports_records import ChainState

pytestmark = pytest.mark.anyio

FILLED = {
    "{name}": "warehouse",
    "/calls/{id}": "/calls/0199-00-02",
    "/access/simulations/{id}": "/access/simulations/sim_done",
    "/reviews/{id}": f"/reviews/{SPARK_REVIEW}",
    "/approvals/{id}": f"/approvals/{WAITING.id}",
    "/approvals/{id}/approve": f"/approvals/{WAITING.id}/approve",
}
ADDRESSES = [re.sub("|".join(map(re.escape, FILLED)), lambda found: FILLED[found[0]], path) for path in PAGES]
EVERYWHERE = [*ADDRESSES, "/sign-in", "/docs", "/servers/nothing-here", "/calls/nothing-here"]


@pytest.mark.parametrize("path", EVERYWHERE)
async def test_no_page_holds_inline_code_style_or_foreign_addresses(visit: Visit, path: str) -> None:
    await visit.sign_in("alice")
    page = await visit.http.get(path)
    seen = Inline()
    seen.feed(page.text)

    assert seen.found == []
    assert seen.headings == 1
    assert {"header", "nav", "main", "footer"} <= seen.landmarks


@pytest.mark.parametrize("path", [*EVERYWHERE, *(f"{path}.json" for path in ADDRESSES), "/"])
async def test_every_answer_is_kept_nowhere_and_under_the_content_policy(visit: Visit, path: str) -> None:
    await visit.sign_in("alice")
    headers = (await visit.http.get(path)).headers

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


@pytest.mark.parametrize("path", ADDRESSES)
async def test_nobody_sees_a_page_or_its_twin_without_signing_in(visit: Visit, path: str) -> None:
    page = await visit.http.get(path)
    twin = await visit.http.get(f"{path}.json")

    assert page.status_code == 303
    assert page.headers["location"].startswith("/sign-in?next=%2F")
    assert (twin.status_code, twin.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("path", ADDRESSES)
async def test_every_page_has_a_twin_of_the_same_view(visit: Visit, path: str) -> None:
    await visit.sign_in("frank" if path in {"/admin", "/approvals/fatigue"} else "alice")
    twin = await visit.http.get(f"{path}.json")

    assert twin.status_code == 200
    assert isinstance(twin.json(), dict)


async def test_the_catalogue_says_what_you_can_call(visit: Visit) -> None:
    await visit.sign_in("alice")
    page = (await visit.http.get("/servers")).text
    twin = await visit.json("/servers")

    assert "Six servers. Three you can call." in page
    assert twin["callable"] == 3


async def test_the_catalogue_differs_by_who_looks(visit: Visit) -> None:
    await visit.sign_in("bob")

    assert "Six servers. Two you can call." in (await visit.http.get("/servers")).text


async def test_search_finds_by_name_purpose_and_owner(visit: Visit) -> None:
    await visit.sign_in("alice")

    assert [line["name"] for line in (await visit.json("/servers?search=LAKE"))["servers"]] == ["presto"]
    assert "One server found. None you can call." in (await visit.http.get("/servers?search=lake")).text
    assert "holds &#34;nope&#34;" in (await visit.http.get("/servers?search=nope")).text


async def test_a_server_says_what_you_may_do_and_why(visit: Visit) -> None:
    await visit.sign_in("alice")
    tools = {tool["name"]: tool["you"] for tool in (await visit.json("/servers/airflow"))["tools"]}

    assert tools["get_task_log"]["decision"] == "permit"
    assert [rule["rule"] for rule in tools["get_task_log"]["rules"]] == [
        "airflow.access[0]",
        "airflow.get_task_log.policy",
    ]
    assert tools["clear_task"]["decision"] == "ask"
    assert tools["delete_dag_run"]["decision"] == "refuse"
    assert tools["delete_dag_run"]["whom_to_ask"] == "ask data-platform in #airflow-help"


async def test_a_server_that_is_not_live_can_be_called_by_nobody(visit: Visit) -> None:
    await visit.sign_in("alice")
    page = (await visit.http.get("/servers/knowledge")).text

    assert "Quarantined" in page
    assert (await visit.json("/servers/knowledge"))["tools"] == []


async def test_a_server_you_may_not_call_names_whom_to_ask_instead_of_a_line_to_paste(visit: Visit) -> None:
    await visit.sign_in("alice")
    page = (await visit.http.get("/servers/presto")).text

    assert "You can call no tool here. Ask data-platform in #presto-help." in page
    assert "claude mcp add" not in page


async def test_a_process_that_restarts_is_noticed(visit: Visit) -> None:
    await visit.sign_in("alice")
    page = (await visit.http.get("/servers/airflow")).text

    assert "exit code 137, next try in 4 s" in page
    assert "Other servers are not affected." in page


async def test_everyone_sees_their_own_calls_and_auditors_everyones(visit: Visit) -> None:
    await visit.sign_in("bob")
    own = await visit.json("/audit?person=alice")
    await visit.sign_in("frank")
    every = await visit.json("/audit")
    alices = await visit.json("/audit?person=alice")

    assert {call["principal"] for call in own["calls"]} == {"bob"}
    assert {call["principal"] for call in every["calls"]} == {"alice", "bob"}
    assert {call["principal"] for call in alices["calls"]} == {"alice"}


async def test_filters_narrow_the_audit(visit: Visit) -> None:
    await visit.sign_in("frank")
    refused = await visit.json("/audit?decision=refuse&days=30&server=warehouse")
    odd = await visit.json("/audit?decision=anything&days=-1")

    assert {(call["decision"], call["server"]) for call in refused["calls"]} == {("refuse", "warehouse")}
    assert (odd["decision"], odd["days"]) == ("", 7)


async def test_anothers_call_reads_as_one_that_is_not_there(visit: Visit) -> None:
    await visit.sign_in("bob")
    [of_alice] = [row for row in visit.world.records.rows if row.call_id == "0199-00-02"]
    anothers = await visit.http.get(f"/calls/{of_alice.call_id}.json")
    absent = await visit.http.get("/calls/nothing-here.json")
    await visit.sign_in("carol")
    audited = await visit.http.get(f"/calls/{of_alice.call_id}.json")

    assert of_alice.principal == "alice"
    assert (anothers.status_code, anothers.content) == (absent.status_code, absent.content) == (404, absent.content)
    assert audited.status_code == 200


async def test_a_call_shows_every_rule_once_and_every_fact(visit: Visit) -> None:
    await visit.sign_in("alice")
    page = (await visit.http.get("/calls/0199-00-02")).text

    assert page.count("<code>warehouse.access[0]</code>") == 1
    assert "Call started, says gateway" in page
    assert "Call finished, says server-warehouse" in page
    assert "[text 118]" in page


async def test_a_broken_chain_is_said_first(visit: Visit) -> None:
    visit.world.records.state = ChainState(records=9, verified_to=0.0, broken="gateway record 7")
    await visit.sign_in("frank")
    page = (await visit.http.get("/audit")).text

    assert page.index("The chain is broken.") < page.index("<table")
    assert "gateway record 7" in page


async def test_nothing_recorded_is_said_in_words(visit: Visit) -> None:
    visit.world.records.rows.clear()
    visit.world.records.state = MemoryRecords().state
    await visit.sign_in("alice")

    assert "Nothing recorded yet" in (await visit.http.get("/audit")).text
    assert "No calls in this period" in (await visit.http.get("/impact")).text
    assert "No calls yet" in (await visit.http.get("/servers/warehouse")).text


async def test_impact_follows_its_own_formula(visit: Visit) -> None:
    await visit.sign_in("bob")
    view = await visit.json("/impact?days=30")
    by_hand = sum(row.minutes for row in visit.world.records.rows if row.outcome == "ok") / 60

    assert view["hours"] == pytest.approx(by_hand)
    assert view["hours"] == pytest.approx(sum(use["hours"] for use in view["uses"]))
    good = [row for row in visit.world.records.rows if row.outcome == "ok"]
    covered = [row for row in good if row.server != "airflow"]
    assert view["coverage"] == pytest.approx(len(covered) / len(good))
    assert view["expired"] == len(good) - len(covered) > 0
    assert view["hours_low"] == pytest.approx(sum(row.minutes / 2 for row in covered) / 60)
    assert view["hours_high"] == pytest.approx(sum(row.minutes * 2 for row in covered) / 60)
    page = (await visit.http.get("/impact")).text
    assert f"{view['hours_low']:,.1f} to {view['hours_high']:,.1f} hours saved in 30 days" in page
    assert f"{view['hours']:,.1f} hours gross" in page
    assert "ran on an expired one and count 0 in the range" in page


async def test_impact_without_an_estimate_in_date_is_gross_alone(visit: Visit) -> None:
    visit.world.records.rows[:] = [replace(row, minutes_stated_at=0.0) for row in visit.world.records.rows]
    await visit.sign_in("bob")
    page = (await visit.http.get("/impact")).text
    assert "hours saved in 30 days, gross" in page
    assert "no range" in page
    assert "None of them ran on an expired one." in page


async def test_connect_lists_what_you_can_call_and_no_secret(visit: Visit) -> None:
    await visit.sign_in("alice")
    view = await visit.json("/connect")
    text = (await visit.http.get("/connect")).text

    assert [each["server"] for each in view["connections"]] == ["airflow", "time", "warehouse"]
    assert f"claude mcp add --transport http --scope user time {PUBLIC_URL}/mcp/time" in text
    assert "Bearer" not in text
    assert view["allow_lists"] == []


async def test_connect_shows_every_clients_file_as_the_program_writes_it(visit: Visit) -> None:
    await visit.sign_in("alice")
    clients = (await visit.json("/connect"))["clients"]
    assert len(clients) == 24
    for client, name in clients:
        view = await visit.json(f"/connect?client={client}&server=time")
        assert (view["client"]["name"], [each["server"] for each in view["connections"]]) == (name, ["time"])
        assert f"{PUBLIC_URL}/mcp/time" in view["client"]["document"]


async def test_connect_links_to_clients_that_install_by_one_click(visit: Visit) -> None:
    await visit.sign_in("alice")
    text = (await visit.http.get("/connect?client=cursor&server=time")).text
    assert 'href="cursor://anysphere.cursor-deeplink/mcp/install?name=time&amp;config=' in text


async def test_connect_shows_nothing_of_a_server_that_you_may_not_use(visit: Visit) -> None:
    await visit.sign_in("bob")
    view = await visit.json("/connect?server=warehouse")
    assert "warehouse" not in view["servers"]
    assert "/mcp/warehouse" not in (await visit.http.get("/connect?server=warehouse")).text


async def test_allow_lists_are_shown_to_administrators(visit: Visit) -> None:
    await visit.sign_in("frank")
    names = {each["name"] for each in (await visit.json("/connect"))["allow_lists"]}
    assert {"managed-mcp.json", "managed-settings.json", "requirements.toml", "policy.json"} <= names


async def test_what_owners_and_clients_write_is_text(visit: Visit) -> None:
    row = visit.world.records.rows[3]
    hostile = replace(row, client="<img src=x onerror=alert(1)>", sentence="</p><script>1</script>", principal="alice")
    visit.world.records.rows[3] = hostile
    await visit.sign_in("alice")
    for path in (f"/calls/{row.call_id}", "/audit"):
        seen = Inline()
        seen.feed((await visit.http.get(path)).text)
        assert seen.found == []


async def test_a_look_is_remembered_and_only_a_look(visit: Visit) -> None:
    await visit.sign_in("alice")
    page = await visit.http.get("/servers")
    form = {"token": hidden(page.text, "token"), "next": "/audit", "look": "dark"}
    chosen = await visit.http.post("/-/look", data=form, headers={"origin": PUBLIC_URL})
    dark = await visit.http.get("/servers")
    await visit.http.post("/-/look", data={**form, "look": '"><b>'}, headers={"origin": PUBLIC_URL})
    odd = await visit.http.get("/servers")

    assert chosen.headers["location"] == "/audit"
    assert '<html lang="en" data-look="dark">' in dark.text
    assert '<html lang="en">' in odd.text


async def test_signing_out_ends_the_session(visit: Visit) -> None:
    await visit.sign_in("alice")
    page = await visit.http.get("/servers")
    without = await visit.http.post("/sign-out", data={"token": "x"}, headers={"origin": PUBLIC_URL})
    assert (await visit.http.get("/servers")).status_code == 200
    form = {"token": hidden(page.text, "token")}
    await visit.http.post("/sign-out", data=form, headers={"origin": PUBLIC_URL})

    assert without.status_code == 403
    assert (await visit.http.get("/servers")).status_code == 303


@pytest.mark.parametrize("change", ["person", "proof", "seal", "junk", "old"])
async def test_a_session_that_was_touched_or_is_old_is_none(visit: Visit, change: str) -> None:
    await visit.sign_in("alice")
    identity, person, since, proved, seal = visit.http.cookies["pierhead_session"].strip('"').split(".")
    forged = {
        "person": f"{identity}.ZnJhbms.{since}.{proved}.{seal}",
        "proof": f"{identity}.{person}.{since}.{int(proved) + 9}.{seal}",
        "seal": f"{identity}.{person}.{since}.{proved}.{'A' * len(seal)}",
        "junk": "a.b.c.d.é",
        "old": f"{identity}.{person}.{since}.{proved}.{seal}",
    }[change]
    if change == "old":
        visit.world.clock.seconds += 13 * 3600
    raw = forged.encode("latin-1")
    visit.http.cookies.clear()
    answer = await visit.http.get("/servers", headers=[(b"cookie", b"pierhead_session=" + raw)])

    assert person == "YWxpY2U"
    assert answer.status_code == 303


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(visit: Visit) -> None:
    answer = await visit.http.get("/sign-in")

    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=lax" in answer.headers["set-cookie"]


async def test_signing_in_changes_the_session_id(visit: Visit) -> None:
    await visit.http.get("/sign-in")
    before = visit.http.cookies["pierhead_session"]
    await visit.sign_in("alice")

    assert visit.http.cookies["pierhead_session"].split(".")[0] != before.split(".")[0]


@pytest.mark.parametrize("path", [*ADDRESSES, "/sign-out", "/oauth/token", "/-/look"])
async def test_other_methods_change_nothing(visit: Visit, path: str) -> None:
    await visit.sign_in("alice")
    method = "PUT" if path.startswith("/oauth") else "DELETE"

    assert (await visit.http.request(method, path)).status_code == 405


async def test_a_refusal_tells_code_message_and_hint(visit: Visit) -> None:
    await visit.sign_in("alice")
    answer = await visit.http.get("/servers/nothing-here.json")

    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "message", "hint"}


async def test_old_calls_are_out_of_the_period(visit: Visit) -> None:
    await visit.sign_in("frank")
    short, long = await visit.json("/impact?days=1"), await visit.json("/impact?days=30")

    assert short["calls"] < long["calls"]
    assert len(short["by_day"]) <= 2


async def test_a_refused_call_says_that_no_rule_permitted_it(visit: Visit) -> None:
    refused = next(row for row in visit.world.records.rows if row.decision == "refuse" and row.at > NOW - 86_400)
    await visit.sign_in("frank")
    page = (await visit.http.get(f"/calls/{refused.call_id}")).text

    assert "No rule permitted it, and no match means no." in page
    assert "Did not run: cannot-reach" in page


async def test_without_people_or_servers_pages_say_how_to_begin() -> None:
    world = build()
    desk = replace(world.site.tokens, people=KnownPeople({}))
    empty = replace(
        world.site, snapshots=MemorySnapshots(snapshot_of([], [])), registry=registry(kept([], [], NOW), world.clock)
    )
    async with pages_of(replace(world.site, tokens=desk)) as nobody, pages_of(empty) as nothing:
        text = (await nobody.get("/sign-in")).text
        visit = Visit(world, nothing)
        await visit.sign_in("alice")
        catalogue = (await nothing.get("/servers")).text
        connect = (await nothing.get("/connect")).text

    assert "the fleet file names no people" in text
    assert "No servers. None you can call." in catalogue
    assert "pierhead up --fleet fleet.yaml" in catalogue
    assert "You can call no server yet." in connect


def pages_of(site: Site) -> httpx2.AsyncClient:
    app = Starlette(routes=Web(site).routes())
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=PUBLIC_URL)
