"""Messages to browsers through their push services: sealed for one browser (RFC 8291), signed as ours (RFC 8292).

The service sees that something comes, from whom, and of one length for all; not what it says. It goes where `outward`
lets it: no redirect, no name that turns out to lie inside. Fills `ports_push.PushServices`. Not here: which services
are let in (`core/browser`), what is said (`usecases/push_notice`).
"""

import ssl
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from pierhead.adapters.foreign.outward import Unreachable, outward
from pierhead.core.browser import Browser, bytes_of
from pierhead.core.errors import Invalid, NotFound, UpstreamUnreachable
from pierhead.usecases.ports_push import Pushed

_TIMEOUT_S: Final = 10.0
_SIGNED_S: Final = 3600
"""How long a signature is good: far below the day that RFC 8292 allows."""
_RECORD: Final = 4096
_LENGTH: Final = 512
"""Every message is made as long as that, in bytes: its length tells nothing."""
_GONE: Final = frozenset({404, 410})
_FOR_EVER: Final = frozenset({400, 413})
_HINT: Final = "see notify.push_contact"


@dataclass(frozen=True, slots=True)
class WebPush:
    """As whom messages are sent: `key` is ours, `contact` a mailto: or https: address for the services.

    `allowed` are hosts that may lie inside the network, `trust` is what certificates are checked against. `chance`
    makes random bytes.
    """

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    contact: str
    allowed: frozenset[str]
    trust: ssl.SSLContext
    chance: Callable[[int], bytes]

    async def push(self, browser: Browser, message: Pushed, now: float) -> None:
        """Errors: NotFound; Invalid; UpstreamUnreachable."""
        fresh = ec.generate_private_key(ec.SECP256R1())
        body = sealed(message.content, browser, fresh, self.chance(16))
        try:
            transport = await outward(browser.address, guarded=True, allowed=self.allowed, trust=self.trust)
            async with httpx2.AsyncClient(transport=transport, timeout=_TIMEOUT_S) as client:
                answer = await client.post(browser.address, content=body, headers=self._headers(browser, message, now))
        except (Unreachable, httpx2.HTTPError) as failed:
            raise UpstreamUnreachable(f"the push service was not reached: {failed}"[:300], hint=_HINT) from None
        _judge(answer.status_code, transport.fault)

    def _headers(self, browser: Browser, message: Pushed, now: float) -> dict[str, str]:
        return {
            "authorization": self._vouched(browser.address, now),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(message.life_s),
            "urgency": "high" if message.is_urgent else "normal",
            **({"topic": message.topic} if message.topic else {}),
        }

    def _vouched(self, address: str, now: float) -> str:
        """RFC 8292, section 3: to this service alone, for a while, from us."""
        place = urlsplit(address)
        claims = {"aud": f"{place.scheme}://{place.netloc}", "exp": int(now) + _SIGNED_S, "sub": self.contact}
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        token = jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, ECKey.import_key(pem))
        return f"vapid t={token}, k={public_text(self.key)}"


def public_text(key: ec.EllipticCurvePrivateKey) -> str:
    """The public half, as browsers are given it: a point, written out, in base64url."""
    return urlsafe_b64encode(_point(key.public_key())).rstrip(b"=").decode()


def sealed(content: bytes, browser: Browser, fresh: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """`content` for that browser alone (RFC 8291, section 3.4), as one record of RFC 8188.

    Shapes: `fresh` is a key for this one message, `salt` 16 random bytes.
    Errors: Invalid (`bad-browser`), also for more content than one record of ours holds.
    """
    if len(content) >= _LENGTH:
        raise Invalid(f"a message to a browser has less than {_LENGTH} bytes", code="bad-browser")
    theirs, ours = bytes_of(browser.key), _point(fresh.public_key())
    shared = fresh.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
    mixed = _derived(bytes_of(browser.secret), shared, b"WebPush: info\0" + theirs + ours, 32)
    key = _derived(salt, mixed, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(salt, mixed, b"Content-Encoding: nonce\0", 12)
    padded = content + b"\2" + bytes(_LENGTH - len(content) - 1)
    header = salt + _RECORD.to_bytes(4) + len(ours).to_bytes(1) + ours
    return header + AESGCM(key).encrypt(nonce, padded, None)


def _derived(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _judge(status: int, fault: str) -> None:
    """Errors: NotFound, Invalid, UpstreamUnreachable: whatever is no success."""
    if status in _GONE:
        raise NotFound(f"its push service says that it is gone ({status})")
    if status in _FOR_EVER:
        raise Invalid(f"its push service does not take it ({status})", hint=_HINT)
    if not 200 <= status < 300:  # noqa: PLR2004 - success
        raise UpstreamUnreachable(f"its push service did not take it: {fault or status}"[:300], hint=_HINT)
