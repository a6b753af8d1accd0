"""The program that may veto, at a real address: its clear answers, and everything that is none and lets nothing in."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import pytest

from pierhead.adapters.foreign.vetting import VettingHook
from pierhead.core.errors import UpstreamUnreachable
from pierhead.usecases.ports_review import Offer, Vetted

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

KEY: Final = b"k" * 32
HERE: Final = frozenset({"127.0.0.1"})
OFFER: Final = Offer("o1", "submit", "clock", "2", "bob", {"tools": ["now"]})


class Program(ThreadingHTTPServer):
    """Answers with `answer`; keeps what came. `holds`: it begins an answer, and then says nothing more."""

    daemon_threads = True
    status = 200
    answer = b'{"allow": true}'
    location = ""
    holds = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/vet"

    def hook(self, within_s: float = 20.0, allowed: frozenset[str] = HERE) -> VettingHook:
        return VettingHook(self.url, KEY, allowed, within_s)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Program)
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("location", self.server.location)
        self.send_header("content-length", str(len(self.server.answer)))
        self.end_headers()
        if self.server.holds:
            self.wfile.write(b"{")
            self.wfile.flush()
            self.server.over.wait(30)
            return
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def program() -> Iterator[Program]:
    server = Program()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


async def failed(hook: VettingHook) -> str:
    with pytest.raises(UpstreamUnreachable) as refused:
        await hook.ask(OFFER, 1.0)
    assert refused.value.code == "vetting-failed"
    assert refused.value.message.startswith("nothing is taken in")
    return refused.value.message


async def test_it_is_asked_by_a_message_that_is_signed_with_its_time(program: Program) -> None:
    assert (await program.hook().ask(OFFER, 1_795_000_060.9)).allows
    ((headers, body),) = program.came
    expected = hmac.new(KEY, f"o1.1795000060.{body.decode()}".encode(), hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("o1", "1795000060")
    sent = json.loads(body)
    assert sent["type"] == "server.submit"
    assert sent["data"] == {"server": "clock", "version": "2", "by": "bob", "tools": ["now"]}


async def test_its_no_comes_with_its_reason_as_one_line_that_can_be_seen(program: Program) -> None:
    program.answer = json.dumps({"allow": False, "reason": "no\u202e ticket\n\x1b[31m " + "x" * 900}).encode()
    said = await program.hook().ask(OFFER, 1.0)
    assert not said.allows
    assert said.reason.startswith("no ticket [31m xxx")
    assert len(said.reason) == 500
    program.answer = b'{"allow": false}'
    assert await program.hook().ask(OFFER, 1.0) == Vetted(allows=False, reason="it gave no reason")


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"yes", b"[]", b"{}", b'{"allow": "true"}', b'{"allow": 1}', b'{"allow": null}', b'{"allowed": true}'),
        b'{"allow": true, "reason": 7}',
        b'{"allow": true}' + b" " * 70_000,
    ],
)
async def test_an_answer_that_is_none_lets_nothing_in(program: Program, answer: bytes) -> None:
    program.answer = answer
    assert "answer" in await failed(program.hook())


@pytest.mark.parametrize("status", [201, 204, 302, 400, 401, 404, 500, 503])
async def test_only_a_200_is_an_answer(program: Program, status: int) -> None:
    program.status, program.location = status, "https://elsewhere.example/" if status == 302 else ""
    if status == 204:
        program.answer = b""
    assert await failed(program.hook())
    assert len(program.came) == 1


async def test_who_begins_an_answer_and_stops_is_not_waited_for(program: Program) -> None:
    program.holds = True
    assert "did not answer within 0.5 s" in await failed(program.hook(within_s=0.5))


async def test_nobody_there_and_an_address_inside_the_network_let_nothing_in(program: Program) -> None:
    assert "inside the network" in await failed(program.hook(allowed=frozenset()))
    assert program.came == []
    nobody = VettingHook("http://127.0.0.1:9/vet", KEY, HERE, 5.0)
    assert "does not answer" in await failed(nobody)
