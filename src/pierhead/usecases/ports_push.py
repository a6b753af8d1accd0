"""What web push needs of the outside: which browsers people hear in, and the services that reach them.

Filled by `adapters/db/browsers` and `adapters/foreign/web_push`; in tests by `usecases/memory_push`. Not here: what is
told (`push_notice`), who adds a browser (`hear_in_browser`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from pierhead.core.audit import Fact
from pierhead.core.browser import Browser, BrowserEnded


class Browsers(Protocol):
    """Every browser, each change in one transaction with its facts."""

    async def put(self, browser: Browser, facts: Sequence[Fact], at: float) -> None:
        """Keep it, in place of the one with its id."""
        ...

    async def end(self, browser_id: str, fact: BrowserEnded, at: float) -> bool:
        """Forget it; False, and no fact, where it is not there."""
        ...

    async def one(self, browser_id: str) -> Browser | None: ...

    async def of(self, issuer: str, people: Collection[str]) -> Sequence[Browser]:
        """Those of these people, by person, the oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Pushed:
    """One message to one browser: for how many seconds its service keeps it, and whether it may wake a device.

    `topic` lets a newer message take the place of an older one that was not delivered yet; empty: none.
    """

    content: bytes
    life_s: int
    topic: str
    is_urgent: bool


class PushServices(Protocol):
    """The services that reach browsers."""

    async def push(self, browser: Browser, message: Pushed, now: float) -> None:
        """Hand it over, sealed for that browser alone.

        Errors: NotFound, where the browser is gone for good; Invalid, for what will never be taken;
        UpstreamUnreachable, for what may be later.
        """
        ...
