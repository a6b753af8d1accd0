"""The parts of a token, which every parser must read alike."""

from base64 import urlsafe_b64encode

import pytest

from pierhead.core.errors import Invalid
from pierhead.core.token_parts import header_and_claims


def token(header: bytes, claims: bytes) -> bytes:
    return b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in (header, claims, b"signature"))


def test_header_and_claims_are_read() -> None:
    assert header_and_claims(token(b'{"alg":"ES256"}', b'{"sub":"a"}')) == ({"alg": "ES256"}, {"sub": "a"})


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"a.b",
        token(b"{}", b"{}") + b".more",
        token(b"[]", b"{}"),
        token(b"{}", b'{"a":1,"a":2}'),
        token(b"{}", b'{"a":NaN}'),
        token(b"{}", b"\xff"),
        token(b"{}", b'{"a":' + b"[" * 100_000),
        b"e30.e3*0.x",
        b"e.e30.x",
    ],
)
def test_what_parsers_could_read_differently_is_refused(odd: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        header_and_claims(odd)
    assert refused.value.code == "malformed-token"
