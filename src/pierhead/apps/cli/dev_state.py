"""A project's server on the platform in memory, while it is written: loaded again on change, called as anyone.

Nothing here listens (`dev`), nothing is shown (`dev_page`). Below: `pierhead.testing`, whose platform it is.
"""

import asyncio
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from mcp.shared.exceptions import MCPError

from pierhead.bootstrap.projects import Project
from pierhead.core.approval import Approval
from pierhead.core.catalog import Tool
from pierhead.sdk.host import Application
from pierhead.testing import Bench, Identity

_LOOK_S: Final = 0.5
_SHOWN_FACTS: Final = 20

Talk = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tried:
    """One call from the page. `warning` says what policy would have refused; `result` is what came of it then."""

    tool: str
    who: Identity
    era: str
    result: Mapping[str, Any]
    facts: tuple[Mapping[str, Any], ...]
    warning: str = ""


@dataclass(slots=True)
class Development:
    """The bench of now; `fault` is why the newest code is not on it."""

    project: Project
    talk: Talk
    bench: Bench
    fault: str = ""
    loaded: int = 1
    speaker: Identity = field(default_factory=lambda: Identity("alice"))
    """As whom AI clients call at `/mcp`."""
    door: Application | None = None
    """Answers at `/mcp` while `follow` runs."""
    _marks: Mapping[Path, int] = field(default_factory=dict[Path, int])
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(cls, project: Project, talk: Talk) -> "Development":
        """Errors: Misconfigured (`no-such-code`); whatever the project's module raises."""
        sys.dont_write_bytecode = True  # two saves within a second would read as one
        made = cls(project, talk, Bench(project.server()))
        made._marks = made._look()
        return made

    async def follow(self) -> None:
        """Until cancelled: load the code again whenever a file of it changes, and answer at `/mcp` with the newest."""
        while True:
            bench = self.bench
            async with bench.serving() as door:
                self.door = door
                while self.bench is bench:
                    await asyncio.sleep(_LOOK_S)
                    self.look()
                self.door = None

    def spoken_for(self) -> Identity:
        """Who calls at `/mcp`: the speaker, in every group that a tool names, since policy only warns here."""
        groups = {group for tool in self.tools() for group in tool.policy.groups}
        return replace(self.speaker, groups=self.speaker.groups | groups)

    def warn(self, name: str) -> None:
        """Say so, if policy would refuse this tool to the speaker."""
        tool = next((each for each in self.tools() if each.name == name), None)
        if tool is not None and not may_use(self.speaker, tool):
            self.talk(
                f"WARNING: {self.speaker.user or self.speaker.workload} would be refused: {name} is for {tool.policy}"
            )

    def look(self) -> None:
        """Load the code again if a file of it changed; code that does not load leaves the server as it was."""
        marks = self._look()
        if marks == self._marks:
            return
        self._marks = marks
        kept = self._forget()
        try:
            server = self.project.server()
            self.bench, self.fault = self.bench.reloaded(server), ""
        except Exception as fault:  # noqa: BLE001 - code that is being written may raise anything
            sys.modules.update(kept)
            self.fault = "".join(traceback.format_exception_only(fault)).strip()
            self.talk(f"not loaded: {self.fault}")
        else:
            self.loaded += 1
            self.talk(f"loaded again: {len(server.tools)} tools")

    def tools(self) -> tuple[Tool, ...]:
        return self.bench.server.manifest()

    async def call(self, name: str, arguments: Mapping[str, Any], who: Identity, era: str) -> Tried:
        """Call as `who`. What policy refuses is said, and called again as somebody who may: a warning, not a wall."""
        async with self._turn:
            self.bench.clock.seconds = time.time()  # noqa: TID251 - a development server has the clock of its machine
            first = await self._once(name, arguments, who, era)
            refused = next((fact for fact in first.facts if fact["kind"] == "call-refused"), None)
            tool = next((each for each in self.tools() if each.name == name), None)
            other = stand_in(who, tool) if tool is not None else None
            if refused is None or other is None or "refused" not in first.result:
                return first
            as_whom = ", ".join(sorted(other.groups - who.groups)) or other.workload or other.user
            warning = f"{who.user or who.workload} would be refused: {name} is for {tool.policy}"  # pyright: ignore[reportOptionalMemberAccess]
            self.talk(f"WARNING: {warning}")
            second = await self._once(name, arguments, other, era)
            return replace(
                second, warning=f"{warning}. Called as if they had {as_whom}", facts=first.facts + second.facts
            )

    async def answer(self, approval: str, verdict: str) -> None:
        """Answer as everybody who is needed. Errors: as `decide_approval`."""
        self.bench.clock.seconds = time.time()  # noqa: TID251 - as above
        record = next(each for each in self.bench.people.asked if each.id == approval)
        asker = record.proposal.person
        others = [each for each in ("ann", "ben", "cleo") if each != asker]
        who = [asker] if record.proposal.approval is Approval.CONFIRM else others
        for person in who[: record.required if verdict == "approve" else 1]:
            await self.bench.people.decide(approval, "approve" if verdict == "approve" else "deny", by=person)

    def last_facts(self) -> list[Mapping[str, Any]]:
        return [asdict(fact) for fact in reversed(self.bench.audit.facts[-_SHOWN_FACTS:])]

    async def _once(self, name: str, arguments: Mapping[str, Any], who: Identity, era: str) -> Tried:
        known = len(self.bench.audit.facts)
        async with self.bench.client(who, era) as client:
            try:
                answer = await client.call_tool(name, dict(arguments))
                result = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
            except MCPError as refused:
                result = {"refused": {"code": refused.error.code, "message": refused.error.message}}
        return Tried(name, who, era, result, tuple(asdict(fact) for fact in self.bench.audit.facts[known:]))

    def _look(self) -> Mapping[Path, int]:
        found: dict[Path, int] = {}
        for path in self.project.folder.rglob("*.py"):
            if not any(part.startswith(".") for part in path.relative_to(self.project.folder).parts):
                found[path] = path.stat().st_mtime_ns
        return found

    def _forget(self) -> dict[str, Any]:
        """Take the project's modules away, so that they are imported anew."""
        mine = {
            name: module
            for name, module in list(sys.modules.items())
            if str(getattr(module, "__file__", None) or "").startswith(f"{self.project.folder}/")
        }
        for name in mine:
            del sys.modules[name]
        return mine


def may_use(who: Identity, tool: Tool) -> bool:
    """Whether the tool's policy names `who`, by what it says of people and programs."""
    policy = tool.policy
    is_named = who.user in policy.users or not policy.groups.isdisjoint(who.groups)
    return (bool(who.user) and (policy.any_person or is_named)) or who.workload in policy.workloads


def stand_in(who: Identity, tool: Tool) -> Identity | None:
    """`who`, with what the tool's policy asks for; None for a tool that is for nobody."""
    policy = tool.policy
    if policy.any_person:
        return replace(who, user=who.user or "somebody")
    if policy.groups:
        return replace(who, user=who.user or "somebody", groups=who.groups | {min(policy.groups)})
    if policy.users:
        return replace(who, user=min(policy.users))
    return replace(who, workload=min(policy.workloads)) if policy.workloads else None
