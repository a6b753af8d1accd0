"""A person lets a browser tell them of approvals, and takes that back.

Each browser belongs to whoever turned it on last: a machine that people share tells nobody of another's. Above: the
page `/you`. Below: `core/browser`, which judges what a browser hands over. Not here: what it is told (`push_notice`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pierhead.core.audit import Fact
from pierhead.core.browser import MOST_OF_PERSON, Browser, BrowserAdded, BrowserEnded, browser_id, check_browser
from pierhead.core.errors import Conflict, NotFound
from pierhead.core.identity import User
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_push import Browsers

_TAKEN_OVER: Final = "somebody else turned it on"


@dataclass(frozen=True, slots=True)
class PushDesk:
    """What hearing in a browser needs. `key` is what a browser binds its address to: ours alone may send there."""

    browsers: Browsers
    clock: Clock
    key: str
    services: tuple[str, ...]


async def hear_in_browser(wanted: Browser, who: User, desk: PushDesk) -> Browser:
    """From now on that browser tells `who`; `wanted` says which it is, and nothing of whose.

    Errors: Invalid (`bad-browser`); Conflict (`too-many-browsers`).
    """
    check_browser(wanted, desk.services)
    now = desk.clock.now()
    made = replace(wanted, id=browser_id(wanted.address), issuer=who.issuer, person=who.subject, made_at=now)
    before = await desk.browsers.one(made.id)
    is_theirs = before is not None and (before.issuer, before.person) == (who.issuer, who.subject)
    if not is_theirs and len(await heard_in(who, desk)) >= MOST_OF_PERSON:
        message = f"you hear of approvals in {MOST_OF_PERSON} browsers already"
        raise Conflict(message, hint="remove one first", code="too-many-browsers")
    facts: list[Fact] = []
    if before is not None and not is_theirs:
        facts.append(BrowserEnded(before.id, before.person, _TAKEN_OVER, who.subject))
    await desk.browsers.put(made, (*facts, BrowserAdded.of(made)), now)
    return made


async def heard_in(who: User, desk: PushDesk) -> Sequence[Browser]:
    """The browsers of one person, the oldest first."""
    return await desk.browsers.of(who.issuer, (who.subject,))


async def hear_no_more(browser_id: str, reason: str, who: User, desk: PushDesk) -> None:
    """Take a browser back. Errors: NotFound, also for a browser of others."""
    known = await desk.browsers.one(browser_id)
    if known is None or (known.issuer, known.person) != (who.issuer, who.subject):
        raise _no_such_browser()
    fact = BrowserEnded(known.id, known.person, reason, who.subject)
    if not await desk.browsers.end(known.id, fact, desk.clock.now()):
        raise _no_such_browser()


def _no_such_browser() -> NotFound:
    return NotFound("no such browser, or not yours", hint="see your page: /you")
