"""A sign-in for the length of one run: a key, its JWKS on loopback, and access tokens like the registry's."""

import json
import secrets
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from typing_extensions import override

LIFETIME_S = 3600


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs tokens; `url` serves the key."""

    url: str
    key: RSAKey

    def token(self, issuer: str, audience: str, subject: str, groups: Sequence[str]) -> str:
        """An RS256 access token, as `pierhead token` would give it."""
        now = int(time.time())
        claims = {
            "iss": issuer,
            "aud": audience,
            "sub": subject,
            "groups": list(groups),
            "client_id": "bench",
            "scope": "mcp",
            "iat": now,
            "exp": now + LIFETIME_S,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": self.key.kid}, claims, self.key)


@contextmanager
def signing_in() -> Generator[Issuer]:
    """An issuer, served until the block ends."""
    key = RSAKey.generate_key(2048, {"kid": "bench", "use": "sig", "alg": "RS256"})
    document = json.dumps(KeySet([key]).as_dict(private=False)).encode()

    class Handler(BaseHTTPRequestHandler):
        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Issuer(f"http://127.0.0.1:{server.server_port}", key)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
