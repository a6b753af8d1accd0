"""An HTTP server that answers as a recorded Airflow did (tests/corpus: airflow is 3, airflow_2 is 2), for fast tests.

It signs in, filters by state, counts and keeps what it was asked, and misbehaves when a test says so.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

CORPUS: Final = Path(__file__).resolve().parent / "corpus" / "airflow"
CORPUS_2: Final = CORPUS.with_name("airflow_2")
PASSWORD: Final = "correct horse"
BASIC: Final = f"Basic {base64.b64encode(f'reader:{PASSWORD}'.encode()).decode()}"
"""As Airflow 2 is asked."""


@dataclass
class Airflow:
    """`sick` maps the beginning of a path to the status and body that it answers instead."""

    url: str = ""
    corpus: Path = CORPUS
    answers: dict[str, Any] = field(default_factory=dict)
    writes: list[dict[str, Any]] = field(default_factory=list)
    done: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """What it was told to change: method, path, body."""
    asked: list[str] = field(default_factory=list)
    accepts: list[str] = field(default_factory=list)
    sick: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    token: str = "token-1"
    signed_in: int = 0

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        if "/logs/" in path:
            ending = "ndjson" if self.corpus == CORPUS else "log"
            return 200, (self.corpus / f"{path.split('/')[4]}.{ending}").read_bytes()
        said = self.answers.get(path)
        if said is None:
            return 404, b'{"detail": "not found"}'
        for member in ("dag_runs", "task_instances", "dags"):
            if member in said and "state" in query:
                kept = [each for each in said[member] if each["state"] in query["state"]]
                said = {**said, member: kept, "total_entries": len(kept)}
        return 200, json.dumps(said).encode()

    def change(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """What the real one said to the same; the id of a new run is the asked one, and the second time it is there."""
        self.done.append((method, path, body))
        names = {key: value for key, value in body.items() if key != "dag_run_id"}
        said = [
            each
            for each in self.writes
            if (each["method"], each["path"]) == (method, path)
            and {key: value for key, value in each["body"].items() if key != "dag_run_id"} == names
        ]
        if not said:
            return 404, b'{"detail": "nothing like it was recorded"}'
        if not path.endswith("/dagRuns"):
            return said[0]["status"], json.dumps(said[0]["answer"]).encode()
        its = f"{path}/{body['dag_run_id']}"
        if its in self.answers:
            return said[1]["status"], json.dumps(said[1]["answer"]).encode()
        self.answers[its] = {**said[0]["answer"], "dag_run_id": body["dag_run_id"]}
        return said[0]["status"], json.dumps(self.answers[its]).encode()


@contextmanager
def recorded_airflow(corpus: Path = CORPUS) -> Iterator[Airflow]:
    """One on a free port of loopback, for the block."""
    airflow = Airflow(
        corpus=corpus,
        answers=json.loads((corpus / "answers.json").read_text("utf-8")),
        writes=json.loads((corpus / "writes.json").read_text("utf-8")),
    )

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are two writes: the second would wait 40 ms for the client's word on the first.
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None: ...

        def do_PATCH(self) -> None:
            self.change()

        def do_POST(self) -> None:
            if self.path != "/auth/token":
                self.change()
                return
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            airflow.signed_in += 1
            is_known = body == {"username": "reader", "password": PASSWORD}
            self.say(201, json.dumps({"access_token": airflow.token}).encode()) if is_known else self.say(401, b"{}")

        def change(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            split = urlsplit(self.path)
            if self.headers["Authorization"] not in {f"Bearer {airflow.token}", BASIC}:
                self.say(401, b'{"detail": "no"}')
                return
            ill = next((said for begin, said in airflow.sick.items() if begin == f"{self.command} {split.path}"), None)
            self.say(*(ill or airflow.change(self.command, split.path, body)))

        def do_GET(self) -> None:
            split = urlsplit(self.path)
            airflow.asked.append(self.path)
            airflow.accepts.append(self.headers["Accept"])
            if self.headers["Authorization"] not in {f"Bearer {airflow.token}", BASIC}:
                self.say(401, b'{"detail": "no"}')
                return
            ill = next((said for begin, said in airflow.sick.items() if split.path.startswith(begin)), None)
            self.say(*(ill or airflow.answer(split.path, parse_qs(split.query))))

        def say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    airflow.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield airflow
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
