"""The registry's signature under a snapshot: Ed25519 over the exact text that travels."""

from base64 import b64decode, b64encode
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pierhead.usecases.ports_registry import Envelope


@dataclass(frozen=True, slots=True)
class SnapshotSigner:
    """Signs; lives in the registry alone."""

    key: Ed25519PrivateKey

    @classmethod
    def of(cls, private: bytes) -> "SnapshotSigner":
        """From the 32 raw bytes of the private key."""
        return cls(Ed25519PrivateKey.from_private_bytes(private))

    def seal(self, payload: str) -> Envelope:
        return Envelope(payload, b64encode(self.key.sign(payload.encode())).decode())


@dataclass(frozen=True, slots=True)
class SnapshotVerifier:
    """Checks; fills the port SnapshotSignature."""

    key: Ed25519PublicKey

    @classmethod
    def of(cls, public: bytes) -> "SnapshotVerifier":
        """From the 32 raw bytes of the public key."""
        return cls(Ed25519PublicKey.from_public_bytes(public))

    def is_valid(self, envelope: Envelope) -> bool:
        try:
            self.key.verify(b64decode(envelope.signature, validate=True), envelope.payload.encode())
        except (InvalidSignature, ValueError):  # no base64, or no text that has bytes
            return False
        return True
