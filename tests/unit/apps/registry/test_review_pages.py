"""The pages of reviews: who is asked, what would be signed, and one form for each gate that is yours."""

from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from tests.visiting import Inline, Visit, kept, words_of
from tests.web_registry import SPARK_REVIEW, WAREHOUSE_REVIEW
from tests.web_site import NOW, PUBLIC_URL

from pierhead.apps.registry.web.pages import Web
from pierhead.core.catalog import Stage
from pierhead.core.review import Gate, Verdict

pytestmark = pytest.mark.anyio

SPARK = f"/reviews/{SPARK_REVIEW}"
WAREHOUSE = f"/reviews/{WAREHOUSE_REVIEW}"


async def decide(visit: Visit, person: str, gate: Gate, verdict: str = "approve", **more: str) -> httpx2.Response:
    await visit.sign_in(person)
    fields = {"gate": str(gate), "verdict": verdict, "reason": f"{person} read it", **more}
    return await visit.send(SPARK, f"{SPARK}/decisions", **fields)


async def test_the_queue_has_yours_first_and_says_who_is_asked_and_how_late(visit: Visit) -> None:
    await visit.sign_in("carol")
    view = await visit.json("/reviews")
    page = await visit.text("/reviews")

    assert [line["server"] for line in view["yours"]] == ["warehouse", "spark"]
    assert "Two reviews open. Two wait for you." in page
    assert "security-reviewers, due 2026-" in page
    assert ", 1 day ago" in page
    assert "Overdue" in page
    assert [gate["urgency"] for line in view["yours"] for gate in line["gates"]] == [
        "due",
        None,
        "due",
        None,
        None,
        None,
    ]
    assert "2 signatures missing" in page


async def test_a_count_stands_in_the_top_bar_only_where_something_waits(visit: Visit) -> None:
    await visit.sign_in("carol")
    asked = (await visit.http.get("/servers")).text
    await visit.sign_in("dave")
    half = (await visit.http.get("/servers")).text
    await visit.sign_in("alice")
    unasked = (await visit.http.get("/servers")).text

    assert ">Reviews (2)</a>" in asked
    assert ">Reviews (1)</a>" in half
    assert ">Reviews</a>" in unasked


async def test_nothing_waiting_is_said_in_words(visit: Visit) -> None:
    kept(visit).kept_reviews.clear()
    await visit.sign_in("carol")

    assert "No reviews open. None waits for you. " in await visit.text("/reviews")
    assert "Nothing is waiting for you." in await visit.text("/reviews")


async def test_a_review_shows_what_changed_since_what_clients_get(visit: Visit) -> None:
    await visit.sign_in("carol")
    view = await visit.json(WAREHOUSE)
    page = (await visit.http.get(WAREHOUSE)).text
    tools = {tool["tool"]: tool for tool in view["changes"]["tools"]}

    assert view["changes"]["before"] == "1.4.0"
    assert {name: tool["what"] for name, tool in tools.items()} == {
        "describe_table": "removed",
        "export_table": "added",
        "list_tables": "changed",
        "run_query": "changed",
    }
    assert [member["member"] for member in tools["run_query"]["members"]] == ["policy", "description", "input_schema"]
    assert "<del>1,000</del><ins>5,000</ins>" in page
    assert "Gain access group:ads" in words_of(page)
    assert [each["member"] for each in view["changes"]["entry"]] == ["access", "egress"]


async def test_a_review_shows_digests_and_what_the_checks_found(visit: Visit) -> None:
    await visit.sign_in("carol")
    view = await visit.json(WAREHOUSE)
    page = await visit.text(WAREHOUSE)
    version = kept(visit).kept_versions["warehouse", "1.5.0"]

    assert view["binding"]["tools_digest"] == version.binding.tools_digest
    assert version.binding.access_digest in page
    assert {finding["rule"] for finding in view["findings"]} >= {"text-direction", "active-markup"}
    assert "Must change" in page


async def test_hostile_definitions_are_text_with_nothing_hidden_in_it(visit: Visit) -> None:
    await visit.sign_in("carol")
    page = (await visit.http.get(WAREHOUSE)).text
    seen = Inline()
    seen.feed(page)

    assert seen.found == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\u202e" not in page
    assert "\u200b" not in page
    assert "\\u{202e}txet neddih\\u{202c} zero\\u{200b}width" in page


@pytest.mark.parametrize(("person", "said"), [("frank", "security is decided by security-reviewers"), ("dave", "")])
async def test_a_form_stands_only_where_you_may_decide(visit: Visit, person: str, said: str) -> None:
    await visit.sign_in(person)
    page = await visit.text(SPARK)

    assert ("Sign for Legal/Privacy" in page) == (person == "dave")
    assert "Sign for Security" not in page
    assert said in page


async def test_who_submitted_cannot_decide_and_reads_why(visit: Visit) -> None:
    people = visit.world.site.tokens.people
    world = replace(visit.world.site.registry.rights, reviewers=dict.fromkeys(Gate, "data-eng"))
    site = replace(visit.world.site, registry=replace(visit.world.site.registry, rights=world))
    assert "data-eng" in (people.groups("alice") or ())
    async with pages_of(site) as http:
        other = Visit(visit.world, http)
        await other.sign_in("alice")
        page = await other.text(SPARK)

    assert "you submitted or registered this server: somebody else must review it" in page
    assert "Sign for" not in page


def pages_of(site: Any) -> httpx2.AsyncClient:
    app = Starlette(routes=Web(site).routes())
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=PUBLIC_URL)


async def test_three_signatures_open_the_gate_and_the_owner_deploys(visit: Visit) -> None:
    first = await decide(visit, "carol", Gate.SECURITY)
    await decide(visit, "dave", Gate.LEGAL, "approve-with-conditions", conditions="surfaces: ide\nAsk again in June")
    before = kept(visit).kept_versions["spark", "1.4.0"].stage
    await decide(visit, "erin", Gate.GENAI, evidence="https://evals.corp.example/12")
    approved = await visit.text(SPARK)
    await visit.sign_in("alice")
    page = await visit.text("/servers/spark")
    fields = {"version": "1.4.0", "step": "deploy", "reason": "signed by all three"}
    deployed = await visit.send("/servers/spark", "/servers/spark/steps", **fields)
    after = await visit.text("/servers/spark")

    assert (first.status_code, first.headers["location"]) == (303, SPARK)
    assert before is Stage.IN_REVIEW
    assert "Closed. What was decided stands below." in approved
    assert "Condition: Ask again in June" in approved
    assert "Evidence: https://evals.corp.example/12" in approved
    assert "Deploy: version 1.4.0" in page
    assert (deployed.status_code, deployed.headers["location"]) == (303, "/servers/spark#versions")
    assert "Deployed" in after
    assert visit.world.site.snapshots.current().servers["spark"].is_callable
    assert [move.step for move in kept(visit).kept_moves if move.server == "spark"][-2:] == ["approve", "deploy"]


async def test_each_page_of_a_review_says_what_comes_next(visit: Visit) -> None:
    async def owners() -> str:
        await visit.sign_in("alice")
        return await visit.text("/servers/spark")

    assert "In review. Version 1.4.0 waits for Security and Legal/Privacy and GenAI. Its review" in await owners()
    await decide(visit, "carol", Gate.SECURITY)
    signed = await visit.text(SPARK)
    assert "Security: approve, by carol. It waits for Legal/Privacy and GenAI." in signed
    assert "Decide again for Security" in signed
    assert "waits for Legal/Privacy and GenAI. Its review" in await owners()
    await decide(visit, "dave", Gate.LEGAL, "request-changes")
    assert "Next: changes. Legal/Privacy asked for changes to version 1.4.0." in await owners()
    await decide(visit, "dave", Gate.LEGAL)
    await decide(visit, "erin", Gate.GENAI)
    page = await owners()
    assert "Next: deploy it. Every gate signed version 1.4.0; clients get it when you deploy it." in page
    assert "Nobody can call it while it is approved." in page
    assert "signed, not deployed yet" in page
    await visit.sign_in("bob")
    assert "Next:" not in await visit.text("/servers/spark"), "it is not his to take"
    await visit.sign_in("alice")
    fields = {"version": "1.4.0", "step": "deploy", "reason": "signed by all three"}
    await visit.send("/servers/spark", "/servers/spark/steps", **fields)
    assert "Next:" not in await owners()


async def test_a_review_names_whom_its_version_would_let_in_and_shut_out(visit: Visit) -> None:
    versions = kept(visit).kept_versions

    def admit(server: str, version: str, group: str) -> None:
        known = versions[server, version]
        versions[server, version] = replace(known, document={**known.document, "access": f"group:{group}"})

    admit("spark", "1.4.0", "data-eng")
    admit("warehouse", "1.4.0", "data-eng")
    admit("warehouse", "1.5.0", "ads")
    await visit.sign_in("carol")
    first, later = await visit.json(SPARK), await visit.json(WAREHOUSE)

    assert (first["gains"], first["loses"]) == (["alice"], [])
    assert (later["gains"], later["loses"]) == (["bob"], ["alice"])
    assert "Would gain access alice Would lose it nobody" in await visit.text(SPARK)


async def test_a_version_that_was_sent_back_says_why_and_how_to_go_on(visit: Visit) -> None:
    await decide(visit, "carol", Gate.SECURITY, "reject", reason="it sends data to a host nobody named")
    await visit.sign_in("alice")
    page = await visit.text("/servers/spark")

    assert "Next: another try. Version 1.4.0 was sent back:" in page
    assert "Mend it, then submit it again." in page


async def test_a_decision_that_lacks_something_comes_back_as_it_was_typed(visit: Visit) -> None:
    unsaid = await decide(visit, "carol", Gate.SECURITY, "waive", reason="Known & <b>safe</b>")
    page = unsaid.text
    missing = await decide(visit, "carol", Gate.SECURITY, "", reason=" ")

    assert unsaid.status_code == 400
    assert "a waiver names its end" in page
    assert "Known &amp; &lt;b&gt;safe&lt;/b&gt;" in page
    assert 'aria-describedby="fault-expires_at"' in page
    assert 'value="waive" required checked' in page
    assert "Choose a verdict." in missing.text
    assert "Say why; the reason is recorded." in missing.text
    assert kept(visit).kept_reviews[SPARK_REVIEW].sign_offs == ()


async def test_a_waiver_ends_on_the_day_that_is_named(visit: Visit) -> None:
    orphan = await decide(visit, "carol", Gate.SECURITY, "waive", expires_at="2026-12-01")
    await decide(visit, "carol", Gate.SECURITY, "waive", expires_at="2026-12-01", waiver_owner="spark team")
    [made] = kept(visit).kept_reviews[SPARK_REVIEW].sign_offs
    odd = await decide(visit, "carol", Gate.SECURITY, "waive", expires_at="tomorrow")

    assert (made.verdict, made.by, made.waiver_owner) == (Verdict.WAIVE, "carol", "spark team")
    assert 'aria-describedby="fault-waiver_owner"' in orphan.text
    assert "Answers for the waiver: spark team" in await visit.text(f"/reviews/{SPARK_REVIEW}")
    assert 13 < (made.expires_at - NOW) / 86_400 < 14
    assert "is no date" in odd.text


@pytest.mark.parametrize("person", ["dave", "frank"])
async def test_a_decision_of_somebody_elses_gate_is_refused(visit: Visit, person: str) -> None:
    answer = await decide(visit, person, Gate.SECURITY)

    assert answer.status_code == 403
    assert "security is decided by security-reviewers" in words_of(answer.text).lower()
    assert kept(visit).kept_reviews[SPARK_REVIEW].sign_offs == ()


async def test_a_closed_review_takes_no_decision(visit: Visit) -> None:
    await decide(visit, "carol", Gate.SECURITY, "reject")
    late = await decide(visit, "dave", Gate.LEGAL)

    assert late.status_code == 409
    assert "review-closed" in late.text
    assert kept(visit).kept_versions["spark", "1.4.0"].stage is Stage.REJECTED


async def test_a_comment_is_said_as_text_and_decides_nothing(visit: Visit) -> None:
    await visit.sign_in("alice")
    sent = await visit.send(SPARK, f"{SPARK}/comments", text="first line\r\n<img src=x onerror=alert(1)>")
    empty = await visit.send(SPARK, f"{SPARK}/comments", text="  ")
    page = (await visit.http.get(SPARK)).text
    seen = Inline()
    seen.feed(page)

    assert sent.headers["location"] == f"{SPARK}#comments"
    assert empty.status_code == 400
    assert "first line\n&lt;img src=x" in page
    assert seen.found == []


async def test_a_review_of_what_is_not_theirs_to_know_reads_as_absent_and_takes_no_word(visit: Visit) -> None:
    await visit.sign_in("bob")  # neither an owner nor a reviewer; spark is not live yet
    queue = await visit.json("/reviews")
    hidden, absent = await visit.http.get(SPARK), await visit.http.get("/reviews/nothing")
    decided = await visit.send("/reviews", f"{SPARK}/decisions", gate="security", verdict="approve", reason="me")
    said = await visit.send("/reviews", f"{SPARK}/comments", text="I was here")

    assert "spark" not in {line["server"] for line in queue["others"]}
    assert (hidden.status_code, decided.status_code, said.status_code) == (404, 404, 404)
    assert words_of(hidden.text) == words_of(absent.text).replace("nothing", SPARK_REVIEW)
    assert {said.by for said in kept(visit).kept_reviews[SPARK_REVIEW].comments} == {"alice"}


async def test_a_review_that_is_not_there_reads_so_with_a_twin(visit: Visit) -> None:
    await visit.sign_in("carol")
    answer = await visit.http.get("/reviews/nothing-here.json")

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_a_version_that_changed_meanwhile_is_said_to_be_outdated(visit: Visit) -> None:
    version = kept(visit).kept_versions["spark", "1.4.0"]
    bound = replace(version.binding, tools_digest="0" * 64)
    kept(visit).kept_versions["spark", "1.4.0"] = replace(version, binding=bound)
    await visit.sign_in("carol")

    assert "Outdated. This version changed after it was submitted; no decision here counts." in await visit.text(SPARK)


@pytest.mark.parametrize("path", [f"{SPARK}/decisions", f"{SPARK}/comments", "/servers/spark/steps", "/admin/suspend"])
async def test_a_form_that_is_not_ours_changes_nothing(visit: Visit, path: str) -> None:
    signed_out = await visit.http.post(path, data={"token": "x"}, headers={"origin": PUBLIC_URL})
    await visit.sign_in("carol")
    untold = await visit.http.post(path, data={"token": "x"}, headers={"origin": PUBLIC_URL})
    foreign = await visit.send(SPARK, path)
    elsewhere = await visit.http.post(path, data={"token": "x"}, headers={"origin": "https://evil.example"})

    assert signed_out.status_code == 401
    assert (untold.status_code, elsewhere.status_code) == (403, 403)
    assert foreign.status_code in {400, 403, 404}


@pytest.mark.parametrize(("days", "mark"), [(1.0, "Half its time passed"), (2.0, "Escalated")])
async def test_the_queue_marks_how_far_the_time_of_a_gate_has_run(visit: Visit, days: float, mark: str) -> None:
    await visit.sign_in("carol")
    assert mark not in await visit.text("/reviews")
    visit.world.clock.seconds = NOW + days * 86_400
    await visit.sign_in("carol")

    assert mark in await visit.text("/reviews")
