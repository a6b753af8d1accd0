"""What the supervisor tells the registry, over real HTTP: also what happened while the registry was away."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pierhead.adapters.internal_client import InternalClient
from pierhead.bootstrap.reporting import Reporting
from pierhead.bootstrap.running import free_ports

pytestmark = pytest.mark.anyio


@contextmanager
def registry(port: int) -> Iterator[list[tuple[str, str]]]:
    """Takes what is posted, as (path, state)."""
    told: list[tuple[str, str]] = []

    class Take(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told.append((self.path, body["state"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Take) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield told
        server.shutdown()
        thread.join()


async def test_a_registry_that_comes_back_hears_how_its_servers_stand() -> None:
    port, said = free_ports(1)[0], list[tuple[str, str, str]]()
    client = InternalClient(f"http://127.0.0.1:{port}", b"00" * 32)
    report = Reporting(client, lambda *words: said.append(words)).report
    with registry(port) as told:
        await report("server-warehouse", "restarting", "killed")
    assert told == [("/internal/v1/servers/warehouse/state", "restarting")]

    await report("registry", "restarting", "killed")
    assert said[-1] == ("registry", "restarting", "killed")
    await report("server-warehouse", "running", "")
    assert said[-1][:2] == ("server-warehouse", "unreported")

    with registry(port) as told:
        await report("registry", "running", "")
        await report("gateway", "restarting", "killed")
    assert told == [("/internal/v1/servers/warehouse/state", "running")]


async def test_a_server_that_changes_all_the_time_is_told_about_once_a_minute_and_nothing_is_lost() -> None:
    port, clock = free_ports(1)[0], [0.0]
    client = InternalClient(f"http://127.0.0.1:{port}", b"00" * 32)
    reporting = Reporting(client, lambda *_: None, lambda: clock[0])
    with registry(port) as told:
        for place in range(200):
            clock[0] += 1
            await reporting.report("server-time", ("restarting", "running")[place % 2], "")
            await reporting.report("server-other", "running", "") if place == 150 else None
        of_time = [state for path, state in told if path.endswith("/time/state")]
        assert 10 < len(of_time) < 15
        assert ("/internal/v1/servers/other/state", "running") in told
        clock[0] += 61
        await reporting.tell()
        assert told[-1] == ("/internal/v1/servers/time/state", "running")
