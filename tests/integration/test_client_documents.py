"""Descriptions of clients, fetched from a real server that is as bad as it can be."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.rigs.gateway import serving

from pierhead.adapters.foreign.document import FetchedDocuments
from pierhead.core.errors import LimitExceeded, UpstreamUnreachable
from pierhead.usecases.memory import MemoryClock

pytestmark = pytest.mark.anyio

App = Callable[[Any, Any, Any], Awaitable[None]]


def answering(status: int, body: bytes, **headers: str) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
            await send({"type": "http.response.start", "status": status, "headers": sent})
            await send({"type": "http.response.body", "body": body})

    return app


def fetching(*hosts: str) -> FetchedDocuments:
    return FetchedDocuments(frozenset(hosts), MemoryClock())


async def test_a_description_is_read_with_how_long_it_holds() -> None:
    app = answering(200, json.dumps({"client_name": "é"}).encode(), cache_control="public, max-age=90")
    async with serving(app) as url:
        found = await fetching("127.0.0.1").read(f"{url}/client.json")
    assert (found.content, found.fresh_s) == ({"client_name": "é"}, 90)


async def test_what_lies_inside_is_not_asked() -> None:
    asked: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["type"])
        await answering(200, b"{}")(scope, receive, send)

    async with serving(app) as url:
        for inside in (url, url.replace("127.0.0.1", "localhost")):
            with pytest.raises(UpstreamUnreachable, match="inside the network"):
                await fetching().read(f"{inside}/client.json")
    assert "http" not in asked


@pytest.mark.parametrize(
    "app",
    [
        answering(302, b"", location="http://169.254.169.254/latest"),
        answering(404, b"{}"),
        answering(500, b"{}"),
        answering(200, b"[]"),
        answering(200, b"<html>"),
        answering(200, b"\xff"),
        answering(200, b'{"a": "' + b"x" * 70_000 + b'"}'),
        answering(200, b"\x1f\x8b", content_encoding="gzip"),
    ],
)
async def test_an_answer_that_is_no_description_is_refused(app: App) -> None:
    async with serving(app) as url:
        with pytest.raises(UpstreamUnreachable):
            await fetching("127.0.0.1").read(f"{url}/client.json")


async def test_nobody_makes_us_ask_without_end() -> None:
    documents = fetching()
    for _ in range(30):
        with pytest.raises(UpstreamUnreachable):
            await documents.read("https://127.0.0.1:1/client.json")
    with pytest.raises(LimitExceeded):
        await documents.read("https://127.0.0.1:1/client.json")
