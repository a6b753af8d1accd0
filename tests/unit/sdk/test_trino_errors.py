"""What a caller is told of an engine's errors: its name of them, never its text, and whether to ask again.

The engine is played by a listener on this machine, since no real one fails as it is told to.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import orjson
import pytest

from pierhead.core.errors import Invalid, PierheadError, UpstreamUnreachable
from pierhead.sdk.governed.trino import TrinoEngine
from pierhead.sdk.governed.trino_place import Place

pytestmark = pytest.mark.anyio

TEXT = "row 7 holds 'hunter2'"


@contextmanager
def failing(name: str, kind: str) -> Iterator[str]:
    """The address of a coordinator that answers every statement with that error."""
    body = orjson.dumps({"id": "q1", "error": {"errorName": name, "errorType": kind, "message": TEXT}})

    class Coordinator(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - says nothing
            pass

    server = HTTPServer(("127.0.0.1", 0), Coordinator)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"trino://pierhead@127.0.0.1:{server.server_port}/lake/sales"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def refusal(name: str, kind: str) -> PierheadError:
    with failing(name, kind) as url:
        engine = TrinoEngine(Place.parse(url))
        with pytest.raises(PierheadError) as refused:
            await engine.ask("SELECT 1")
        await engine.close()
    assert "hunter2" not in f"{refused.value.message} {refused.value.hint}"
    return refused.value


@pytest.mark.parametrize(
    ("name", "kind"), [("SERVER_STARTING_UP", "INTERNAL_ERROR"), ("HIVE_METASTORE_ERROR", "EXTERNAL")]
)
async def test_what_may_pass_is_to_be_asked_again(name: str, kind: str) -> None:
    refused = await refusal(name, kind)
    assert isinstance(refused, UpstreamUnreachable)
    assert (refused.code, name in refused.message) == ("upstream-unreachable", True)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("DIVISION_BY_ZERO", "a value does not fit the operation (DIVISION_BY_ZERO)"),
        ("NOT_SUPPORTED", "the engine could not run the statement (NOT_SUPPORTED)"),
        ("row 7: hunter2", "the engine could not run the statement (an error without a name)"),
    ],
)
async def test_what_the_statement_got_wrong_is_told_by_the_engines_name_of_it(name: str, told: str) -> None:
    refused = await refusal(name, "USER_ERROR")
    assert (type(refused), refused.message) == (Invalid, told)
