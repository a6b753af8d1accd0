"""What a browser is told: how much waits, or that something ended, and a link. Never a name, an argument, a reason.

A screen that is locked shows it to anybody. The number is that of the moment at which it leaves; where nothing waits
any more, nothing is sent. Fills `ports_notices.Notifier` for the channel of browsers. Below: `ports_push`. Not here:
what happened (`tell_approvals`), whom it reaches (`address_notices`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from typing import Final

from pierhead.core.browser import Browser, BrowserEnded, check_address
from pierhead.core.errors import Invalid, NotFound
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ports_notices import Notice
from pierhead.usecases.ports_push import Browsers, Pushed, PushServices
from pierhead.usecases.waiting_for import COUNTED, waiting_for

_ASKED: Final = "approval.asked"
_TOLD: Final[Mapping[str, str]] = {
    "approval.approved": "A call you asked for was approved.",
    "approval.denied": "A call you asked for was denied.",
    "approval.expired": "An approval you asked for expired.",
    "approval.superseded": "An approval you asked for is void.",
    "approval.lost": "A call ended, and nobody knows how. Somebody has to look.",
    "approval.glass-broken": "Somebody broke the glass.",
    "approval.glass-review": "A broken glass waits for its review.",
}
_OTHERS: Final[Mapping[str, str]] = {
    "review": "A review waits for your group.",
    "server": "A server of your group needs somebody.",
}
_LONGEST_LIFE_S: Final = 86_400
_SHORTEST_LIFE_S: Final = 60


@dataclass(frozen=True, slots=True)
class BrowserNotices:
    """Tells browsers. `services` are those that are let in now: what was let in before is sent to no more."""

    browsers: Browsers
    push: PushServices
    approvals: ApprovalDesk
    services: tuple[str, ...]

    async def send(self, notice: Notice, now: float) -> None:
        """Errors: UpstreamUnreachable; Invalid, where the browser or its person is gone."""
        browser = await self._known(notice.recipient)
        message = await self._message(notice, browser, now)
        if message is None:
            return
        try:
            await self.push.push(browser, message, now)
        except NotFound as gone:
            fact = BrowserEnded(browser.id, browser.person, gone.message, "")
            await self.browsers.end(browser.id, fact, now)
            raise Invalid("that browser is told nothing any more", hint="turn it on again") from None

    async def _known(self, browser_id: str) -> Browser:
        browser = await self.browsers.one(browser_id)
        if browser is None:
            raise Invalid("that browser was removed meanwhile", hint="nothing to do")
        check_address(browser.address, self.services)
        return browser

    async def _message(self, notice: Notice, browser: Browser, now: float) -> Pushed | None:
        """None where nothing is left to say."""
        path, body, topic = _path(notice), _body(notice.kind), ""
        if notice.kind == _ASKED:
            groups = self.approvals.people.groups(browser.person)
            waiting = await waiting_for(browser.person, groups, self.approvals) if groups is not None else 0
            path, body, topic = "/approvals", _waits(waiting) if waiting else "", "approvals"
        if not body:
            return None
        until = notice.content.get("expires_at")
        left = int(until - now) if isinstance(until, float) else _LONGEST_LIFE_S
        life_s = min(max(left, _SHORTEST_LIFE_S), _LONGEST_LIFE_S)
        content = dumps({"body": body, "path": path, "tag": topic or notice.id}).encode()
        return Pushed(content, life_s, topic, is_urgent=notice.kind == _ASKED)


def _body(kind: str) -> str:
    return _TOLD.get(kind) or _OTHERS.get(kind.partition(".")[0], "")


def _path(notice: Notice) -> str:
    """Where what it tells of is shown."""
    for name in ("approval", "review", "server"):
        if name in notice.content:
            return f"/{name}s/{notice.content[name]}"
    return "/"


def _waits(waiting: int) -> str:
    if waiting == 1:
        return "1 call waits for you."
    return f"{waiting}{' or more' if waiting >= COUNTED else ''} calls wait for you."
