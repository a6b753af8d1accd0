"""`pierhead up`: start in order, say where everything is, wait, stop in order.

Order: registry; then servers and gateway together; ready when the gateway says so. The way back is the reverse, so
that nothing is asked of a program that has ended. Ctrl-C drains and exits 0; a second Ctrl-C cuts the drain short: 130.
"""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pierhead.apps.cli.frame import INTERRUPTED
from pierhead.bootstrap.running import announce, withdraw
from pierhead.bootstrap.watching import watch
from pierhead.bootstrap.wire_commands import console
from pierhead.bootstrap.wire_platform import GRACE_S, Platform, platform
from pierhead.core.errors import PierheadError

if TYPE_CHECKING:
    from pierhead.bootstrap.settings import Resolved

_START_S: Final = 60.0


def run_up(resolved: "Resolved", fleet: Path | None, *, mesh: bool) -> int:
    """Run until Ctrl-C; the exit code. Errors: Misconfigured and UpstreamUnreachable, with everything stopped."""
    began = time.monotonic()
    talk = Talk(began)
    return asyncio.run(_live(platform(resolved, fleet, talk, mesh=mesh), talk))


class Talk:
    """One line a change, on stderr, with the seconds since the start."""

    def __init__(self, began: float) -> None:
        self.began = began

    def __call__(self, name: str, state: str, reason: str) -> None:
        end = f"  {reason}" if reason else ""
        print(f"{self.seconds():6.1f} s  {name:<18} {state}{end}", file=sys.stderr, flush=True)

    def seconds(self) -> float:
        return time.monotonic() - self.began


async def _live(whole: Platform, talk: Talk) -> int:
    asked = _asked_to_stop()
    data = whole.settings.platform.data.resolve()
    try:
        if await _unless(asked, _start(whole)):
            announce(data, whole.running)
            print(ready_text(whole, talk.seconds()), flush=True)
            await _attend(whole, asked)
        talk("pierhead", "stopping", "finishing open calls; Ctrl-C again to cut it short")
    except PierheadError:
        talk("pierhead", "stopping", "the start failed")
        raise
    finally:
        withdraw(data)
        drained = await _stop(whole, asked)
    talk("pierhead", "stopped", "")
    return 0 if drained else INTERRUPTED


def _asked_to_stop() -> asyncio.Event:
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    return asked


async def _start(whole: Platform) -> None:
    supervisor = whole.supervisor
    await supervisor.start(whole.registry, _START_S)
    try:
        async with asyncio.TaskGroup() as tasks:
            for child in (*whole.servers.values(), whole.gateway):
                tasks.create_task(supervisor.start(child, _START_S))
    except* PierheadError as failed:
        raise failed.exceptions[0] from None
    await supervisor.until_ready(whole.gateway.name, "/readyz", whole.gateway.port, _START_S)
    if whole.mesh is not None:
        await supervisor.start(whole.mesh.child(), _START_S)


async def _attend(whole: Platform, asked: asyncio.Event) -> None:
    """Until somebody asks to stop: look at the servers, and run what is registered meanwhile."""
    every_s = whole.settings.registry.probe_s
    tasks = [
        asyncio.create_task(whole.following.follow()),
        asyncio.create_task(watch(whole.everyone, whole.client, every_s)),
        asyncio.create_task(whole.reporting.catch_up(every_s)),
    ]
    if whole.mesh is not None:
        here = console(whole.settings.platform.data)
        tasks += [asyncio.create_task(whole.mesh.renew()), asyncio.create_task(whole.mesh.follow(here))]
    try:
        await asked.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _unless(asked: asyncio.Event, starting: Coroutine[object, object, None]) -> bool:
    """Whether it came to its end before somebody asked to stop. Errors: its own."""
    work, stop = asyncio.create_task(starting), asyncio.create_task(asked.wait())
    await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
    for task in (work, stop):
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if work.cancelled():
        return False
    work.result()
    return True


async def _stop(whole: Platform, asked: asyncio.Event) -> bool:
    """Gateway first, registry last; whether every process ended by itself."""
    asked.clear()
    cut_short, draining = asyncio.create_task(asked.wait()), asyncio.create_task(_drain(whole))
    await asyncio.wait({cut_short, draining}, return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        whole.supervisor.kill()
    cut_short.cancel()
    return await draining


async def _drain(whole: Platform) -> bool:
    within_s = whole.settings.shutdown.drain_s + GRACE_S
    servers = [child.name for child in whole.servers.values()] + await whole.following.stop()
    front = [whole.mesh.name] if whole.mesh else []
    stages = (front, [whole.gateway.name], servers, [whole.registry.name])
    return all([await whole.supervisor.stop(names, within_s) for names in stages])


def ready_text(whole: Platform, seconds: float) -> str:
    """What a newcomer needs: where, who, and two lines to paste."""
    url = whole.running.public_url
    first = next(iter(whole.fleet.servers))
    lines = [
        "",
        f"  Pierhead is ready in {seconds:.1f} s:  {url}",
        "",
        *_sign_in(whole),
        "",
        "  Servers:",
        *[f"    {name:<12} {server.kind:<7} {server.description}" for name, server in whole.fleet.servers.items()],
        "",
        "  Connect an AI client (it opens the browser to sign in):",
        f"    claude mcp add --transport http {first} {url}/mcp/{first}",
        f'    code --add-mcp \'{{"name":"{first}","type":"http","url":"{url}/mcp/{first}"}}\'',
        "",
        "  Or without one:",
        *_examples(whole),
        "",
        *_mesh(whole),
        "  Ctrl-C stops everything; the data stays.",
        "",
    ]
    return "\n".join(lines)


def _sign_in(whole: Platform) -> list[str]:
    url, provider = whole.running.public_url, whole.settings.sign_in.issuer
    if provider:
        return [f"  Sign in at {url}/sign-in, through {provider}"]
    return [
        f"  Sign in at {url}/sign-in: choose one of the people, no password (built-in sign-in, this machine only):",
        *(f"    {name:<8} {', '.join(sorted(groups))}" for name, groups in whole.fleet.people.items()),
    ]


def _examples(whole: Platform) -> list[str]:
    if "warehouse" not in whole.fleet.servers or whole.settings.sign_in.is_elsewhere:
        return [f"    {_program()} server list --data {whole.settings.platform.data}"]
    query = "select carrier, count(*) as flights from flights group by 1 order by 2 desc"
    return [f'    {_program()} call warehouse run_query sql="{query}" --as alice']


def _mesh(whole: Platform) -> list[str]:
    """What a client behind Envoy needs: whom to trust, and the certificate of each workload."""
    mesh = whole.mesh
    if mesh is None:
        return []
    workloads = [f"    {workload:<48} {mesh.svid_of(workload)}" for workload in mesh.settings.mesh.workloads]
    return [
        f"  Envoy stands in front; clients trust it by {mesh.trust}",
        "  Workloads prove themselves with:",
        *workloads,
        "",
    ]


def _program() -> str:
    """How this program is called from here: `make up` does not put it on the PATH."""
    return "pierhead" if shutil.which("pierhead") else os.path.relpath(sys.argv[0])
