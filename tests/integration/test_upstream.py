"""A system's own API, asked over a real socket: tries, bounds, redirects, and what its refusals become."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from pierhead.core.errors import Conflict, Invalid, NotFound, PierheadError, ToolFailed, UpstreamUnreachable
from pierhead.sdk.upstream import Upstream

pytestmark = pytest.mark.anyio


@dataclass
class System:
    """Answers in turn what it was told to, the last for ever; keeps what it was asked."""

    answers: list[bytes]
    asked: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = next((int(line[15:]) for line in head.splitlines() if line.lower().startswith("content-length:")), 0)
        self.asked.append(head + (await reader.readexactly(size)).decode())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writer.write(answer.replace(b"PORT", str(self.port).encode()))
        await writer.drain()
        writer.close()

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


def answer(status: int, body: bytes = b"{}", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def proof() -> Mapping[str, str]:
    return {"Authorization": "Bearer abc", "Accept": "application/x-ndjson"}


@asynccontextmanager
async def asking(*answers: bytes, **bounds: int) -> AsyncGenerator[tuple[Upstream, System]]:
    system = System(list(answers))
    server = await asyncio.start_server(system.serve, "127.0.0.1", 0)
    system.port = server.sockets[0].getsockname()[1]
    upstream = Upstream(
        f"http://127.0.0.1:{system.port}/api/v2/", title="the scheduler", headers=proof, pause=system.pause, **bounds
    )
    try:
        yield upstream, system
    finally:
        await upstream.close()
        server.close()
        await server.wait_closed()


async def test_names_are_encoded_whole_and_parameters_repeat() -> None:
    async with asking(answer(200, b'{"n": 1}')) as (upstream, system):
        assert await upstream.json("dags", "a/b ?é", params={"tag": ["x", "y"], "limit": 3}) == {"n": 1}
        assert system.asked[0].startswith("GET /api/v2/dags/a%2Fb%20%3F%C3%A9?tag=x&tag=y&limit=3 HTTP/1.1")
        assert "application/x-ndjson" in system.asked[0]


@pytest.mark.parametrize("segment", ["", ".", ".."])
async def test_a_name_that_leads_elsewhere_is_refused(segment: str) -> None:
    async with asking(answer(200)) as (upstream, system):
        with pytest.raises(Invalid):
            await upstream.json("dags", segment)
        assert system.asked == []


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (404, NotFound, "not-found"),
        (401, ToolFailed, "upstream-denied"),
        (403, ToolFailed, "upstream-denied"),
        (409, Conflict, "upstream-conflict"),
        (400, ToolFailed, "upstream-refused"),
        (500, UpstreamUnreachable, "upstream-unreachable"),
        (503, UpstreamUnreachable, "upstream-unreachable"),
    ],
)
async def test_a_refusal_is_told_in_its_words_without_secrets(
    status: int, kind: type[PierheadError], code: str
) -> None:
    async with asking(answer(status, b'{"detail": "no: password=hunter2"}')) as (upstream, _):
        with pytest.raises(kind) as refused:
            await upstream.json("x")
    assert refused.value.code == code
    assert "password=[redacted:password]" in refused.value.message


async def test_a_busy_system_is_asked_again_and_its_pause_kept() -> None:
    async with asking(answer(503, retry_after="2"), answer(429), answer(200, b"[1]")) as (upstream, system):
        assert await upstream.json("x") == [1]
    assert (len(system.asked), system.pauses) == (3, [2.0, 0.4])


async def test_a_write_is_sent_once_unless_repeating_it_is_harmless() -> None:
    async with asking(answer(503), answer(200)) as (upstream, system):
        with pytest.raises(UpstreamUnreachable):
            await upstream.json("x", method="POST", body={"a": 1})
        assert len(system.asked) == 1
        assert system.asked[0].endswith('{"a":1}')
    async with asking(answer(503), answer(200)) as (upstream, system):
        await upstream.json("x", method="POST", body={"a": 1}, is_idempotent=True)
        assert len(system.asked) == 2


async def test_a_lost_connection_is_tried_again_and_then_told() -> None:
    async with asking(b"", answer(200, b"1")) as (upstream, _):
        assert await upstream.json("x") == 1
    async with asking(b"") as (upstream, system):
        with pytest.raises(UpstreamUnreachable):
            await upstream.json("x")
        assert len(system.asked) == 3
    gone = Upstream("http://127.0.0.1:1", title="the scheduler", pause=system.pause)
    with pytest.raises(UpstreamUnreachable, match="cannot be reached"):
        await gone.json("x")
    await gone.close()


async def test_redirects_stay_inside_the_system() -> None:
    async with asking(answer(307, location="/api/v2/y"), answer(200, b"2")) as (upstream, system):
        assert await upstream.json("x") == 2
        assert system.asked[1].startswith("GET /api/v2/y ")
    async with asking(answer(302, location="http://elsewhere.example:PORT/login")) as (upstream, system):
        with pytest.raises(ToolFailed) as refused:
            await upstream.json("x")
        assert (refused.value.code, len(system.asked)) == ("upstream-denied", 1)
    async with asking(answer(302, location="/api/v2/x")) as (upstream, _):
        with pytest.raises(ToolFailed, match="circles"):
            await upstream.json("x")


async def test_a_web_page_is_no_answer() -> None:
    async with asking(answer(200, b"<html>password=x")) as (upstream, _):
        with pytest.raises(ToolFailed, match="a web page") as refused:
            await upstream.json("x")
    assert refused.value.code == "upstream-not-json"
    async with asking(answer(400, b"<html>secret pages</html>")) as (upstream, _):
        with pytest.raises(ToolFailed) as refused:
            await upstream.json("x")
    assert "html" not in refused.value.message


async def test_an_empty_answer_is_none_and_a_large_one_refused() -> None:
    async with asking(answer(204, b"")) as (upstream, _):
        assert await upstream.json("x", method="DELETE") is None
    async with asking(answer(200, b"x" * 3000), most_bytes=2048) as (upstream, _):
        with pytest.raises(ToolFailed) as refused:
            await upstream.text("x")
        assert refused.value.code == "upstream-too-large"
        assert len(await upstream.text("x", most_bytes=4000)) == 3000


async def test_a_stream_is_bytes_as_they_come_and_refuses_on_entering() -> None:
    async with asking(answer(200, b"abc")) as (upstream, _), upstream.stream("log") as pieces:
        assert b"".join([piece async for piece in pieces]) == b"abc"
    async with asking(answer(404, b"")) as (upstream, _):
        with pytest.raises(NotFound):
            async with upstream.stream("log"):
                pass
    cut = answer(200, b"abc").replace(b"content-length: 3", b"content-length: 9")
    async with asking(cut) as (upstream, _):
        with pytest.raises(UpstreamUnreachable):
            async with upstream.stream("log") as pieces:
                assert [piece async for piece in pieces]
