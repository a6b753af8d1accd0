"""A system's HTTP API on this machine, answering as it was recorded: for tools that ask another system.

A real listener, so that whatever client a tool has is tested as it is. Recording asks the real system and keeps what
was said, never what proved the caller. Above: the fixture `recorded_http`. Not here: what a tool makes of an answer.
"""

import hashlib
import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

_UNKNOWN: Final = 501
_LONGEST_BODY: Final = 1_000_000
_PASSED: Final = ("accept", "authorization", "content-type")
"""What of a request goes on to the system that is being recorded; none of it is kept."""


@dataclass(slots=True)
class Recorded:
    """The system: `url` is where it listens, `asked` each request as METHOD PATH?QUERY, in the order of coming."""

    file: Path
    upstream: str = ""
    url: str = ""
    asked: list[str] = field(default_factory=list[str])
    unknown: list[str] = field(default_factory=list[str])
    """What nothing was recorded for: each was answered 501."""
    _kept: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
        """What was recorded for the request, the first time the first answer, and the last one ever after."""
        request = {
            "method": method,
            "target": _ordered(target),
            "body": hashlib.sha256(body).hexdigest() if body else "",
        }
        with self._turn:
            before = self.asked.count(f"{method} {request['target']}")
            self.asked.append(f"{method} {request['target']}")
            if self.upstream:
                self._kept.append({**request, **_told(self.upstream, method, target, headers, body)})
                return self._kept[-1]
            found = [
                each
                for each in self._kept
                if all(each.get(name, "") in {value, "*"} for name, value in request.items())
            ]
            if not found:
                self.unknown.append(self.asked[-1])
                return {"status": _UNKNOWN, "type": "text/plain", "text": f"nothing is recorded for {self.asked[-1]}\n"}
            return found[min(before, len(found) - 1)]

    def load(self) -> None:
        self._kept = cast("list[dict[str, Any]]", json.loads(self.file.read_text("utf-8")))

    def keep(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self._kept, indent=1, ensure_ascii=False) + "\n", "utf-8")


@contextmanager
def recorded_system(file: Path, upstream: str = "") -> Generator[Recorded]:
    """Listen on a free port of loopback; with `upstream` record from there, and write the file at the end."""
    system = Recorded(file, upstream.rstrip("/"))
    if not upstream:
        system.load()
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _handler(system))
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    system.url = f"http://127.0.0.1:{listener.server_port}"
    thread.start()
    try:
        yield system
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
        if upstream:
            system.keep()


def _handler(system: Recorded) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            size = min(int(self.headers.get("content-length") or 0), _LONGEST_BODY)
            told = system.answer(self.command, self.path, dict(self.headers.items()), self.rfile.read(size))
            body = str(told.get("text", "")).encode()
            self.send_response(int(told["status"]))
            self.send_header("content-type", str(told.get("type", "application/json")))
            self.send_header("content-length", str(len(body)))
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)
            self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - names that http.server looks for

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Nothing: the test says what was asked."""

    return Handler


def _told(upstream: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The real system's answer, as far as it is kept."""
    import httpx2  # noqa: PLC0415 - only a recording asks anybody

    passed = {name: value for name, value in headers.items() if name.lower() in _PASSED}
    answer = httpx2.request(method, f"{upstream}{target}", headers=passed, content=body, timeout=60)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    return {"status": answer.status_code, "type": kind or "text/plain", "text": answer.text}


def _ordered(target: str) -> str:
    """The path, and its parameters by name."""
    split = urlsplit(target)
    query = urlencode(sorted(parse_qsl(split.query, keep_blank_values=True)))
    return f"{split.path}?{query}" if query else split.path
