"""The registry as a program: one listener for our own programs, until SIGTERM or SIGINT.

Its parts are put together in `bootstrap/wire_registry` and mounted in `app`. Heavy imports wait until it runs.
"""

import asyncio
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from pierhead.apps.peers import PeersOnly
from pierhead.apps.serving import Application, serve, stop_on_signals
from pierhead.bootstrap.follow_policies import follow_policies
from pierhead.bootstrap.wire_approvals import sweep
from pierhead.bootstrap.wire_endings import end_for_ever
from pierhead.bootstrap.wire_notices import deliver_for_ever, tell_for_ever, warn_owners_for_ever
from pierhead.bootstrap.wire_peers import Secured, may_ask_registry
from pierhead.bootstrap.wire_people import ask_again, follow_people
from pierhead.bootstrap.wire_registry import RegistryAdapters, RegistrySetting, registry_adapters

if TYPE_CHECKING:
    from pierhead.apps.registry.app import Parts

_DRAIN_S = 20


async def run(setting: RegistrySetting, listener: socket.socket, secured: Secured | None = None) -> None:
    """Serve on `listener` until told to stop; `secured` is its TLS, None where it listens on loopback.

    Errors: Misconfigured, before anything is served.
    """
    from pierhead.apps.registry.app import parts_of  # noqa: PLC0415 - see the docstring

    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with AsyncExitStack() as opened:
        adapters = await registry_adapters(setting, opened)
        others = (
            _let_go(stopping, adapters),
            tell_for_ever(adapters),
            warn_owners_for_ever(adapters),
            deliver_for_ever(adapters),
            follow_policies(adapters),
            end_for_ever(adapters),
        )
        beside = [asyncio.create_task(each) for each in others]
        sweep(adapters.approvals.store, opened)
        follow_people(adapters.people, opened)
        if adapters.exchanges is not None:
            ask_again(adapters.exchanges.reconfirming, setting.sign_in.reconfirm_s, opened)
        parts = parts_of(adapters)
        front, tls = _front(parts, secured), None if secured is None else secured.listening()
        await serve(front, [listener], stopping, drain_s=_DRAIN_S, lifespan="off", tls=tls)
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await parts.callers.failed.flush(at_the_end=True)


def _front(parts: "Parts", secured: Secured | None) -> Application:
    """What is served: to gateways and servers alone, where they prove what they are."""
    from pierhead.apps.registry.app import build  # noqa: PLC0415 - see the docstring

    async def turned_away(reason: str) -> None:
        await parts.callers.failed.record(reason, "", "")

    application = build(parts)
    return application if secured is None else PeersOnly(application, secured.role, may_ask_registry, turned_away)


async def _let_go(stopping: asyncio.Event, adapters: RegistryAdapters) -> None:
    """Whoever waits for the next policy would hold up the end by as long as they meant to wait."""
    await stopping.wait()
    adapters.policy.let_go()
