"""The diagnostics port: /healthz, /readyz, /startupz, /metrics and nothing else. Plain ASGI, never on the public port.

`/healthz` says the process lives and asks nobody. `/readyz` runs the checks it was given; `?verbose` lists them.
`/startupz` is readiness that, once reached, stays. Not here: what a check looks at (each program's own).
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]

Check: TypeAlias = Callable[[], str]
"""Empty when all is well, else what is wrong."""


@dataclass(slots=True)
class Readiness:
    """The checks of one program, and whether it is on its way out."""

    checks: Mapping[str, Check]
    draining: bool = False
    started: bool = False

    def faults(self) -> dict[str, str]:
        """What stands against serving, by check; empty means ready."""
        faults = {name: fault for name, check in self.checks.items() if (fault := check())}
        if self.draining:
            faults["draining"] = "the program is stopping"
        self.started = self.started or not faults
        return faults


@dataclass(frozen=True, slots=True)
class Probes:
    """The ASGI application of the diagnostics port."""

    readiness: Readiness
    metrics: Callable[[], bytes] = field(default=bytes)

    async def __call__(
        self,
        scope: Message,
        _receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return
        status, kind, body = self._answer(scope)
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, scope: Message) -> tuple[int, bytes, bytes]:
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, b"text/plain", b"read only\n"
        match scope["path"]:
            case "/healthz":
                return 200, b"text/plain", b"ok\n"
            case "/readyz":
                return self._ready(verbose=b"verbose" in scope["query_string"])
            case "/startupz":
                self.readiness.faults()
                return (200, b"text/plain", b"ok\n") if self.readiness.started else (503, b"text/plain", b"starting\n")
            case "/metrics":
                return 200, b"text/plain; version=0.0.4; charset=utf-8", self.metrics()
            case _:
                return 404, b"text/plain", b"not found\n"

    def _ready(self, *, verbose: bool) -> tuple[int, bytes, bytes]:
        faults = self.readiness.faults()
        status = 503 if faults else 200
        if verbose:
            names = [*self.readiness.checks, "draining"]
            checks = [{"check": name, "ok": name not in faults, "fault": faults.get(name, "")} for name in names]
            return status, b"application/json", json.dumps({"ready": not faults, "checks": checks}).encode()
        text = "\n".join(f"{name}: {fault}" for name, fault in faults.items()) or "ok"
        return status, b"text/plain", f"{text}\n".encode()
