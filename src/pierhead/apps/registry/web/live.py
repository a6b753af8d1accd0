"""Pages of approvals that stay as they are now: a stream of events tells an open page that it has changed.

An event holds a mark of what its reader would be shown, and nothing of it: the page fetches itself anew, as its reader.
Bounded in number and time, and over with the session: whoever signed out or lost a right is asked who they are. Every
page works without. Below: `usecases/hear_inbox`. Not here: what pages show (`view_approvals`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from typing import Final

import htpy as h
import orjson
from starlette.responses import StreamingResponse

from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.apps.registry.web.view_approvals import ApprovalsView, ApprovalView, approval_view, approvals_view
from pierhead.usecases.ports_approvals import Everyone, Seer

_BEAT_S: Final = 15.0
_BEATS: Final = 40
"""Ten minutes; a page then comes again, and is asked who it is."""
_HEADERS: Final = {"content-type": "text/event-stream", "x-content-type-options": "nosniff"}

Again = Callable[[], Viewer | None]
"""Who listens, as of now; None once they are nobody here."""
Marked = Callable[[Viewer], Awaitable[str]]
"""The mark of what they would be shown."""


def live(site: Site, viewer: Viewer, again: Again, marked: Marked) -> StreamingResponse:
    """A stream of marks for one open page. Errors: LimitExceeded (`too-many-streams`)."""
    site.streams.check(viewer.person)
    return StreamingResponse(_events(site, viewer, again, marked), 200, _HEADERS)


async def _events(site: Site, viewer: Viewer, again: Again, marked: Marked) -> AsyncIterator[bytes]:
    yield b"retry: 3000\n\n"
    seer = Everyone() if viewer.sees_all(site) else Seer(viewer.person, await _groups(site, viewer))
    async with site.news.listening(seer) as heard:
        with site.streams.opened(viewer.session.id, viewer.person, heard) as stream:
            told = ""
            for _ in range(_BEATS):
                now = again()
                if now is None or stream.is_over or site.feed.is_ending:
                    return
                mark = await marked(now)
                yield b": still here\n\n" if mark == told else b"event: mark\ndata: %b\n\n" % mark.encode()
                told = mark
                await _next(site, heard)


async def _groups(site: Site, viewer: Viewer) -> frozenset[str]:
    """Their own, and those of whom they stand in for."""
    lent = await site.approvals.duties.stands_in(viewer.person)
    return viewer.groups.union(*(each.groups for each in lent))


async def _next(site: Site, heard: asyncio.Event) -> None:
    """Until there is news, a beat is over, or the program stops."""

    async def news() -> None:
        await heard.wait()

    waits = {asyncio.create_task(news()), asyncio.create_task(_changed(site))}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    heard.clear()


async def _changed(site: Site) -> None:
    """Until another policy is in force, which may show more or less; at most for a beat."""
    await site.feed.after(site.feed.current().revision, _BEAT_S)


async def mark_of_inbox(site: Site, viewer: Viewer) -> str:
    return inbox_mark(await approvals_view(site, viewer, ""))


async def mark_of_approval(site: Site, viewer: Viewer, approval_id: str) -> str:
    """Errors: NotFound."""
    return approval_mark(await approval_view(site, viewer, approval_id))


def inbox_mark(view: ApprovalsView) -> str:
    """The same as long as the inbox reads the same but for the time."""
    lines = (*view.yours, *view.others, *view.closed, *view.to_review)
    return _digest([(line.id, line.state, line.approved_by, line.required, line.may_decide) for line in lines])


def approval_mark(view: ApprovalView) -> str:
    """The same as long as nobody answered or asked, and time has moved nothing."""
    known = view.approval
    return _digest([(known.line.state, known.line.required, known.line.may_decide, len(known.decisions))])


def _digest(content: object) -> str:
    return sha256(orjson.dumps(content)).hexdigest()[:16]


def staying(address: str, mark: str, *content: h.Node) -> h.Node:
    """A part of a page that a script takes anew when the stream at `address` tells another mark.

    What is said of it stands beside it, so that what is taken anew does not take the saying with it.
    """
    return [
        h.div(class_="stack wide", id="live", data_live=address, data_mark=mark)[content],
        h.p(class_="quiet", id="live-said", role="status", aria_live="polite"),
        h.script(src="/-/static/live.js", defer=True),
    ]


def watching(address: str, mark: str) -> h.Node:
    """For a page in which somebody may be writing: it is told that it changed, and nothing is taken from under them."""
    return [
        h.p(class_="quiet", id="live-said", role="status", aria_live="polite"),
        h.div(id="live", hidden=True, data_live=address, data_mark=mark, data_only="told"),
        h.script(src="/-/static/live.js", defer=True),
    ]
