"""A small MCP server that keeps every rule a probe looks at, or breaks those that a test names: over real HTTP.

It speaks as much of the protocol as the probes do. Not here: the probes (`adapters/live`).
"""

import json
import secrets
import threading
import urllib.request
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast

TOKENS: Final = ("token-of-the-first-person", "token-of-the-second-person")
FALSE: Final = {"a token for another audience": "wrong-aud", "a token that ended": "ended"}
_BODY: Final = 4 * 1024 * 1024


def _tool(name: str, *texts: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"{name.replace('_', ' ').capitalize()}: what a small shop has, by the words given.",
        "inputSchema": {
            "type": "object",
            "properties": {text: {"type": "string", "maxLength": 200} for text in texts},
            "required": list(texts),
            "additionalProperties": False,
        },
        "outputSchema": {"type": "object", "properties": {"found": {"type": "string"}}, "required": ["found"]},
        "annotations": {"readOnlyHint": True, "destructiveHint": False},
        **more,
    }


def _is_fitting(given: Any, taken: dict[str, Any]) -> bool:
    """Whether the arguments are those of the schema, each a text of at most 200 characters."""
    if not isinstance(given, dict) or set(cast("dict[str, Any]", given)) != set(taken):
        return False
    return all(isinstance(value, str) and len(value) <= 200 for value in cast("dict[str, Any]", given).values())


TOOLS: Final = (
    _tool("find_goods", "words"),
    _tool("run_statement", "sql"),
    _tool("read_page", "url"),
    _tool("start_export"),
    _tool("read_export", "result_id"),
)


@dataclass
class Careless:
    """`faults` are the rules that it breaks, `S20` and so on."""

    faults: frozenset[str]
    url: str = ""
    said: list[str] = field(default_factory=list)
    exports: dict[str, str] = field(default_factory=dict)
    listings: int = 0

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """The status and the message of one request."""
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token not in TOKENS and "S20" not in self.faults:
            return 401, {}
        is_foreign = headers.get("host") == "evil.example" or "evil" in headers.get("origin", "")
        if is_foreign and "S22" not in self.faults:
            return 403, {}
        if (len(body) > _BODY or body.count(b"{") > 64) and "S41" not in self.faults:
            return 413, {}
        asked = json.loads(body)
        if asked["method"] == "tools/list":
            return 200, {"result": {"tools": self.listed(asked["params"])}}
        return self.called(asked["params"], token)

    def listed(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        client = params.get("_meta", {}).get("io.modelcontextprotocol/clientInfo", {}).get("name")
        if "S15" in self.faults and client == "second":
            return [{**tool, "description": "Another one."} for tool in TOOLS]
        return list(TOOLS)

    def called(self, params: dict[str, Any], token: str) -> tuple[int, dict[str, Any]]:
        tool = next(tool for tool in TOOLS if tool["name"] == params["name"])
        given: Any = params["arguments"]
        taken = tool["inputSchema"]["properties"]
        if not _is_fitting(given, taken):
            if "S46" in self.faults:
                return 500, {}
            told = json.dumps(given) if "S42" in self.faults else "the arguments are not as the schema says"
            return 200, {"result": {"isError": True, "content": [{"type": "text", "text": told}]}}
        found = getattr(self, params["name"])(token, **given)
        if found is None:
            return 200, {"result": {"isError": True, "content": [{"type": "text", "text": "refused"}]}}
        return 200, {"result": {"structuredContent": found, "content": [{"type": "text", "text": json.dumps(found)}]}}

    def find_goods(self, token: str, words: str) -> dict[str, Any] | None:
        if "S26" in self.faults and "'" in words:
            return {"found": 'near "brien": syntax error'}
        self.said.append(words)
        return {"found": " ".join(self.said) if "S30" in self.faults else words}

    def run_statement(self, token: str, sql: str) -> dict[str, Any] | None:
        return {"found": "1"} if "S26" in self.faults or sql == "SELECT 1" else None

    def read_page(self, token: str, url: str) -> dict[str, Any] | None:
        if not {"S23", "S28"} & self.faults or not url.startswith("http://127.0.0.1:"):
            return None
        carried = {"Authorization": f"Bearer {token}"} if "S23" in self.faults else {}
        try:
            urllib.request.urlopen(urllib.request.Request(url, headers=carried), timeout=5)  # noqa: S310 - the canary
        except OSError:
            return None
        return {"found": "a page"}

    def start_export(self, token: str) -> dict[str, Any]:
        made = str(len(self.exports)) if "S29" in self.faults else f"r1-{secrets.token_hex(16)}"
        self.exports[made] = token
        return {"found": "an export", "result_id": made}

    def read_export(self, token: str, result_id: str) -> dict[str, Any] | None:
        owner = self.exports.get(result_id)
        return {"found": "rows"} if owner == token or (owner and "S29" in self.faults) else None


@contextmanager
def careless(faults: Iterable[str] = ()) -> Generator[Careless]:
    """One that breaks those rules, on a free port of loopback."""
    known = Careless(frozenset(faults))

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, message = known.answer({name.lower(): value for name, value in self.headers.items()}, body)
            self._send(status, {"jsonrpc": "2.0", "id": 1, **message})

        def do_GET(self) -> None:
            self._send(200, {"resource": "elsewhere" if "S20" in known.faults else known.url})

        def do_OPTIONS(self) -> None:
            self._send(200, {}, {"access-control-allow-origin": "*"} if "S22" in known.faults else {})

        def _send(self, status: int, message: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            body = json.dumps(message).encode()
            self.send_response(status)
            for name, value in {**(headers or {}), "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    known.url = f"http://127.0.0.1:{server.server_address[1]}/mcp"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
