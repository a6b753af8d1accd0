"""A legacy client that listens before anything is said: it must learn at once that it does.

A client that signs in by itself holds its next request back until the last one was answered, so a head that waits for
the first event (a keep-alive, after many seconds) would stop it for that long.
"""

import asyncio
from typing import Any

import pytest
from tests.rigs.gateway import gateway, serving

pytestmark = pytest.mark.anyio


async def test_a_listener_hears_that_it_listens_before_there_is_anything_to_hear() -> None:
    ended = asyncio.Event()

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await ended.wait()
        await send({"type": "http.response.body", "body": b""})

    async with serving(silent) as server, gateway(f"{server}/mcp") as rig:
        headers = {"authorization": f"Bearer {rig.token()}", "accept": "text/event-stream"}
        async with asyncio.timeout(10), rig.client.stream("GET", f"{rig.url}/mcp/warehouse", headers=headers) as heard:
            assert (heard.status_code, heard.headers["content-type"]) == (200, "text/event-stream")
            ended.set()
            assert await heard.aread() == b""
