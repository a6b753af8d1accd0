"""The registry as a program: one loopback listener, until SIGTERM or SIGINT.

Its parts are put together in `bootstrap/wire_registry` and mounted in `app`. Heavy imports wait until it runs.
"""

import asyncio
import socket
from contextlib import AsyncExitStack

from pierhead.apps.serving import serve, stop_on_signals
from pierhead.bootstrap.follow_policies import follow_policies
from pierhead.bootstrap.wire_approvals import sweep
from pierhead.bootstrap.wire_notices import deliver_for_ever, tell_for_ever
from pierhead.bootstrap.wire_people import ask_again, follow_people
from pierhead.bootstrap.wire_registry import RegistryAdapters, RegistrySetting, registry_adapters

_DRAIN_S = 20


async def run(setting: RegistrySetting, listener: socket.socket) -> None:
    """Serve on `listener` until told to stop.

    Errors: Misconfigured, before anything is served.
    """
    from pierhead.apps.registry.app import build, parts_of  # noqa: PLC0415 - see the docstring

    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with AsyncExitStack() as opened:
        adapters = await registry_adapters(setting, opened)
        others = (
            _let_go(stopping, adapters),
            tell_for_ever(adapters),
            deliver_for_ever(adapters),
            follow_policies(adapters),
        )
        beside = [asyncio.create_task(each) for each in others]
        sweep(adapters.approvals.store, opened)
        follow_people(adapters.people, opened)
        if adapters.exchanges is not None:
            ask_again(adapters.exchanges.reconfirming, setting.sign_in.reconfirm_s, opened)
        parts = parts_of(adapters)
        await serve(build(parts), [listener], stopping, drain_s=_DRAIN_S, lifespan="off")
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await parts.callers.failed.flush(at_the_end=True)


async def _let_go(stopping: asyncio.Event, adapters: RegistryAdapters) -> None:
    """Whoever waits for the next policy would hold up the end by as long as they meant to wait."""
    await stopping.wait()
    adapters.policy.let_go()
