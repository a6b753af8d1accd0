"""The pages of duties: a fresh sign-in to approve with, the broken glass, absences, remembered choices, habits."""

import re
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.approving import APPROVERS, proposal
from tests.visiting import Visit
from tests.web_site import NOW, PUBLIC_URL, WAITING

from pierhead.apps.registry.app import ApprovalMetrics
from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, proposed
from pierhead.core.rule import parse_who
from pierhead.usecases.count_approvals import ApprovalCounts
from pierhead.usecases.memory_approvals import MemoryApprovals

pytestmark = pytest.mark.anyio


def store(visit: Visit) -> MemoryApprovals:
    kept = visit.world.site.approvals.store
    assert isinstance(kept, MemoryApprovals)
    return kept


def given(visit: Visit, approval: Approval, **values: Any) -> ApprovalRecord:
    asked = proposal(values or {"table": "flights"}, approval, issuer=PUBLIC_URL, call_key="given")
    record = proposed("apr_given", asked, APPROVERS, NOW - 60)
    store(visit).kept[record.id] = record
    return record


async def send(visit: Visit, page: str, path: str, **form: str) -> Any:
    token = re.search(r'name="token" value="([^"]+)"', (await visit.http.get(page)).text)
    assert token is not None
    return await visit.http.post(path, data={"token": token[1], **form}, headers={"origin": PUBLIC_URL})


async def test_an_approval_needs_a_sign_in_of_just_now_and_a_denial_does_not(visit: Visit) -> None:
    await visit.sign_in("frank")
    visit.world.clock.seconds += 901
    card = f"/approvals/{WAITING.id}"
    yes = {"verdict": "approve", "digest": WAITING.proposal.digest, "comment": ""}
    sent = await send(visit, card, f"{card}/decisions", **yes)
    assert sent.headers["location"] == f"/sign-in?fresh=1&next=%2Fapprovals%2F{WAITING.id}"
    assert store(visit).kept[WAITING.id] == WAITING
    assert "needs a sign-in of just now" in (await visit.http.get(sent.headers["location"])).text
    await visit.sign_in("frank")
    visit.world.clock.seconds += 30
    assert (await send(visit, card, f"{card}/decisions", **yes)).headers["location"] == card
    (made,) = store(visit).kept[WAITING.id].decisions
    assert (made.how, made.auth) == ("web", "sign-in 30 s old")


async def test_a_denial_is_taken_from_an_old_sign_in_too(visit: Visit) -> None:
    await visit.sign_in("frank")
    visit.world.clock.seconds += 901
    card = f"/approvals/{WAITING.id}"
    await send(visit, card, f"{card}/decisions", verdict="deny", digest=WAITING.proposal.digest, comment="no")
    assert store(visit).kept[WAITING.id].state is ApprovalState.DENIED


async def test_a_confirmation_is_remembered_where_its_person_said_so(visit: Visit) -> None:
    record = given(visit, Approval.CONFIRM, table="remembered")
    await visit.sign_in("alice")
    card = f"/approvals/{record.id}"
    assert "ask every time" in (await visit.http.get(card)).text
    said = {"verdict": "approve", "digest": record.proposal.digest, "comment": "", "remember": "4"}
    await send(visit, card, f"{card}/decisions", **said)
    held = await visit.world.site.approvals.choices.held("alice")
    assert [(each.approval_id, each.expires_at - each.created_at) for each in held][:1] == [(record.id, 4 * 3600.0)]
    you = await visit.json("/you")
    assert [each["approval_id"] for each in you["choices"]] == [record.id, "apr_own"]
    await send(visit, "/you", f"/you/choices/{held[0].id}/revoke")
    assert [each["approval_id"] for each in (await visit.json("/you"))["choices"]] == ["apr_own"]


async def test_a_glass_is_broken_with_a_reason_and_reviewed_by_another(visit: Visit) -> None:
    record = given(visit, Approval.FOUR_EYES)
    card = f"/approvals/{record.id}"
    store(visit).kept[record.id] = proposed(record.id, record.proposal, ("legal-reviewers",), NOW - 60)
    await visit.sign_in("dave")
    page = (await visit.http.get(card)).text
    assert "Break the glass" in page
    await send(visit, card, f"{card}/break-glass", digest=record.proposal.digest, comment="")
    assert store(visit).kept[record.id].required == 2
    await send(visit, card, f"{card}/break-glass", digest=record.proposal.digest, comment="it burns")
    broken = store(visit).kept[record.id]
    assert (broken.required, broken.decisions[0].auth) == (1, "sign-in 0 s old")
    assert "since the glass was broken" in (await visit.http.get(card)).text
    await visit.sign_in("carol")
    assert [each["id"] for each in (await visit.json("/approvals"))["to_review"]] == [record.id]
    assert "To be reviewed" in (await visit.http.get("/approvals")).text
    await send(visit, card, f"{card}/review", comment="it did")
    assert (await visit.json("/approvals"))["to_review"] == []


async def test_a_deputy_asks_with_the_button_that_stands_there(visit: Visit) -> None:
    """Alice stands in for frank, who is away, by the policy of deputies."""
    asked = proposal({"n": 1}, issuer=PUBLIC_URL, call_key="lent", person="bob", requester="bob")
    object.__setattr__(visit.world.site.duty, "deputies", parse_who("user:alice"))
    store(visit).kept["apr_admin"] = proposed("apr_admin", asked, APPROVERS, NOW - 60)
    await visit.sign_in("alice")
    twin = await visit.json("/approvals/apr_admin")
    assert (twin["approval"]["line"]["may_decide"], twin["approval"]["may_remark"]) == (True, True)
    card = "/approvals/apr_admin"
    sent = await send(visit, card, f"{card}/decisions", verdict="ask", digest=asked.digest, comment="which ticket?")
    assert sent.headers["location"] == card
    (made,) = store(visit).kept["apr_admin"].decisions
    assert (made.by, made.verdict, made.instead_of) == ("alice", "ask", "frank")


async def test_an_old_sign_in_breaks_no_glass(visit: Visit) -> None:
    record = given(visit, Approval.FOUR_EYES)
    store(visit).kept[record.id] = proposed(record.id, record.proposal, ("legal-reviewers",), NOW - 60)
    await visit.sign_in("dave")
    visit.world.clock.seconds += 901
    card = f"/approvals/{record.id}"
    sent = await send(visit, card, f"{card}/break-glass", digest=record.proposal.digest, comment="it burns")
    assert sent.headers["location"].startswith("/sign-in?fresh=1")
    assert store(visit).kept[record.id].required == 2


async def test_a_person_is_away_and_back_on_their_own_page(visit: Visit) -> None:
    await visit.sign_in("bob")
    refused = await send(visit, "/you", "/you/absences", until="soon", deputy="", reason="")
    assert "Name the last day." in refused.text
    assert (
        "nobody here is called"
        in (await send(visit, "/you", "/you/absences", until="2026-11-25", deputy="zed")).text.lower()
    )
    await send(visit, "/you", "/you/absences", until="2026-11-25", deputy="", reason="fair")
    (made,) = (await visit.json("/you"))["absences"]
    assert (made["person"], made["reason"]) == ("bob", "fair")
    await send(visit, "/you", f"/you/absences/{made['id']}/end")
    assert (await visit.json("/you"))["absences"] == []
    assert "over" in (await send(visit, "/you", f"/you/absences/{made['id']}/end")).text


def test_decisions_and_broken_glasses_are_metrics() -> None:
    counts = ApprovalCounts()
    counts.decided["warehouse", "web", "deny"] += 2
    counts.glass_broken["warehouse"] += 1
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ApprovalMetrics(counts))
    text = generate_latest(registry).decode()
    assert 'pierhead_approvals_total{channel="web",decision="deny",server="warehouse"} 2.0' in text
    assert 'pierhead_approval_glass_broken_total{server="warehouse"} 1.0' in text


async def test_habits_are_for_auditors_and_say_what_is_proposed(visit: Visit) -> None:
    await visit.sign_in("alice")
    assert (await visit.http.get("/approvals/fatigue")).status_code == 403
    await visit.sign_in("carol")
    page = (await visit.http.get("/approvals/fatigue")).text
    assert "drop_rows needs it" in page
    twin = await visit.json("/approvals/fatigue")
    assert [each["person"] for each in twin["fatigue"]["people"]] == ["gina"]
