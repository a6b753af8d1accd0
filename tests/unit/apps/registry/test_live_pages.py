"""Pages of approvals that stay as they are now: told by marks alone, to whoever is signed in, as long as they are."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import cast

import pytest
from tests.approving import APPROVERS, proposal
from tests.visiting import Visit
from tests.web_site import NOW, PUBLIC_URL, WAITING

from pierhead.apps.registry.web.live import live, mark_of_approval, mark_of_inbox
from pierhead.apps.registry.web.session import Session
from pierhead.apps.registry.web.site import Viewer
from pierhead.apps.registry.web.streams import Streams
from pierhead.core.approval_record import proposed
from pierhead.core.errors import LimitExceeded, NotFound
from pierhead.usecases.answer_approval import Answer, decide_approval
from pierhead.usecases.hear_inbox import OwnNews
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.serve_policy import ServedPolicy

pytestmark = pytest.mark.anyio


def viewer(visit: Visit, person: str, session: str = "s1") -> Viewer:
    groups = visit.world.site.tokens.people.groups(person)
    assert groups is not None
    return Viewer(person, groups, Session(session, person, int(NOW), int(NOW)))


class Listening:
    """One open page: the events that it gets, one after the other."""

    def __init__(self, visit: Visit, who: Viewer, approval_id: str = "") -> None:
        site = visit.world.site
        self.who: Viewer | None = who
        marked = (
            partial(mark_of_approval, site, approval_id=approval_id) if approval_id else partial(mark_of_inbox, site)
        )
        response = live(site, who, lambda: self.who, marked)
        self.events = cast("AsyncIterator[bytes]", response.body_iterator)

    async def next(self) -> str:
        """What comes next: a mark, or nothing of news; `over` at the end."""
        async for event in self.events:
            if event.startswith(b"retry"):
                continue
            return event.decode().partition("data: ")[2].strip()
        return "over"


@asynccontextmanager
async def opened(visit: Visit, person: str = "frank", approval_id: str = "") -> AsyncIterator[Listening]:
    page = Listening(visit, viewer(visit, person), approval_id)
    yield page
    await cast("AsyncGenerator[bytes]", page.events).aclose()


async def deny(visit: Visit) -> None:
    answer = Answer("deny", "no", "web", WAITING.proposal.digest)
    await decide_approval(
        WAITING.id, answer, viewer(visit, "frank").caller(visit.world.site), visit.world.site.approvals
    )


def ears(visit: Visit) -> OwnNews:
    news = visit.world.site.news
    assert isinstance(news, OwnNews)
    return news


async def test_the_first_mark_is_that_of_the_page_and_a_decision_elsewhere_changes_it(visit: Visit) -> None:
    await visit.sign_in("frank")
    page = (await visit.http.get("/approvals")).text
    assert 'data-live="/approvals/stream"' in page
    async with opened(visit) as listening:
        first = await listening.next()
        assert f'data-mark="{first}"' in page
        await deny(visit)
        second = await listening.next()
    assert second not in {first, ""}
    page = (await visit.http.get("/approvals")).text
    assert f'data-mark="{second}"' in page
    assert "<title>Approvals (2) · Pierhead</title>" in page
    assert "Approvals (2)</a>" in page


async def test_a_new_request_changes_the_inbox_of_those_who_are_asked(visit: Visit) -> None:
    async with opened(visit) as frank, opened(visit, "bob") as bob:
        before = (await frank.next(), await bob.next())
        store = visit.world.site.approvals.store
        assert isinstance(store, MemoryApprovals)
        fresh = proposed("apr_new", proposal({"n": 9}, issuer=PUBLIC_URL, call_key="new"), APPROVERS, NOW)
        store.kept[fresh.id] = fresh
        ears(visit).ears.tell(fresh.people, fresh.approvers)
        assert await frank.next() not in {before[0], ""}


async def test_what_shows_the_same_is_no_news(visit: Visit) -> None:
    async with opened(visit) as listening:
        await listening.next()
        ears(visit).ears.tell(("alice",), APPROVERS)
        assert await listening.next() == ""


async def test_an_approvals_page_is_told_of_its_own_answer_and_keeps_what_is_typed(visit: Visit) -> None:
    await visit.sign_in("frank")
    page = (await visit.http.get(f"/approvals/{WAITING.id}")).text
    assert f'data-live="/approvals/{WAITING.id}/stream"' in page
    assert 'data-only="told"' in page
    async with opened(visit, approval_id=WAITING.id) as listening:
        first = await listening.next()
        assert f'data-mark="{first}"' in page
        await deny(visit)
        assert await listening.next() not in {first, ""}
    assert "data-live" not in (await visit.http.get(f"/approvals/{WAITING.id}")).text, "nothing more can happen to it"


async def test_signing_out_ends_the_streams_of_that_session_alone(visit: Visit) -> None:
    site = visit.world.site
    mine, other = Listening(visit, viewer(visit, "frank")), Listening(visit, viewer(visit, "frank", "s2"))
    await mine.next()
    await other.next()
    site.streams.end("s1")
    assert await mine.next() == "over"
    ears(visit).ears.tell(("frank",), ())
    assert await other.next() == ""
    site.streams.end("s2")
    assert await other.next() == "over"
    assert ears(visit).ears.is_empty


async def test_a_sign_out_by_the_button_ends_them_too(visit: Visit) -> None:
    await visit.sign_in("frank")
    cookie = visit.http.cookies["pierhead_session"]
    listening = Listening(visit, viewer(visit, "frank", cookie.partition(".")[0]))
    await listening.next()
    await visit.send("/you", "/sign-out")
    assert await listening.next() == "over"
    assert (await visit.http.get("/approvals/stream")).status_code == 401


async def test_whoever_is_nobody_here_any_more_hears_nothing_more(visit: Visit) -> None:
    listening = Listening(visit, viewer(visit, "frank"))
    await listening.next()
    listening.who = None
    ears(visit).ears.tell(("frank",), ())
    assert await listening.next() == "over"


async def test_a_program_that_stops_lets_everyone_go(visit: Visit) -> None:
    listening = Listening(visit, viewer(visit, "frank"))
    await listening.next()
    served = visit.world.site.feed
    assert isinstance(served, ServedPolicy)
    served.let_go()
    assert await listening.next() == "over"


async def test_so_many_pages_stay_up_to_date_and_no_more(visit: Visit) -> None:
    visit.world.site = replace(visit.world.site, streams=Streams(most=3, most_of_person=2))
    pages = [Listening(visit, viewer(visit, "frank", f"s{n}")) for n in range(2)]
    for page in pages:
        await page.next()
    with pytest.raises(LimitExceeded) as refused:
        Listening(visit, viewer(visit, "frank", "s9"))
    assert refused.value.code == "too-many-streams"
    await Listening(visit, viewer(visit, "alice")).next()
    with pytest.raises(LimitExceeded):
        Listening(visit, viewer(visit, "bob"))


async def test_a_stream_is_nobodys_who_is_not_signed_in_and_of_nothing_hidden(visit: Visit) -> None:
    assert (await visit.http.get("/approvals/stream")).status_code == 401
    await visit.sign_in("bob")
    assert (await visit.http.get(f"/approvals/{WAITING.id}/stream")).status_code == 404
    with pytest.raises(NotFound):
        await mark_of_approval(visit.world.site, viewer(visit, "bob"), WAITING.id)


async def test_older_pages_and_the_twin_are_as_they_were(visit: Visit) -> None:
    await visit.sign_in("frank")
    assert "data-live" not in (await visit.http.get(f"/approvals?before={WAITING.id}")).text
    assert set(await visit.json("/approvals")) == {"yours", "others", "closed", "to_review", "older", "now"}
