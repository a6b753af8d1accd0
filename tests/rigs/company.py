"""An identity provider of a company on a port of its own, true but for what a test changes; and its client."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from tests.rigs.gateway import signing_key

from pierhead.adapters.oidc.provider import CompanyProvider, Registered
from pierhead.core.errors import Unauthenticated, UpstreamUnreachable
from pierhead.core.federation import ClaimMapping
from pierhead.usecases.memory import MemoryClock

NOW = 1_700_000_000
METADATA, KEYS, TOKEN, USERINFO = "/.well-known/openid-configuration", "/keys", "/token", "/userinfo"


@dataclass
class Asked:
    """One request, as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class Place:
    """A provider on a port of its own: true but for what a test changes."""

    url: str = ""
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    claims: dict[str, Any] = field(default_factory=dict[str, Any])
    header: dict[str, Any] = field(default_factory=dict[str, Any])
    granted: dict[str, Any] = field(default_factory=dict[str, Any])
    told: dict[str, Any] = field(default_factory=dict[str, Any])
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, "tuple[int, bytes]"])
    """What a path is answered with in place of the truth."""
    asked: list[Asked] = field(default_factory=list[Asked])
    hold: asyncio.Event | None = None
    """Where it is there, nothing is answered before it is set."""

    def token(self, **changes: Any) -> str:
        good = {"iss": self.url, "aud": "pierhead", "sub": "sub-1", "iat": NOW, "exp": NOW + 300, "nonce": "nonce-1"}
        body = {name: value for name, value in {**good, "groups": ["data-eng"], **changes}.items() if value is not ...}
        header = {"alg": "RS256", "kid": "rig-1", "typ": "JWT", **self.header}
        return jwt.encode({k: v for k, v in header.items() if v is not ...}, body, signing_key())

    def document(self, path: str) -> dict[str, Any]:
        if path == METADATA:
            places = {"authorization_endpoint": "/authorize", "token_endpoint": TOKEN, "jwks_uri": KEYS}
            whole = {"issuer": self.url, **{name: self.url + at for name, at in places.items()}, **self.metadata}
            return {name: value for name, value in whole.items() if value is not ...}
        if path == KEYS:
            return {"keys": [signing_key().as_dict(private=False)]}
        if path == USERINFO:
            return {"sub": "sub-1", "groups": ["told"], **self.told}
        made = {"access_token": "made", "token_type": "Bearer", "expires_in": 120, "refresh_token": "again"}
        whole = {**made, "id_token": self.token(**self.claims), **self.granted}
        return {name: value for name, value in whole.items() if value is not ...}

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        self.asked.append(Asked(method, path, headers, form))
        if self.hold is not None:
            await self.hold.wait()
        status, answer = self.answers.get(path) or (200, json.dumps(self.document(path)).encode())
        writer.write(
            b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (status, len(answer), answer)
        )
        await writer.drain()
        writer.close()

    def of(self, path: str) -> list[Asked]:
        return [each for each in self.asked if each.path == path]


@dataclass
class World:
    """A provider, its client, and the time."""

    place: Place
    clock: MemoryClock
    provider: CompanyProvider


@asynccontextmanager
async def company(mapping: ClaimMapping | None = None, **registered: Any) -> AsyncGenerator[World]:
    place, clock = Place(), MemoryClock(NOW)
    server = await asyncio.start_server(place.talk, "127.0.0.1", 0)
    place.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    known = Registered(
        place.url, "pierhead", "secret", "openid groups", frozenset({"RS256"}),
        mapping or ClaimMapping("sub", "groups", {}), **registered,
    )  # fmt: skip
    try:
        yield World(place, clock, CompanyProvider(known, clock))
    finally:
        server.close()


async def refusal(asked: Awaitable[object]) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await asked
    return refused.value.code


async def unreachable(asked: Awaitable[object]) -> str:
    with pytest.raises(UpstreamUnreachable) as failed:
        await asked
    assert failed.value.code == "identity-provider-unreachable"
    return failed.value.message
