"""The catalogue, one server, registering one, and the administration: what each person sees there and may change."""

import re
from dataclasses import replace

import pytest
from tests.visiting import Inline, Visit, kept, words_of
from tests.web_registry import HOSTILE_WORDS
from tests.web_site import LONG_AGO, NOW, SERVERS, called_by_teams, declare

from pierhead.apps.registry.web.view_servers import PAGE
from pierhead.core.catalog import Stage
from pierhead.core.cost import Price
from pierhead.core.enrolment import Enrolment
from pierhead.core.health import lately
from pierhead.core.usage import Minutes
from pierhead.usecases.memory import MemorySnapshots, snapshot_of
from pierhead.usecases.memory_health import MemoryHealths

pytestmark = pytest.mark.anyio


async def names(visit: Visit, query: str) -> list[str]:
    return [line["name"] for line in (await visit.json(f"/servers?{query}"))["servers"]]


async def test_search_finds_by_tool_title_and_owner_whatever_the_case(visit: Visit) -> None:
    await visit.sign_in("alice")

    assert await names(visit, "search=CONVERT_time") == ["time"]
    assert await names(visit, "search=submit_job") == ["spark"]
    assert len(await names(visit, "search=data-PLATFORM")) == 6
    assert await names(visit, "search=nothing-like-it") == []


async def test_filters_narrow_by_stage_and_owner(visit: Visit) -> None:
    await visit.sign_in("alice")
    page = await visit.text("/servers?stage=in-review")

    assert await names(visit, "stage=in-review") == ["spark"]
    assert await names(visit, "stage=quarantined&owner=data-platform") == ["knowledge"]
    assert await names(visit, "owner=data") == []
    assert await names(visit, "stage=anything") == []
    assert "One server found. None you can call." in page
    assert "No server fits." in await visit.text("/servers?owner=nobody-here")


async def test_a_long_catalogue_has_pages_and_its_heading_counts_all(visit: Visit) -> None:
    many = [replace(SERVERS[1], name=f"time-{number:03d}") for number in range(120)]
    site = replace(visit.world.site, snapshots=MemorySnapshots(snapshot_of([*many, *SERVERS], [], revision=9)))
    object.__setattr__(visit.world.site, "snapshots", site.snapshots)
    await visit.sign_in("alice")
    first, last = await visit.json("/servers"), await visit.json("/servers?page=3")
    beyond = await visit.json("/servers?page=99999")
    page = await visit.http.get("/servers?search=time&page=2")

    assert (len(first["servers"]), first["pages"], first["found"]) == (PAGE, 3, 126)
    assert len(last["servers"]) == 26
    assert beyond["asked"]["page"] == 3
    assert "121 servers found." in page.text
    assert 'href="/servers?search=time"' in page.text
    assert 'href="/servers?search=time&amp;page=3"' in page.text


@pytest.mark.parametrize("page", ["0", "-3", "x", "9" * 40, "²"])
async def test_a_page_that_is_no_number_is_the_first(visit: Visit, page: str) -> None:
    await visit.sign_in("alice")

    assert (await visit.json(f"/servers?page={page}"))["asked"]["page"] == 1


async def test_a_withheld_tool_is_named_with_its_reason_and_without_its_text(visit: Visit) -> None:
    await visit.sign_in("bob")
    tools = {tool["name"]: tool for tool in (await visit.json("/servers/presto"))["tools"]}
    page = await visit.text("/servers/presto")

    assert "1 tool withheld." in await visit.text("/servers")
    assert "1 tool is withheld. Nobody sees or calls what was not signed" in page
    assert "Withheld: nobody has reviewed this tool yet." in page
    assert tools["drop_table"]["description"] == ""
    assert tools["drop_table"]["you"]["decision"] == "refuse"
    assert tools["run_query"]["you"]["decision"] == "permit"


async def test_a_server_tells_what_was_checked_apart_from_what_was_said(visit: Visit) -> None:
    await visit.sign_in("alice")
    page = await visit.text("/servers/warehouse")
    view = await visit.json("/servers/warehouse")
    checked = page[page.index("Checked by Pierhead") : page.index("Said by the owner")]
    said = page[page.index("Said by the owner") :]
    current = next(line for line in view["versions"]["lines"] if line["is_current"])

    assert current["version"] == "1.4.0"
    assert current["tools_digest"][:16] in checked
    assert "Definitions as signed" in checked
    assert "data-platform" in said
    assert "https://code.corp.example/warehouse" in said
    assert "Data class internal" in said
    assert f"about {view['tokens']} tokens (bytes of name" in page
    assert view["tokens"] == sum(tool["tokens"] for tool in view["tools"])


async def test_a_tool_that_your_role_on_the_source_keeps_back_is_not_said_to_be_yours(visit: Visit) -> None:
    declare(visit.world, "warehouse", roles={"planner": {"tables": ["flights"], "operations": ["read"], "sql": False}})
    await visit.sign_in("alice")
    tools = {tool["name"]: tool["you"] for tool in (await visit.json("/servers/warehouse"))["tools"]}

    assert tools["list_tables"]["decision"] == "permit"
    assert tools["run_query"] == {
        **tools["run_query"],
        "decision": "refuse",
        "sentence": "your role here, planner, does not send SQL",
        "whom_to_ask": "ask data-platform in #warehouse-help",
    }
    assert "your role here, planner, does not send SQL" in await visit.text("/servers/warehouse")


async def test_use_and_time_saved_are_those_of_the_server_alone(visit: Visit) -> None:
    await visit.sign_in("alice")
    use = (await visit.json("/servers/airflow"))["use"]
    rows = [row for row in visit.world.records.rows if row.server == "airflow" and row.decision == "permit"]

    assert use["calls"] == len(rows)
    assert use["hours"] == pytest.approx(sum(row.minutes for row in rows if row.outcome == "ok") / 60)
    assert (use["coverage"], use["hours_high"]) == (0, 0)
    page = await visit.text("/servers/airflow")
    assert "no range: no estimate was in date" in page
    assert f"{use['expired']} calls on an expired estimate: 0 in the range" in page


async def test_time_saved_is_told_from_low_to_high_beside_the_gross_figure(visit: Visit) -> None:
    await visit.sign_in("alice")
    use = (await visit.json("/servers/warehouse"))["use"]
    page = await visit.text("/servers/warehouse")
    assert (use["hours_low"], use["hours_high"]) == (pytest.approx(use["hours"] / 2), pytest.approx(use["hours"] * 2))
    assert f"{use['hours_low']:.1f} to {use['hours_high']:.1f} h, over 100% of the calls that count" in page
    assert f"{use['hours']:.1f} h gross" in page
    assert "holds until 2027-05-05" in page


async def test_results_are_told_in_tokens_and_in_money_where_the_operator_says_what_they_cost(visit: Visit) -> None:
    await visit.sign_in("alice")
    calls = (await visit.json("/servers/warehouse"))["use"]["calls"]
    page = await visit.text("/servers/warehouse")
    assert f"at least {calls * 1_000:,} tokens, 1,000 a call" in page
    assert "EUR" not in page
    object.__setattr__(visit.world.site, "price", Price(3.0, "EUR"))
    page = await visit.text("/servers/warehouse")
    assert "1,000 a call, 0.0030 EUR" in page
    assert "265 tokens a turn, 0.7950 EUR" in page


async def test_owners_are_shown_what_teams_cost_and_others_are_not(visit: Visit) -> None:
    object.__setattr__(visit.world.site, "teams", ("data-eng", "ads"))
    visit.world.records.rows[:] = called_by_teams(visit.world.records.rows)
    await visit.sign_in("bob")
    assert (await visit.json("/servers/warehouse"))["use"]["showback"] is None
    assert "What teams cost" not in await visit.text("/servers/warehouse")
    await visit.sign_in("frank")
    use = (await visit.json("/servers/warehouse"))["use"]
    assert [(row["share"], row["team"], row["people"]) for row in use["showback"]] == [
        ("team", "data-eng", 6),
        ("others", "", 6),
        ("programs", "", 0),
    ]
    assert sum(row["result_tokens"] for row in use["showback"]) == use["cost"]["result_tokens"]
    page = words_of(await visit.text("/servers/warehouse"))
    assert "What teams cost, 30 days" in page
    assert "programs without a person" in page
    assert "ads" not in page[page.index("What teams cost") :][:300]
    object.__setattr__(visit.world.site, "price", Price(3.0, "EUR"))
    assert "EUR" in await visit.text("/servers/warehouse#showback")


async def test_of_few_people_one_row_is_shown_and_of_no_calls_none(visit: Visit) -> None:
    object.__setattr__(visit.world.site, "teams", ("data-eng",))
    await visit.sign_in("frank")
    page = words_of(await visit.text("/servers/warehouse"))
    assert "everyone: fewer than 5 people are not told apart" in page
    visit.world.records.rows.clear()
    assert "Nobody called it." in await visit.text("/servers/warehouse")


async def test_an_estimate_that_is_too_old_or_nothing_is_said_to_be(visit: Visit) -> None:
    time = next(server for server in SERVERS if server.name == "time")
    old, nothing = time.tools.values()
    told = (
        replace(old, minutes=replace(old.minutes, stated_at=LONG_AGO)),
        replace(nothing, minutes=Minutes.estimate(0)),
        replace(nothing, name="undated", minutes=Minutes.estimate(5)),
    )
    served = MemorySnapshots(snapshot_of([replace(time, tools={tool.name: tool for tool in told})], [], revision=9))
    object.__setattr__(visit.world.site, "snapshots", served)
    await visit.sign_in("alice")
    page = await visit.text("/servers/time")
    assert "expired on 2026-07-21" in page
    assert "Saves no time by itself" in page
    assert "Saves about 5 min a call (owner's estimate)" in page


async def test_versions_have_their_reasons_and_their_history(visit: Visit) -> None:
    await visit.sign_in("alice")
    page = await visit.text("/servers/knowledge")

    assert "Quarantined. Nobody can call it. INC-4411: it answered with another team's documents." in page
    assert "History, 1 move" in page
    assert "quarantine" in page


async def test_a_server_on_its_way_shows_the_tools_it_asks_for(visit: Visit) -> None:
    await visit.sign_in("alice")
    tools = (await visit.json("/servers/spark"))["tools"]

    assert [tool["name"] for tool in tools] == ["list_jobs", "submit_job"]
    assert {tool["you"]["sentence"] for tool in tools} == {"spark is in-review: nobody can call it"}


@pytest.mark.parametrize(
    ("person", "steps"),
    [("alice", []), ("carol", ["quarantine"]), ("frank", ["suspend", "deprecate", "quarantine"])],
)
async def test_steps_are_offered_to_those_who_may_take_them(visit: Visit, person: str, steps: list[str]) -> None:
    await visit.sign_in(person)
    lines = {line["version"]: line for line in (await visit.json("/servers/warehouse"))["versions"]["lines"]}
    page = await visit.text("/servers/warehouse")

    assert lines["1.4.0"]["steps"] == steps
    assert ("Suspend at once" in page) == (person == "frank")
    assert ("Roll back to version 1.3.0" in page) == (person == "frank")


async def test_the_switch_suspends_at_once_and_the_page_says_who_may_resume(visit: Visit) -> None:
    await visit.sign_in("frank")
    sent = await visit.send("/admin", "/admin/suspend", name="warehouse", reason="INC-7: it leaks")
    page = await visit.text("/servers/warehouse")
    stopped = (await visit.json("/admin"))["stopped"]

    assert (sent.status_code, sent.headers["location"]) == (303, "/servers/warehouse")
    assert not visit.world.site.snapshots.current().servers["warehouse"].is_callable
    assert "Suspended. Nobody can call it. INC-7: it leaks." in page
    assert "Resume: version 1.4.0" in page
    assert [(line["name"], line["reason"]) for line in stopped if line["stage"] == "suspended"] == [
        ("warehouse", "INC-7: it leaks")
    ]


async def test_a_deprecation_has_message_date_and_successor_that_everyone_reads(visit: Visit) -> None:
    await visit.sign_in("frank")
    fields = {"version": "1.4.0", "step": "deprecate", "reason": "merged", "message": "presto holds it now"}
    sent = await visit.send(
        "/servers/time", "/servers/time/steps", **fields, successor="presto", sunset_at="2027-03-31"
    )
    await visit.sign_in("bob")
    page = (await visit.http.get("/servers/time")).text

    assert sent.status_code == 303
    assert "deprecated: presto holds it now; use presto instead; it ends on 2027-03-31" in page
    assert 'href="/servers/presto"' in page
    assert "presto holds it now" in await visit.text("/servers")


async def test_rolling_back_gives_clients_the_version_before(visit: Visit) -> None:
    await visit.sign_in("frank")
    sent = await visit.send(
        "/servers/warehouse", "/servers/warehouse/roll-back", version="1.3.0", reason="1.4.0 is slow"
    )

    assert sent.status_code == 303
    assert kept(visit).kept_entries["warehouse"].current == "1.3.0"


async def test_what_a_process_shows_becomes_a_version(visit: Visit) -> None:
    await visit.sign_in("frank")
    sent = await visit.send("/servers/presto", "/servers/presto/versions")
    lines = (await visit.json("/servers/presto"))["versions"]["lines"]

    assert sent.status_code == 303
    assert sorted((line["stage"], line["tools"]) for line in lines) == [("deployed", 1), ("registered", 2)]


async def test_a_registered_server_says_what_comes_next_and_why_no_version_can_be_made_yet(visit: Visit) -> None:
    await visit.sign_in("bob")
    document = "kind: http\nurl: https://clock.example.com/mcp\nowner: web\nsupport: '#web'\naccess: everyone\n"
    await visit.send("/servers/register", "/servers/register", name="clock", document=document, **{"as": "yaml"})
    page = await visit.text("/servers/clock")
    sent = await visit.send("/servers/clock", "/servers/clock/versions")

    assert "Next: a version. Once it runs and shows its tools, make a version of them" in page
    assert "Nobody can call it while it is registered." in page
    assert sent.status_code == 400
    assert "Nothing was changed. nobody knows the definitions of clock yet. start it" in words_of(sent.text)
    assert "Versions" in sent.text


@pytest.mark.parametrize("step", ["suspend", "approve", "nonsense", ""])
async def test_a_step_that_is_not_yours_is_refused_and_moves_nothing(visit: Visit, step: str) -> None:
    await visit.sign_in("bob")
    fields = {"version": "1.4.0", "step": step, "reason": "because"}
    answer = await visit.send("/servers/time", "/servers/time/steps", **fields)

    assert answer.status_code in {400, 403, 409}
    assert "What you can do:" in answer.text
    assert kept(visit).kept_versions["time", "1.4.0"].stage is Stage.DEPLOYED


async def test_owners_words_are_text_marked_as_theirs(visit: Visit) -> None:
    entry = kept(visit).kept_entries["spark"]
    hostile = {**entry.document, "description": HOSTILE_WORDS, "owner": "a\u202eb", "title": "<b>t</b>"}
    kept(visit).kept_entries["spark"] = replace(entry, document=hostile)
    await visit.sign_in("alice")
    for path in ("/servers/spark", "/servers"):
        page = (await visit.http.get(path)).text
        seen = Inline()
        seen.feed(page)
        assert seen.found == []
        assert "\u202e" not in page
    assert (
        '<blockquote class="read"><bdi>Show the tables. &lt;script&gt;' in (await visit.http.get("/servers/spark")).text
    )


PLAIN = {
    "as": "fields",
    "name": "tickets",
    "url": "https://tickets.corp.example/mcp",
    "owner": "support-tools",
    "support": "#tickets",
    "description": "Support tickets.",
    "access": "group:ads",
    "data_class": "confidential",
    "personal_data": "yes",
    "egress": "",
    "tools": "search_tickets read 3 group:ads or group:data-eng\n",
}


async def test_a_remote_server_is_registered_by_plain_fields(visit: Visit) -> None:
    await visit.sign_in("bob")
    sent = await visit.send("/servers/register", "/servers/register", **PLAIN)
    entry = kept(visit).kept_entries["tickets"]
    page = await visit.text("/servers/tickets")

    assert (sent.status_code, sent.headers["location"]) == (303, "/servers/tickets")
    assert (entry.by, entry.document["kind"], entry.document["personal_data"]) == ("bob", "http", True)
    assert entry.document["tools"] == {
        "search_tickets": {"effect": "read", "minutes_saved": 3.0, "policy": "group:ads or group:data-eng"}
    }
    assert "Registered" in page
    assert "No version was submitted yet." in page
    assert "tickets" in await names(visit, "search=tickets")


async def test_an_entry_is_registered_as_yaml(visit: Visit) -> None:
    await visit.sign_in("bob")
    text = "kind: http\nowner: ads\nsupport: '#ads'\nurl: https://x.example/mcp\n"
    sent = await visit.send("/servers/register", "/servers/register", name="ads-data", document=text, **{"as": "yaml"})

    assert sent.status_code == 303
    assert kept(visit).kept_entries["ads-data"].document["url"] == "https://x.example/mcp"


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"name": "time"}, "name", "there is a server 'time' already"),
        ({"name": "No Such Name"}, "name", "is no name of a server"),
        ({"name": "register"}, "name", "something of ours is called so"),
        ({"name": "pierhead"}, "name", "something of ours is called so"),
        ({"support": ""}, "support", "support is missing"),
        ({"tools": "search_tickets"}, "tools", "Line 1 is not a name, an effect, minutes and who may use it."),
        ({"tools": "x look 3 everyone"}, "tools", "Line 1: look is no effect"),
        ({"tools": "\n"}, "tools", "Name at least one tool."),
        ({"url": "http://127.0.0.1:22/mcp"}, "url", "cannot be registered"),
    ],
)
async def test_a_fault_stands_beside_its_field_and_before_the_form(
    visit: Visit, changed: dict[str, str], field: str, said: str
) -> None:
    await visit.sign_in("bob")
    sent = {**PLAIN, **changed}
    answer = await visit.send("/servers/register", "/servers/register", **sent)
    page = words_of(answer.text)

    assert answer.status_code == 400
    assert page.count(said) == 2
    assert f'id="fault-{field}"' in answer.text
    assert "Nothing was changed." in page
    assert f'value="{sent["url"]}"' in answer.text
    assert set(kept(visit).kept_entries) == {each.name for each in SERVERS}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: http\nkind: http\n", "Line 2, column 1: kind stands here twice."),
        ("a: &x 1\nb: *x\n", "Line 2, column 4: an alias (*name)."),
        ("- 1\n", "Line 1, column 1: the entry is not a mapping."),
        ("[" * 5000, "It is nested too deeply."),
        ("- " * 5000, "It is nested too deeply."),
        ("a: " + "x" * 40_000, "It is longer than 32,768 characters."),
        ("kind: http\nownr: me\n", "unknown member ownr"),
    ],
)
async def test_yaml_that_cannot_be_taken_comes_back_with_its_fault(visit: Visit, text: str, said: str) -> None:
    await visit.sign_in("bob")
    answer = await visit.send("/servers/register", "/servers/register", name="odd", document=text, **{"as": "yaml"})

    assert answer.status_code == 400
    assert said in words_of(answer.text)
    assert "odd" not in kept(visit).kept_entries


async def test_the_administration_is_for_admins_alone(visit: Visit) -> None:
    await visit.sign_in("alice")
    refused = await visit.http.get("/admin.json")
    bar = (await visit.http.get("/servers")).text
    await visit.sign_in("frank")
    view = await visit.json("/admin")
    admins = (await visit.http.get("/servers")).text

    assert (refused.status_code, refused.json()["code"]) == (403, "not-yours")
    assert ">Admin</a>" not in bar
    assert ">Admin</a>" in admins
    assert view["origins"] == {"fleet": 5, "registered": 1}
    assert view["owners"] == [{"owner": "data-platform", "servers": 6, "members": 0}]
    assert len(view["ownerless"]) == 6
    assert {line["group"]: line["gates"] for line in view["groups"]}["legal-reviewers"] == ["legal"]
    assert [line["name"] for line in view["stopped"]] == ["knowledge"]
    assert view["now"] == NOW


@pytest.mark.parametrize(
    ("name", "reason", "field", "said"),
    [
        ("no-such-server", "it leaks", "name", "is deployed. Choose one of the list."),
        ("knowledge", "it leaks", "name", "quarantined"),
        ("time", " ", "reason", "say why, in 1 to"),
    ],
)
async def test_the_switch_comes_back_with_what_was_typed(
    visit: Visit, name: str, reason: str, field: str, said: str
) -> None:
    await visit.sign_in("frank")
    answer = await visit.send("/admin", "/admin/suspend", name=name, reason=reason)

    assert answer.status_code == 400
    assert "Nothing was changed." in answer.text
    assert said in words_of(answer.text)
    assert f'aria-describedby="fault-{field}"' in answer.text
    assert f'value="{name}"' in answer.text
    if reason.strip():
        assert f">{reason}</textarea>" in answer.text


async def test_the_switch_is_for_admins_alone(visit: Visit) -> None:
    await visit.sign_in("alice")
    answer = await visit.send("/servers/register", "/admin/suspend", name="nothing", reason="x")
    assert answer.status_code == 403
    assert "page is for platform-admin" in words_of(answer.text)


async def test_a_server_says_how_it_is_since_when_and_what_it_needs(visit: Visit) -> None:
    await visit.sign_in("alice")
    page, twin = await visit.text("/servers/warehouse"), (await visit.json("/servers/warehouse"))["health"]

    assert "It answers, and all it needs does too; the last answer took 4.0 ms." in page
    assert "engine Up answers in 3 ms" in page
    assert (twin["condition"], len(twin["marks"]), [span["looks"] for span in twin["spans"]]) == (
        "up",
        60,
        [16, 14, 150],
    )
    assert [mark["condition"] for mark in twin["marks"][-12:]] == ["up"] * 2 + ["degraded"] * 5 + ["up"] * 5
    assert [(each["version"], each["answered"]) for each in twin["versions"]] == [("1.4.0", 180)]
    assert "as published 5d5d5d5d5d5d" in page


async def test_an_unsteady_server_is_told_of_once_and_calmly(visit: Visit) -> None:
    await visit.sign_in("alice")
    page = await visit.text("/servers/airflow")

    assert "It changed at least 5 times in the last 10 minutes." in page
    assert page.count("Unsteady.") == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("presto", "It answers, but engine: no connection within 2 s."),
        ("presto", "not as published"),
        ("knowledge", "It does not answer: its process does not answer within 5 s. Other servers are not affected."),
        ("spark", "Nobody has looked at it yet."),
    ],
)
async def test_what_is_not_well_is_said_with_its_reason(visit: Visit, name: str, said: str) -> None:
    await visit.sign_in("frank")

    assert said in await visit.text(f"/servers/{name}")


async def test_the_catalogue_marks_only_what_is_not_well(visit: Visit) -> None:
    await visit.sign_in("alice")
    lines = {line["name"]: line["condition"] for line in (await visit.json("/servers"))["servers"]}
    page = await visit.text("/servers")

    assert lines["warehouse"] == "up"
    assert lines["presto"] == "degraded"
    assert lines["spark"] == "unknown"
    assert (page.count("Degraded"), page.count("Restarting"), page.count("Flapping")) == (1, 1, 0)


async def test_a_look_long_ago_says_that_nothing_is_known_now(visit: Visit) -> None:
    healths = visit.world.site.healths
    assert isinstance(healths, MemoryHealths)
    healths.known["time"] = lately(healths.known["time"], NOW + 3600, 90)
    await visit.sign_in("alice")

    assert "Nobody looked at it lately" in await visit.text("/servers/time")


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"sunset_at": "2027-03-31", "reason": " "}, "reason", "say why, in 1 to"),
        ({"sunset_at": "2020-01-01", "reason": "old"}, "sunset_at", "a deprecated version ends in the future"),
        ({"sunset_at": "soon", "reason": "old"}, "sunset_at", "is no date"),
        ({"sunset_at": "", "successor": "x" * 2001, "reason": "old"}, "", "a text is longer than"),
    ],
)
async def test_a_step_that_cannot_be_taken_comes_back_with_what_was_typed(
    visit: Visit, fields: dict[str, str], field: str, said: str
) -> None:
    await visit.sign_in("frank")
    whole = {"version": "1.4.0", "step": "deprecate", "message": "use presto, please", **fields}
    answer = await visit.send("/servers/time", "/servers/time/steps", **whole)

    assert answer.status_code == 400
    assert "Nothing was changed." in answer.text
    assert said in words_of(answer.text)
    assert "use presto, please</textarea>" in answer.text
    assert "<details open>" in answer.text
    assert answer.text.count('id="fault-') == (1 if field else 0)
    assert f'id="fault-{field}"' in answer.text or not field
    assert kept(visit).kept_versions["time", "1.4.0"].stage is Stage.DEPLOYED


async def test_rolling_back_without_a_reason_asks_for_one_beside_its_field(visit: Visit) -> None:
    await visit.sign_in("frank")
    answer = await visit.send("/servers/warehouse", "/servers/warehouse/roll-back", version="1.3.0", reason=" ")

    assert (answer.status_code, answer.text.count('id="fault-reason"')) == (400, 1)


async def test_a_server_younger_than_the_period_is_not_said_to_be_unused(visit: Visit) -> None:
    await visit.sign_in("frank")
    visit.world.records.rows.clear()
    young = (await visit.json("/admin"))["unused"]
    entries = kept(visit).kept_entries
    entries["time"] = replace(entries["time"], at=NOW - 91 * 86_400)

    assert (young, (await visit.json("/admin"))["unused"]) == ([], ["time"])


PLACE = "http://lunch.example:9/mcp"


async def test_an_owner_makes_the_credential_of_a_server_that_they_run_and_sees_it_once(visit: Visit) -> None:
    declare(visit.world, "time", kind="python", url=PLACE)
    await visit.sign_in("frank")
    assert "Make the credential" in await visit.text("/servers/time")
    made = await visit.send("/servers/time", "/servers/time/enrolment")

    assert made.status_code == 200, made.text
    assert made.headers["cache-control"] == "no-store"
    found = re.search(r"pierhead-server:[A-Za-z0-9_=-]+", made.text)
    assert found is not None
    assert Enrolment.read(found[0]).listens == PLACE
    assert found[0] not in (await visit.http.get("/servers/time")).text


async def test_what_the_platform_runs_has_no_credential_and_nobody_makes_that_of_another(visit: Visit) -> None:
    await visit.sign_in("frank")
    assert "Make the credential" not in await visit.text("/servers/time")
    assert (await visit.send("/servers/time", "/servers/time/enrolment")).status_code == 400
    declare(visit.world, "time", kind="python", url=PLACE)
    await visit.sign_in("alice")
    assert "Make the credential" not in await visit.text("/servers/time")
    assert (await visit.send("/servers", "/servers/time/enrolment")).status_code in {400, 403}


async def test_fleet_health_names_who_must_act_for_servers_that_one_may_know(visit: Visit) -> None:
    await visit.sign_in("alice")
    page, twin = await visit.http.get("/fleet-health"), await visit.json("/fleet-health")
    assert "Fleet health: who must act" in page.text
    assert twin["concerns"]
    assert sum(twin["counts"].values()) == len(twin["concerns"])
    for concern in twin["concerns"]:
        assert concern["server"] in page.text
        assert concern["must_act"] in page.text
    one = twin["concerns"][0]["trouble"]
    narrowed = await visit.json(f"/fleet-health?trouble={one}")
    assert {each["trouble"] for each in narrowed["concerns"]} == {one}
    assert narrowed["counts"] == twin["counts"]
    assert (await visit.http.get("/fleet-health?trouble=boredom")).status_code == 400
    assert 'href="/fleet-health"' in (await visit.http.get("/servers")).text
