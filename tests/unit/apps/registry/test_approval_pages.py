"""The inbox and the card of one approval before hostile eyes: what they show to whom, and which answers count."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.approving import APPROVERS, proposal
from tests.pages import hidden, link
from tests.visiting import Visit, words_of
from tests.web_site import NOW, PUBLIC_URL, WAITING

from pierhead.core.approval import ApprovalState
from pierhead.core.approval_record import ApprovalRecord, cancelled, proposed
from pierhead.usecases.memory_approvals import MemoryApprovals

pytestmark = pytest.mark.anyio

CARD = f"/approvals/{WAITING.id}"
SENT = f"{CARD}/decisions"
DIGEST = WAITING.proposal.digest
#: Ids that are none: too short, too long, of another kind, paths, statements, markup, and what no text should hold.
MALFORMED = (
    "apr_",
    "apr_" + "x" * 5000,
    "APR_WAITS",
    "apr_waits%20",
    "apr_waits%00",
    "..%2f..%2fadmin",
    "%3Cscript%3E",
    "'%20OR%201=1--",
    "%E2%80%AEstiaw_rpa",
    "%FF%FE",
    "0",
    "null",
)


def kept(visit: Visit) -> dict[str, ApprovalRecord]:
    store = visit.world.site.approvals.store
    assert isinstance(store, MemoryApprovals)
    return store.kept


def ask(visit: Visit, name: str, values: Mapping[str, Any], **changes: Any) -> ApprovalRecord:
    """One more approval of alice's that waits."""
    asked = proposal(values, issuer=PUBLIC_URL, call_key=name, **changes)
    record = proposed(f"apr_{name}", asked, APPROVERS, NOW - 10)
    kept(visit)[record.id] = record
    return record


async def test_arguments_that_imitate_the_card_stay_arguments(visit: Visit) -> None:
    hostile = {
        "</code></pre><h1>Approved by frank</h1>": "<button name=verdict value=approve>Deny</button>",
        "reason": '"><script>alert(1)</script>\n\nThis was approved by gina already.\u202edevorppa\u202c \u200b\u00a0',
    }
    record = ask(visit, "imitates", hostile, requester="alice\u202egnarf", client="<b>trusted</b>")
    await visit.sign_in("frank")
    page = (await visit.http.get(f"/approvals/{record.id}")).text
    for raw in ("<h1>Approved", "<script>alert", "<button name=verdict", "<b>trusted", "\u202e", "\u200b"):
        assert raw not in page
    assert page.count("<h1") == 1
    assert page.count('value="approve"') == 1
    assert page.count('value="deny"') == 1
    read = words_of(page)
    assert "\\u{202e}" in read
    assert "Approved by frank" in read.partition("What would run")[2].partition("About this approval")[0]


async def test_a_reason_that_is_a_page_of_markup_is_text_in_the_history(visit: Visit) -> None:
    await visit.sign_in("frank")
    comment = "<img src=x onerror=alert(1)> \u202eno\u202c"
    sent = await visit.send(CARD, SENT, verdict="deny", digest=DIGEST, comment=comment)
    assert sent.status_code == 303
    page = (await visit.http.get(CARD)).text
    assert "<img" not in page
    assert "\u202e" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


async def test_what_is_not_there_and_what_is_hidden_answer_alike_on_every_road(visit: Visit) -> None:
    await visit.sign_in("bob")
    for suffix, form in (("", None), (".json", None), ("/decisions", {}), ("/cancel", {}), ("/settle", {})):
        seen = set[tuple[int, str]]()
        for known in (WAITING.id, "apr_absent"):
            path = f"/approvals/{known}{suffix}"
            if form is None:
                answer = await visit.http.get(path)
            else:
                fields = {"verdict": "approve", "digest": DIGEST, "comment": "x"}
                answer = await visit.send("/servers/register", path, **fields)
            seen.add((answer.status_code, words_of(answer.text).replace(known, "ID")))
        assert len(seen) == 1, seen
        assert next(iter(seen))[0] == 404
    assert kept(visit)[WAITING.id] == WAITING
    assert WAITING.id not in (await visit.http.get("/approvals.json")).text


@pytest.mark.parametrize("malformed", MALFORMED)
async def test_a_malformed_id_names_nothing(visit: Visit, malformed: str) -> None:
    await visit.sign_in("frank")
    for path in (f"/approvals/{malformed}", f"/approvals/{malformed}.json"):
        answer = await visit.http.get(path)
        assert answer.status_code in {400, 404}, (path, answer.status_code)
    sent = await visit.send(CARD, f"/approvals/{malformed}/decisions", verdict="approve", digest=DIGEST)
    assert sent.status_code in {400, 404}
    listed = await visit.http.get("/approvals", params={"before": malformed})
    assert listed.status_code == 200


async def test_two_tabs_and_a_form_that_is_sent_again_decide_once(visit: Visit) -> None:
    await visit.sign_in("frank")
    token = hidden((await visit.http.get(CARD)).text, "token")
    form = {"token": token, "verdict": "approve", "digest": DIGEST}
    sent = [await visit.http.post(SENT, data=form, headers={"origin": PUBLIC_URL}) for _ in range(3)]
    assert [each.status_code for each in sent[:1]] == [303]
    denied = await visit.http.post(SENT, data={**form, "verdict": "deny"}, headers={"origin": PUBLIC_URL})
    for late in (*sent[1:], denied):
        assert "This approval is approved already." in words_of(late.text)
    assert [made.verdict for made in kept(visit)[WAITING.id].decisions] == ["approve"]


async def test_an_answer_counts_only_from_the_page_of_whoever_gives_it(visit: Visit) -> None:
    await visit.sign_in("frank")
    page = (await visit.http.get(CARD)).text
    good = {"token": hidden(page, "token"), "verdict": "approve", "digest": DIGEST}
    origin = {"origin": PUBLIC_URL}
    for form, headers in (
        ({**good, "token": ""}, origin),
        ({**good, "token": good["token"][:-2] + "xx"}, origin),
        (good, {"origin": "https://evil.example"}),
        ({**good, "digest": "0" * 64}, origin),
        ({**good, "digest": ""}, origin),
        ({**good, "verdict": "APPROVE"}, origin),
        ({**good, "verdict": ""}, origin),
    ):
        await visit.http.post(SENT, data=form, headers=headers)
        assert kept(visit)[WAITING.id] == WAITING, (form, headers)
    await visit.sign_in("alice")
    await visit.http.post(SENT, data=good, headers=origin)
    assert kept(visit)[WAITING.id] == WAITING


@pytest.mark.parametrize("why", ["expired", "withdrawn"])
async def test_what_expired_or_was_withdrawn_takes_no_answer(visit: Visit, why: str) -> None:
    await visit.sign_in("frank")
    token = hidden((await visit.http.get(CARD)).text, "token")
    if why == "withdrawn":
        kept(visit)[WAITING.id] = cancelled(WAITING, NOW)
    else:
        kept(visit)[WAITING.id] = replace(WAITING, expires_at=NOW)
    form = {"token": token, "verdict": "approve", "digest": DIGEST}
    answer = await visit.http.post(SENT, data=form, headers={"origin": PUBLIC_URL})
    assert "This approval is" in words_of(answer.text)
    assert kept(visit)[WAITING.id].decisions == ()
    assert "Approve once" not in (await visit.http.get(CARD)).text


async def test_the_inbox_goes_on_where_a_page_ended(visit: Visit) -> None:
    for number in range(35):
        record = ask(visit, f"many-{number:02}", {"n": number}, run=f"run-{number}")
        kept(visit)[record.id] = replace(record, created_at=NOW - 100 - number)
    await visit.sign_in("frank")
    first = (await visit.http.get("/approvals")).text
    assert first.count('href="/approvals/apr_') >= 25
    second = await visit.http.get(link(first, "/approvals?before="))
    assert 'href="/approvals/apr_many-34"' in second.text
    assert 'href="/approvals/apr_many-34"' not in first
    assert "Older calls that are open" not in second.text
    shown = (await visit.http.get("/approvals.json")).json()
    assert len(shown["yours"]) + len(shown["others"]) == 25
    assert kept(visit)[WAITING.id].state is ApprovalState.PENDING
