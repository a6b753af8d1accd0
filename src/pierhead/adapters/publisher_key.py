"""A publisher's own key: made once, kept for its owner alone, and the envelopes that it signs.

Ed25519, so that the same statement always has the same envelope. Not here: which keys count (`packet_keys`).
"""

import json
import os
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from pierhead.core.errors import Invalid
from pierhead.core.packet_reading import IN_TOTO

_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "urn:pierhead:published:v1"


@dataclass(frozen=True, slots=True)
class PublisherKey:
    """`is_new`: it was made just now, and nobody has pinned it yet."""

    path: Path
    is_new: bool
    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def at(cls, path: Path) -> "PublisherKey":
        """The key in that file, made if there is none. Errors: Invalid (`bad-key`)."""
        if path.exists():
            return cls(path, is_new=False, _key=_read(path))
        key = Ed25519PrivateKey.generate()
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text)
        except OSError as failed:
            message = f"cannot write {path}: {failed.strerror}"
            raise Invalid(message, hint="name a folder that is there with --key", code="bad-key") from None
        made = cls(path, is_new=True, _key=key)
        made.public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return made

    @property
    def public(self) -> Path:
        """The file of its public half: what an administrator pins."""
        return self.path.with_suffix(".pub.pem")

    def envelope(self, digest: str) -> bytes:
        """A DSSE envelope around an in-toto statement over one SHA-256."""
        statement: dict[str, object] = {
            "_type": _STATEMENT,
            "predicateType": _PREDICATE,
            "predicate": {},
            "subject": [{"name": "tools", "digest": {"sha256": digest}}],
        }
        payload = json.dumps(statement, sort_keys=True).encode()
        message = b"DSSEv1 %d %b %d %b" % (len(IN_TOTO), IN_TOTO.encode(), len(payload), payload)
        made = {
            "payload": _text(payload),
            "payloadType": IN_TOTO,
            "signatures": [{"sig": _text(self._key.sign(message))}],
        }
        return json.dumps(made, sort_keys=True).encode()


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        message = f"{path} holds no private key of Ed25519 without a password"
        raise Invalid(message, hint="openssl genpkey -algorithm ed25519 -out KEY makes one", code="bad-key")
    return key


def _text(content: bytes) -> str:
    return b64encode(content).decode()
