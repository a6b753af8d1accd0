"""Clients of a platform in parts: they call its ledger by either gateway, and answer what people are asked.

A connection for each request, and nothing between it and the socket: a thousand at once cost the platform more than
the client, and a part that dies reads as `Gone`. Not here: the platform (`parts`).
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.rigs.parts import GATEWAYS, WITHIN_S, Parts, call_body, call_headers

_STATUS: Final = 9


class Gone(Exception):
    """Nobody answered, or not to the end."""


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    document: dict[str, Any]

    @property
    def result(self) -> dict[str, Any]:
        """What a tool's result holds; empty for what is no result."""
        return (self.document.get("result") or {}).get("structuredContent") or {}

    @property
    def has_run(self) -> bool:
        return "struck" in self.result

    @property
    def ticket(self) -> str:
        return (self.result.get("approval") or {}).get("id", "")

    @property
    def code(self) -> str:
        """Of a refusal; empty for what is none."""
        return ((self.document.get("error") or {}).get("data") or {}).get("code", "")


async def asked(url: str, method: str, path: str, headers: Mapping[str, str], content: object = None) -> Said:
    """The answer; bytes go as they are, anything else as JSON. Errors: Gone."""
    host, port = url.removeprefix("http://").split(":")
    body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
    lines = {"host": f"{host}:{port}", **headers, "content-length": str(len(body)), "connection": "close"}
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    try:
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(head.encode() + b"\r\n" + body)
                return _said(await reader.read(-1))
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError, ValueError) as gone:
        raise Gone(repr(gone)) from None


def _said(answer: bytes) -> Said:
    """Errors: ValueError, for an answer that is cut off."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 ") or b"content-length" not in head.lower():
        raise ValueError(f"no whole answer: {answer[:100]!r}")
    return Said(int(head[_STATUS : _STATUS + 3]), json.loads(body) if body else {})


@dataclass
class Clerks:
    """People of one platform, each with the tokens they need."""

    part: Parts
    tokens: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    async def call(self, person: str, entry: str, gateway: str = GATEWAYS[0], **more: Any) -> Said:
        """`person` strikes an entry. Errors: Gone."""
        headers = call_headers(self.part, await self.token(person, "ledger"))
        return await asked(self.part.url(gateway), "POST", "/mcp/ledger", headers, call_body({"entry": entry, **more}))

    async def answer(self, approval: str, verdict: str = "approve", person: str = "frank") -> Said:
        """`person` reads the approval, and answers what is shown. Errors: Gone."""
        shown = await self.api(person, "GET", f"/approvals/{approval}")
        if shown.status != 200:
            return shown
        answer = {"verdict": verdict, "digest": shown.document["digest"]}
        return await self.api(person, "POST", f"/approvals/{approval}/decisions", answer)

    async def api(self, person: str, method: str, path: str, content: object = None) -> Said:
        """Errors: Gone."""
        headers = {"authorization": f"Bearer {await self.token(person, '')}", "content-type": "application/json"}
        return await asked(self.part.public_url, method, f"/api/v1{path}", headers, content)

    async def token(self, person: str, server: str) -> str:
        """What `person` shows there; asked for once. Errors: Gone."""
        if (person, server) not in self.tokens:
            headers = {"authorization": f"Bearer {self.part.internal_key}", "content-type": "application/json"}
            wanted = {"person": person, "server": server, "ttl_s": 3600}
            made = await asked(self.part.registry_url, "POST", "/internal/v1/tokens", headers, wanted)
            self.tokens[person, server] = str(made.document["token"])
        return self.tokens[person, server]
