"""The signature under a policy snapshot: one that is not the registry's, over that very text, is none."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pierhead.adapters.snapshot_signature import SnapshotSigner, SnapshotVerifier
from pierhead.usecases.ports_registry import Envelope

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
PUBLIC = Ed25519PrivateKey.from_private_bytes(KEY).public_key().public_bytes_raw()
TEXT = '{"revision": 7, "servers": {}}'
SEALED = SnapshotSigner.of(KEY).seal(TEXT)


def test_what_the_registry_sealed_is_valid() -> None:
    assert SnapshotVerifier.of(PUBLIC).is_valid(SEALED)
    assert SEALED.payload == TEXT


@pytest.mark.parametrize(
    "forged",
    [
        Envelope(TEXT.replace("7", "8"), SEALED.signature),
        Envelope(f"{TEXT} ", SEALED.signature),
        Envelope("", SEALED.signature),
        SnapshotSigner.of(OTHER).seal(TEXT),
        Envelope(TEXT, ""),
        Envelope(TEXT, b64encode(bytes(64)).decode()),
        Envelope(TEXT, SEALED.signature[:-4]),
        Envelope(TEXT, f"{SEALED.signature}AAAA"),
        Envelope(TEXT, f" {SEALED.signature}"),
        Envelope(TEXT, f"{SEALED.signature[:10]}\n{SEALED.signature[10:]}"),
        Envelope(TEXT, "é"),
        Envelope(TEXT, "not base64 at all!"),
        Envelope("\ud800", SEALED.signature),
    ],
)
def test_anything_else_is_not(forged: Envelope) -> None:
    assert not SnapshotVerifier.of(PUBLIC).is_valid(forged)
