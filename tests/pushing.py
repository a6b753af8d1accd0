"""A browser's side of web push for tests: its keys, its address, and what it reads of a sealed message."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Final, cast

import http_ece  # pyright: ignore[reportMissingTypeStubs] - it has none
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pierhead.core.browser import Browser

SERVICE: Final = "push.example"


def text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass
class Pushable:
    """One browser: what it hands over, and what it alone can open."""

    address: str = f"https://{SERVICE}/send/1"
    secret: bytes = b"0123456789abcdef"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def point(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def form(self) -> dict[str, str]:
        """As the page's script sends it."""
        return {"address": self.address, "key": text(self.point), "secret": text(self.secret)}

    def browser(self, **members: Any) -> Browser:
        known = {"id": "", "issuer": "", "person": "", "label": "Firefox on Linux", "made_at": 0.0}
        return Browser(**(known | self.form() | members))

    def opened(self, sealed: bytes) -> Any:
        """By another's hand than what sealed it."""
        decrypt = cast("Any", http_ece).decrypt
        plain: bytes = decrypt(sealed, private_key=self.key, auth_secret=self.secret, version="aes128gcm")
        return json.loads(plain)
