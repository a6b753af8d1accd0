"""The keys that an operator pinned for signatures of packets: Ed25519, and ECDSA over P-256 as `cosign` makes it.

Fills `ports_review.SignatureKeys`. Not here: what is signed (`core/packet_reading`), where the files are (settings).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pierhead.core.errors import Misconfigured

_Key = Ed25519PublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class PinnedKeys:
    """Public keys by name."""

    keys: Mapping[str, _Key] = field(hash=False)

    @classmethod
    def read(cls, texts: Mapping[str, bytes]) -> "PinnedKeys":
        """From PEM. Errors: Misconfigured (`bad-setting`)."""
        return cls({name: _key(name, text) for name, text in sorted(texts.items())})

    def are_there(self) -> bool:
        return bool(self.keys)

    def signer(self, message: bytes, signatures: Sequence[bytes]) -> str:
        holding = (name for name, key in self.keys.items() if any(_holds(key, message, one) for one in signatures))
        return next(holding, "")


def _key(name: str, text: bytes) -> _Key:
    try:
        key = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, Ed25519PublicKey) or (
        isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    ):
        return key
    message = f"review.keys: {name} is no public key of Ed25519 or P-256 in PEM"
    raise Misconfigured(message, hint="openssl pkey -in KEY -pubout writes one", code="bad-setting")


def _holds(key: _Key, message: bytes, signature: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        else:
            key.verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
