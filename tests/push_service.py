"""A push service on this machine, as browsers' makers run theirs: RFC 8030 over TLS, the sender proved by RFC 8292."""

import json
import ssl
import threading
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from tests.self_signed import self_signed


@dataclass(frozen=True)
class Came:
    """One message as it arrived: its path, its headers in lower case, its sealed body, what its sender vouched for."""

    path: str
    headers: dict[str, str]
    body: bytes
    claims: dict[str, Any]


class PushService(ThreadingHTTPServer):
    """Takes messages for browsers that are bound to the key `bound`; answers `status` to those it would take."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 201
        self.bound = ""
        self.came: list[Came] = []

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, PushService)
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        claims = vouched(headers.get("authorization", ""), self.server.bound)
        is_whole = headers.get("content-encoding") == "aes128gcm" and headers.get("ttl", "").isdigit()
        status = self.server.status if claims is not None and is_whole else 400 if claims is not None else 403
        if claims is not None:
            self.server.came.append(Came(self.path, headers, body, claims))
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def unpacked(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def vouched(authorization: str, bound: str) -> dict[str, Any] | None:
    """What the sender vouches for, if the key that a browser was bound to signed it (RFC 8292, section 4.2)."""
    scheme, _, rest = authorization.partition(" ")
    members = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    if scheme != "vapid" or members.get("k") != bound or "t" not in members:
        return None
    signed, _, signature = members["t"].rpartition(".")
    raw, point = unpacked(signature), unpacked(bound)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    written = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    try:
        key.verify(written, signed.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return None
    return json.loads(unpacked(signed.split(".")[1]))


@contextmanager
def push_service(folder: Path) -> Iterator[tuple[PushService, Path]]:
    """The service, and the certificate to trust."""
    certificate = self_signed(folder, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    service = PushService()
    service.socket = context.wrap_socket(service.socket, server_side=True)
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield service, certificate
    service.shutdown()
    thread.join()
    service.server_close()
