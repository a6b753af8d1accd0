"""Puts one server's program together: plug-in or guest, governance, journal, policy, manifest."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from pierhead.adapters.assertion import Verifier
from pierhead.adapters.foreign import GuestCommand, StdioGuest
from pierhead.adapters.system import SystemClock
from pierhead.bootstrap.fleet import FleetServer, Guest
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.plugins import build_server
from pierhead.bootstrap.wire_shared import Endless, Shared, share
from pierhead.core.catalog import Tool
from pierhead.core.errors import UpstreamUnreachable
from pierhead.core.snapshot import AgeLimits
from pierhead.sdk.authorize import Declaration, declare
from pierhead.sdk.governance import DeclaredTool, Governance, govern
from pierhead.sdk.guest import guest_front, guest_tools
from pierhead.sdk.host import Application, host, host_guest
from pierhead.usecases.memory import NoApprovals
from pierhead.usecases.tell_state import LatestState
from pierhead.usecases.wire_forms import Manifest

_GUEST_STARTS_S = 30.0
_GUEST_VERSION = "guest"


@dataclass(frozen=True, slots=True)
class ServerSetting:
    """Where one server stands. `upstream` is the address at which the gateway reaches it."""

    entry: FleetServer
    data: Path
    registry_url: str
    upstream: str
    limits: AgeLimits


@dataclass(frozen=True, slots=True)
class ServerParts:
    """One server, put together; the program runs it."""

    application: Application
    endless: tuple[Endless, ...]
    publish: Endless
    is_loaded: Callable[[], bool]
    closing: AsyncExitStack = field(repr=False)


def _governance(beside: Shared, name: str, tools: Mapping[str, DeclaredTool]) -> Governance:
    return govern(name, tools, beside.policy, NoApprovals(), beside.journal, beside.clock)


async def server_parts(setting: ServerSetting) -> ServerParts:
    """Open and build everything; a failure lets go of what was opened.

    Errors: Misconfigured; UpstreamUnreachable, for a guest that does not start.
    """
    async with AsyncExitStack() as opened:
        beside = share(_writer(setting), setting.data, setting.registry_url, setting.limits, opened)
        verifier = _verifier(setting, beside.clock)
        if setting.entry.guest is None:
            application, manifest = _own(setting, beside, verifier)
        else:
            application, manifest = await _guest(setting, setting.entry.guest, beside, verifier, opened)

        async def publish() -> None:
            await beside.registry.publish_manifest(setting.entry.name, manifest)

        return ServerParts(application, beside.endless(), publish, lambda: beside.policy.is_loaded, opened.pop_all())
    raise AssertionError("unreachable")  # the stack above swallows nothing


def _writer(setting: ServerSetting) -> str:
    return f"server-{setting.entry.name}"


def _verifier(setting: ServerSetting, clock: SystemClock) -> Verifier:
    name = setting.entry.name
    return Verifier(Keys.at(setting.data).server_key(name), name, clock)


def _own(setting: ServerSetting, beside: Shared, verifier: Verifier) -> tuple[Application, Manifest]:
    """A server written with the SDK."""
    entry = setting.entry
    server = build_server(entry.kind, entry.name, entry.settings)
    server.folder = setting.data / "servers" / entry.name
    application = host(server, _governance(beside, entry.name, server.tools), verifier)
    return application, _manifest(setting, server.version, server.manifest())


async def _guest(
    setting: ServerSetting, entry: Guest, beside: Shared, verifier: Verifier, opened: AsyncExitStack
) -> tuple[Application, Manifest]:
    """The guard before a guest. Its process is supervised until the program ends."""
    name = setting.entry.name
    log = opened.enter_context(_log(setting))

    async def tell(state: str, reason: str) -> None:
        await beside.registry.report_state(name, state, f"guest: {reason}" if reason else "")

    states = LatestState(tell, asyncio.sleep)
    telling = asyncio.create_task(states.tell_for_ever())
    opened.push_async_callback(_ended, telling)
    guest = StdioGuest(name, GuestCommand(entry.command, entry.environment), log, states.report)
    supervision = asyncio.create_task(guest.supervise())
    opened.push_async_callback(_ended, supervision)
    try:
        async with asyncio.timeout(_GUEST_STARTS_S):
            await guest.ready()
    except TimeoutError:
        message = f"guest {name} did not answer within {_GUEST_STARTS_S:g} s"
        raise UpstreamUnreachable(message, hint=f"see logs/{name}-guest.log in the data directory") from None
    tools = guest_tools(await guest.tools(), {tool: _declaration(entry, tool) for tool in entry.tools})
    front = guest_front(name, _GUEST_VERSION, tools, guest)
    application = host_guest(front, tools, _governance(beside, name, tools), verifier)
    return application, _manifest(setting, _GUEST_VERSION, tuple(tool.declared() for tool in tools.values()))


def _log(setting: ServerSetting) -> TextIO:
    folder = setting.data / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return (folder / f"{setting.entry.name}-guest.log").open("a", encoding="utf-8")


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _declaration(entry: Guest, tool: str) -> Declaration:
    declared = entry.tools[tool]
    return declare(
        policy=declared.policy,
        effect=declared.effect,
        minutes_saved=declared.minutes_saved,
        approval=declared.approval,
        timeout=declared.timeout,
    )


def _manifest(setting: ServerSetting, version: str, tools: tuple[Tool, ...]) -> Manifest:
    return Manifest(version, setting.entry.description, setting.upstream, tools)
