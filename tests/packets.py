"""Parts of packets as submitters hand them in, and a key that signs statements."""

import base64
import json
from collections.abc import Iterable
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PASSING: Final = b"""<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="clock" tests="3" failures="0" errors="0" skipped="1">
  <testcase classname="tests" name="test_now"/>
  <testcase classname="tests" name="test_zone"><system-out>fine</system-out></testcase>
  <testcase classname="tests" name="test_leap"><skipped message="not this year"/></testcase>
</testsuite></testsuites>
"""
FAILING: Final = PASSING.replace(b'<testcase classname="tests" name="test_now"/>', b"<testcase><failure/></testcase>")
SBOM: Final = json.dumps(
    {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"type": "application", "name": "clock", "version": "1.2.3"}},
        "components": [
            {"type": "library", "name": "mcp", "version": "2.3.0"},
            {"type": "library", "name": "tz", "components": [{"type": "file", "name": "zones"}]},
        ],
    }
).encode()
SCAN: Final = json.dumps(
    {
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "semgrep"}},
                "results": [{"level": "error"}, {}, {"level": "note"}, {"level": "none"}],
            },
            {"tool": {"driver": {"name": "grype"}}},
        ],
    }
).encode()
_TYPE: Final = "application/vnd.in-toto+json"


def statement(*digests: str) -> dict[str, Any]:
    subjects = [{"name": f"s{at}", "digest": {"sha256": digest}} for at, digest in enumerate(digests)]
    return {"_type": "https://in-toto.io/Statement/v1", "subject": subjects, "predicateType": "x", "predicate": {}}


class Signer:
    """A key, Ed25519 unless P-256 is asked for, and the envelopes it makes."""

    def __init__(self, *, p256: bool = False) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1()) if p256 else ed25519.Ed25519PrivateKey.generate()

    @property
    def pem(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def envelope(self, *digests: str) -> bytes:
        """A DSSE envelope over these SHA-256 digests."""
        payload = json.dumps(statement(*digests)).encode()
        made = self.sign(f"DSSEv1 {len(_TYPE)} {_TYPE} {len(payload)} ".encode() + payload)
        return enveloped(payload, [made])

    def sign(self, message: bytes) -> bytes:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        return self._key.sign(message, ec.ECDSA(SHA256()))


def enveloped(payload: bytes, signatures: Iterable[bytes]) -> bytes:
    signed = [{"keyid": "", "sig": base64.b64encode(one).decode()} for one in signatures]
    return json.dumps(
        {"payloadType": _TYPE, "payload": base64.b64encode(payload).decode(), "signatures": signed}
    ).encode()
