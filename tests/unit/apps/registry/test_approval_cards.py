"""The card of an approval, the page that repeats it, and several on one page: what they say, and what they take."""

import pytest
from tests.visiting import Visit
from tests.web_site import BY_TWO, PLANNED, WAITING

from pierhead.core.approval import ApprovalState

pytestmark = pytest.mark.anyio
BATCH = "/approvals/batch"
CARD = f"/approvals/{PLANNED.id}"


async def state(visit: Visit, approval: str) -> ApprovalState:
    found = await visit.world.site.approvals.store.one(approval)
    assert found is not None
    return found.state


async def test_a_card_says_what_would_change_at_what_cost_and_whose_words_are_whose(visit: Visit) -> None:
    await visit.sign_in("frank")
    page, markup = await visit.text(CARD), (await visit.http.get(CARD)).text
    assert 'Delete 12 rows of weather where "wind_speed > 1000" in local' in page
    assert "12 things in all, the first 10 of them here." in page
    assert page.count("EWR") == 10
    assert "Cost 12 of 26,115 rows Way back load them again from the public data set" in page
    assert "Said by whoever called, and checked by nobody: no such <b>wind</b> Approved by frank\\u{202e}" in page
    assert "<b>wind" not in markup
    assert 'href="https://example.org/readings?day=2013-02-12" rel="noreferrer noopener"' in markup
    assert 'href="javascript' not in markup
    assert "On behalf of alice" in page
    assert "frank : said, " in page
    assert "Which ticket is this for?" in page
    assert "UTC ." not in page
    assert 'data-left="' in markup


async def test_a_call_without_a_plan_shows_its_arguments_and_that_nothing_else_is_known(visit: Visit) -> None:
    await visit.sign_in("frank")
    page = await visit.text(f"/approvals/{WAITING.id}")
    assert "Run drop_rows on warehouse in local" in page
    assert '"filter": "id=eq.1", "password": "[secret]"' in page
    assert "Way back the server names none: take it as final" in page


async def test_one_of_two_approves_on_a_page_that_repeats_the_arguments(visit: Visit) -> None:
    await visit.sign_in("frank")
    card, apart = f"/approvals/{BY_TWO.id}", f"/approvals/{BY_TWO.id}/approve"
    shown = (await visit.http.get(card)).text
    assert f'href="{apart}"' in shown
    assert 'value="approve"' not in shown
    page = await visit.text(apart)
    assert "Yours would be yes 2 of 2" in page
    assert '"plan_id": "pln_1"' in page
    digest = BY_TWO.proposal.digest
    await visit.send(apart, f"{card}/decisions", verdict="approve", digest=digest)
    assert await state(visit, BY_TWO.id) is ApprovalState.APPROVED
    assert "there is nothing left to decide" in (await visit.text(apart)).lower()


async def test_questions_go_both_ways_and_decide_nothing(visit: Visit) -> None:
    await visit.sign_in("frank")
    digest = PLANNED.proposal.digest
    await visit.send(CARD, f"{CARD}/decisions", verdict="ask", digest=digest, comment="Are you sure?")
    await visit.sign_in("alice")
    assert "Are you sure?" in await visit.text(CARD)
    await visit.send(CARD, f"{CARD}/remarks", comment="It is OPS-7.")
    empty = await visit.send(CARD, f"{CARD}/remarks", comment="")
    assert "A question has 1 to 500 characters." in empty.text
    assert "It is OPS-7." in await visit.text(CARD)
    assert await state(visit, PLANNED.id) is ApprovalState.PENDING


async def test_several_are_answered_on_one_page_each_by_itself(visit: Visit) -> None:
    await visit.sign_in("frank")
    assert f'href="{BATCH}"' in (await visit.http.get("/approvals")).text
    page = (await visit.http.get(BATCH)).text
    assert page.count('type="checkbox"') == 2
    assert f'name="read-{BY_TWO.id}"' not in page
    answers = {
        f"digest-{WAITING.id}": WAITING.proposal.digest,
        f"verdict-{WAITING.id}": "approve",
        f"read-{WAITING.id}": "yes",
        f"digest-{PLANNED.id}": "0" * 64,
        f"verdict-{PLANNED.id}": "deny",
        f"verdict-{BY_TWO.id}": "",
    }
    sent = await visit.send(BATCH, BATCH, **answers)
    assert f"Of 2, 1 were not: {PLANNED.id}: what you were shown is not what would run." in sent.text
    states = [await state(visit, each.id) for each in (WAITING, PLANNED, BY_TWO)]
    assert states == [ApprovalState.APPROVED, ApprovalState.PENDING, ApprovalState.PENDING]


async def test_what_is_not_ticked_is_not_approved_and_then_nothing_is(visit: Visit) -> None:
    await visit.sign_in("frank")
    answers = {
        f"digest-{WAITING.id}": WAITING.proposal.digest,
        f"verdict-{WAITING.id}": "approve",
        f"digest-{PLANNED.id}": PLANNED.proposal.digest,
        f"verdict-{PLANNED.id}": "deny",
    }
    sent = await visit.send(BATCH, BATCH, **answers)
    assert "Tick each call that you approve." in sent.text
    nothing = await visit.send(BATCH, BATCH)
    assert "1 to 20 approvals are answered at once." in nothing.text
    assert [await state(visit, each.id) for each in (WAITING, PLANNED)] == [ApprovalState.PENDING] * 2
    answers[f"read-{WAITING.id}"] = "yes"
    assert (await visit.send(BATCH, BATCH, **answers)).headers["location"].endswith("/approvals")
    assert await state(visit, PLANNED.id) is ApprovalState.DENIED


async def test_who_is_asked_for_nothing_finds_nothing_to_answer(visit: Visit) -> None:
    await visit.sign_in("bob")
    assert "Nothing is waiting for you." in await visit.text(BATCH)
