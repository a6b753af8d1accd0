"""Processes for what was registered while the platform runs: started when an entry comes, stopped when it is retired.

A server that its team runs gets no process here; where it is, is known, so that it can be looked at like the others.

Each has its own start, its own pause after a failure and its own end: one that cannot start disturbs no other. A key
and a port are made for each new name; the gateway derives its half of the key from its own, and learns the port from
the policy, so neither it nor the registry starts again. Above: `apps/cli/up`. Not here: the operator's fleet file.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urlsplit

from pierhead.adapters.internal_client import InternalClient
from pierhead.adapters.processes import Child, Supervisor
from pierhead.bootstrap.declared import OWN
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.running import free_ports
from pierhead.bootstrap.watching import Place
from pierhead.core.errors import PierheadError
from pierhead.usecases.check_guest import host_of

_AGAIN_S: Final = 1.0
_APART_S: Final = 0.2
_WAIT_S: Final = 10.0
_START_S: Final = 60.0
_FIRST_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 300.0
_AT_ONCE: Final = 4
_ENDED: Final = frozenset({"retired"})

Report = Callable[[str, str, str], Awaitable[None]]
MakeChild = Callable[[str, int], Child]


@dataclass(slots=True)
class _Followed:
    """One registered server: what it was started from, and its task while that goes on."""

    document: str
    child: Child
    task: "asyncio.Task[None]"


@dataclass(slots=True)
class Following:
    """Keeps as many processes as there are registered entries. `make` says how one is started on a port."""

    client: InternalClient
    supervisor: Supervisor
    keys: Keys
    make: MakeChild
    report: Report
    drain_s: float
    own_hosts: frozenset[str]
    """The hosts at which registered servers may run elsewhere."""
    _elsewhere: dict[str, Place] = field(default_factory=dict[str, Place])
    _followed: dict[str, _Followed] = field(default_factory=dict[str, _Followed])
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def follow(self) -> None:
        """Until cancelled: hears of a change when it happens. A registry that is away changes nothing."""
        seen = ""
        while True:
            asked = {"seen": seen, "wait_s": _WAIT_S}
            try:
                told = await asyncio.to_thread(self.client.get, "/entries", asked)
            except PierheadError:
                seen = ""
                await asyncio.sleep(_AGAIN_S)
                continue
            seen = str(told["seen"])
            with contextlib.suppress(PierheadError):
                await self.agree(told)
            await asyncio.sleep(_APART_S)

    def children(self) -> Mapping[str, Child]:
        """The processes of now, by server name."""
        return {name: followed.child for name, followed in self._followed.items()}

    def elsewhere(self) -> Mapping[str, Place]:
        """Where the servers are that their teams run, by name."""
        return self._elsewhere

    async def agree(self, told: Mapping[str, Any]) -> None:
        """Start what is new, stop what is gone, start again what is declared otherwise."""
        self._elsewhere = dict(_elsewhere(told, self.own_hosts))
        wanted = dict(_wanted(told))
        gone = [name for name, followed in self._followed.items() if wanted.get(name) != followed.document]
        await asyncio.gather(*(self._stop(name) for name in gone))
        for name in _retired(told):
            self.keys.forget_server(name)
        for name, document in wanted.items():
            if name not in self._followed:
                self._begin(name, document)

    async def stop(self) -> list[str]:
        """Begin nothing more; the names of the processes that are left to drain."""
        for followed in self._followed.values():
            followed.task.cancel()
        await asyncio.gather(*(followed.task for followed in self._followed.values()), return_exceptions=True)
        return [followed.child.name for followed in self._followed.values()]

    def _begin(self, name: str, document: str) -> None:
        self.keys.ensure_server(name)
        child = self.make(name, free_ports(1)[0])
        self._followed[name] = _Followed(document, child, asyncio.create_task(self._start(child)))

    async def _start(self, child: Child) -> None:
        """Again and again until it runs; the supervisor keeps it from then on."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                async with self._turn:
                    await self.supervisor.start(child, _START_S)
            except (PierheadError, OSError) as failed:
                await self.report(child.name, "failed", f"{failed}; again in {pause:g} s")
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                return

    async def _stop(self, name: str) -> None:
        followed = self._followed.pop(name)
        followed.task.cancel()
        await asyncio.gather(followed.task, return_exceptions=True)
        await self.supervisor.stop([followed.child.name], self.drain_s)
        await self.report(followed.child.name, "stopped", "")


def _wanted(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The registered entries that are to run, each with the text of what it is started from."""
    entries = cast("Mapping[str, Mapping[str, Any]]", told["entries"])
    return [
        (name, json.dumps(entry["document"], sort_keys=True))
        for name, entry in entries.items()
        if entry["origin"] == "registered" and entry["stage"] not in _ENDED and entry["document"]["kind"] != OWN
    ]


def _elsewhere(told: Mapping[str, Any], hosts: frozenset[str]) -> Iterator[tuple[str, Place]]:
    """The servers that their teams run; registered ones only where the operator lets them be."""
    for name, entry in cast("Mapping[str, Mapping[str, Any]]", told["entries"]).items():
        document, is_fleets = cast("Mapping[str, Any]", entry["document"]), entry["origin"] == "fleet"
        if document["kind"] != OWN or "url" not in document or entry["stage"] in _ENDED:
            continue
        url = str(document["url"])
        host = host_of(url)
        if is_fleets or host in hosts:
            yield name, Place(urlsplit(url).port or 0, host=host)


def _retired(told: Mapping[str, Any]) -> list[str]:
    """The registered servers whose end has come: their keys open nothing any more, and are not kept."""
    entries = cast("Mapping[str, Mapping[str, Any]]", told["entries"])
    return [name for name, entry in entries.items() if entry["origin"] == "registered" and entry["stage"] in _ENDED]
