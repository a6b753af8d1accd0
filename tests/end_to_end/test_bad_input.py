"""Bad input against the whole platform: the proper answer, nothing executed, every process still there, and on record.

One short pass; each rule has its own tests beside the part that keeps it.
"""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.running_platform import WITHIN_S, Up, eventually

from pierhead.adapters.journal.reader import read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "rude", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
#: As many as the server runs at once: if one went on in the engine after its caller left, the next would have to wait.
AT_ONCE = 4
ENDLESS = "select count(*) as pairs from flights a, flights b where a.distance + b.distance < -{number}"


class Sender:
    """Alice's HTTP client at the warehouse, which sends whatever bytes it is given."""

    def __init__(self, platform: Up) -> None:
        self.platform = platform
        self.token = platform.token("alice")

    def headers(self, method: str, name: str = "") -> dict[str, str]:
        named = {"mcp-name": name} if name else {}
        return {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": method,
            **named,
        }

    def post(self, body: bytes, method: str = "tools/call", name: str = "run_query", **more: str) -> httpx2.Response:
        headers = {**self.headers(method, name), **{key.replace("_", "-"): value for key, value in more.items()}}
        with httpx2.Client(trust_env=False, timeout=WITHIN_S) as client:
            return client.post(self.platform.mcp("warehouse"), content=body, headers=headers)

    def half(self, head: str) -> socket.socket:
        """A connection on which `head` was sent, and then nothing."""
        connection = socket.create_connection(("127.0.0.1", self.platform.ports[0]), WITHIN_S)
        connection.sendall(head.format(port=self.platform.ports[0], token=self.token).encode())
        return connection

    def begin(self, body: bytes) -> socket.socket:
        """A connection on which a whole call was sent; whoever closes it goes away before the answer."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers("tools/call", "run_query").items())
        start = f"POST /mcp/warehouse HTTP/1.1\r\nhost: 127.0.0.1:{self.platform.ports[0]}\r\n{head}"
        connection = socket.create_connection(("127.0.0.1", self.platform.ports[0]), WITHIN_S)
        connection.sendall(f"{start}content-length: {len(body)}\r\n\r\n".encode() + body)
        return connection


def call(sql: object, name: str = "run_query", **more: object) -> bytes:
    params = {"name": name, "arguments": {"sql": sql, **more}, "_meta": META}
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).encode()


def told(platform: Up, writer: str) -> list[dict[str, Any]]:
    return [json.loads(record.payload) for record in read(platform.data / "journal" / writer)]


@pytest.fixture(scope="module")
def sender(platform: Up) -> Sender:
    return Sender(platform)


@pytest.fixture(scope="module")
def family_before(platform: Up) -> dict[str, int]:
    return {**platform.children(), "guest": platform.guest("time")}


@pytest.fixture(scope="module", autouse=True)
def silent(sender: Sender, family_before: dict[str, int]) -> Iterator[list[socket.socket]]:
    """Two who begin a request before the other tests, and never end it: half a head, and half a body."""
    line = "POST /mcp/warehouse HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
    body = 'authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{{"jsonrpc"'
    connections = [sender.half(line), sender.half(line + body)]
    yield connections
    for connection in connections:
        connection.close()


FAULTS = {
    "malformed": (b'{"jsonrpc": "2.0", "id": 7, "method": ', "not-json"),
    "no UTF-8": (b"\xff\xfe{}", "not-json"),
    "a member twice": (call("select 1").replace(b'"name"', b'"name": "list_tables", "name"', 1), "not-json"),
    "nested too deep": (call("select 1", x=0).replace(b'"x": 0', b'"x": ' + b"[" * 70 + b"]" * 70), "not-json"),
    "nested beyond any stack": (b"[" * 200_000, "not-json"),
    "a batch": (b"[" + call("select 1") + b"]", "not-a-message"),
    "another tool in the header": (call("select 1", "list_tables"), "header-mismatch"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_message_is_refused_and_recorded(platform: Up, sender: Sender, fault: str) -> None:
    body, code = FAULTS[fault]
    before = len(told(platform, "gateway"))
    answer = sender.post(body)
    assert answer.status_code == 400
    assert answer.json()["error"]["data"]["code"] == code
    fresh = told(platform, "gateway")[before:]
    assert [(fact["kind"], fact["code"], fact["actor"]["person"]) for fact in fresh] == [
        ("call-refused", code, "alice")
    ]


@pytest.mark.parametrize(
    ("body", "more", "code"),
    [
        (b"x" * (5 * 2**20), {}, "body-too-large"),
        (call("select 1"), {"content_type": "text/plain"}, "unsupported-content"),
        (call("select 1"), {"content_encoding": "gzip"}, "unsupported-content"),
    ],
    ids=["5 MiB", "no JSON", "compressed"],
)
def test_what_is_never_read_is_refused(sender: Sender, body: bytes, more: dict[str, str], code: str) -> None:
    answer = sender.post(body, **more)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["data"]["code"] == code


def test_an_unknown_method_reads_so(sender: Sender) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/drop", "params": {"_meta": META}}).encode()
    answer = sender.post(body, method="tools/drop", name="")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)
    assert answer.json()["id"] == 7


def test_an_unknown_tool_reads_so_and_is_recorded(platform: Up, sender: Sender) -> None:
    answer = sender.post(call("select 1", "drop_table"), name="drop_table")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)
    last = told(platform, "gateway")[-1]
    assert (last["kind"], last["tool"], last["code"]) == ("call-refused", "drop_table", "unknown-tool")


@pytest.mark.parametrize("sql", [5, None, ["select 1"], {"select": 1}], ids=str)
def test_an_argument_of_the_wrong_type_runs_nothing_and_is_recorded(platform: Up, sender: Sender, sql: object) -> None:
    answer = sender.post(call(sql))
    assert answer.status_code == 200
    assert answer.json()["result"]["isError"] is True
    assert "sql" in answer.json()["result"]["content"][0]["text"]
    last = told(platform, "server-warehouse")[-1]
    assert (last["kind"], last["tool"], last["actor"]["person"]) == ("call-refused", "run_query", "alice")


def test_a_query_ends_in_the_engine_when_its_caller_leaves(platform: Up, sender: Sender) -> None:
    before = len(told(platform, "server-warehouse"))
    callers = [sender.begin(call(ENDLESS.format(number=number), timeout_s=60)) for number in range(1, AT_ONCE + 1)]
    eventually(lambda: len(_begun(platform, before)) == AT_ONCE, "all queries have begun")
    for caller in callers:
        caller.close()
    eventually(lambda: len(_ended(platform, before)) == AT_ONCE, "all ends are recorded")
    assert set(_ended(platform, before)) == {"cancelled"}

    answer = sender.post(call("select count(*) as n from airlines"))
    assert answer.json()["result"]["structuredContent"]["rows"] == [[16]]
    assert answer.elapsed.total_seconds() < 20


def _begun(platform: Up, before: int) -> list[str]:
    return [fact["call_id"] for fact in told(platform, "server-warehouse")[before:] if fact["kind"] == "call-started"]


def _ended(platform: Up, before: int) -> list[str]:
    return [fact["outcome"] for fact in told(platform, "server-warehouse")[before:] if fact["kind"] == "call-finished"]


def test_who_begins_a_request_and_falls_silent_is_cut_off(silent: list[socket.socket]) -> None:
    for connection in silent:
        try:
            while connection.recv(4096):
                pass  # what it may say before it closes
        except ConnectionResetError:
            pass


def test_every_process_is_still_there_and_the_record_whole(platform: Up, family_before: dict[str, int]) -> None:
    assert {**platform.children(), "guest": platform.guest("time")} == family_before
    verified = platform.run("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    with platform.browsing("alice") as browser:
        shown = eventually(lambda: _outcomes(browser), "the page shows them")
    assert {"not-json", "not-a-message", "header-mismatch", "unknown-tool", "cancelled"} <= shown


def _outcomes(browser: httpx2.Client) -> set[str]:
    rows = browser.get("/audit.json", params={"server": "warehouse"}).json()["calls"]
    found = {row["outcome"] for row in rows}
    return found if "cancelled" in found else set()
