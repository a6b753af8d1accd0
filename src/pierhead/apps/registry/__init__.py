"""The registry as a program: one loopback listener, until SIGTERM or SIGINT.

Its parts are put together in `bootstrap/wire_registry` and mounted in `app`. Heavy imports wait until it runs.
"""

import socket
from contextlib import AsyncExitStack

from pierhead.bootstrap.wire_registry import RegistrySetting, registry_adapters

_DRAIN_S = 20


async def run(setting: RegistrySetting, listener: socket.socket) -> None:
    """Serve on `listener` until told to stop.

    Errors: Misconfigured, before anything is served.
    """
    import uvicorn  # noqa: PLC0415 - see the docstring

    from pierhead.apps.registry.app import build, parts_of  # noqa: PLC0415

    async with AsyncExitStack() as opened:
        application = build(parts_of(await registry_adapters(setting, opened)))
        config = uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            timeout_graceful_shutdown=_DRAIN_S,
        )
        await uvicorn.Server(config).serve([listener])
