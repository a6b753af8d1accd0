"""`Browsers` in a dict, and push services that keep what they are given, for tests."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pierhead.core.audit import Fact
from pierhead.core.browser import Browser, BrowserEnded
from pierhead.core.errors import PierheadError
from pierhead.usecases.ports_push import Pushed


@dataclass(slots=True)
class MemoryBrowsers:
    """Fills `Browsers`; `facts` are those that came along."""

    kept: dict[str, Browser] = field(default_factory=dict[str, Browser])
    facts: list[Fact] = field(default_factory=list[Fact])

    async def put(self, browser: Browser, facts: Sequence[Fact], at: float) -> None:
        del at
        self.kept[browser.id] = browser
        self.facts += facts

    async def end(self, browser_id: str, fact: BrowserEnded, at: float) -> bool:
        del at
        if self.kept.pop(browser_id, None) is None:
            return False
        self.facts.append(fact)
        return True

    async def one(self, browser_id: str) -> Browser | None:
        return self.kept.get(browser_id)

    async def of(self, issuer: str, people: Collection[str]) -> Sequence[Browser]:
        mine = [each for each in self.kept.values() if each.issuer == issuer and each.person in people]
        return sorted(mine, key=lambda each: (each.person, each.made_at, each.id))


@dataclass(slots=True)
class MemoryPush:
    """Fills `PushServices`; `refuses` is what it answers from now on."""

    sent: list[tuple[str, Pushed]] = field(default_factory=list[tuple[str, Pushed]])
    refuses: PierheadError | None = None

    async def push(self, browser: Browser, message: Pushed, now: float) -> None:
        del now
        if self.refuses is not None:
            raise self.refuses
        self.sent.append((browser.id, message))
