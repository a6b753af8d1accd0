"""Keys: what proves one, what ends one, and that nothing of the secret is kept."""

import pytest

from pierhead.core.api_key import LONGEST_S, ApiKey, KeyRequest, check_key, new_key
from pierhead.core.errors import Invalid, Unauthenticated

CHANCE = bytes(range(37))
ASKED = KeyRequest("analyst", 100.0, (("region", "EU"),))


def made(now: float = 1000.0) -> tuple[bytes, dict[str, ApiKey]]:
    credential, key = new_key(ASKED, now, CHANCE)
    return credential.encode(), {key.id: key}


def test_a_key_is_proved_by_its_credential_alone() -> None:
    credential, keys = made()
    key = check_key(credential, keys, 1050.0)
    assert (key.role, key.claims, key.expires) == ("analyst", (("region", "EU"),), 1100.0)
    assert credential.rpartition(b"_")[2].decode() not in repr(keys)


@pytest.mark.parametrize("place", [0, 3, 5, 11, 12, 40, 54])
def test_one_other_letter_anywhere_is_another_key(place: int) -> None:
    credential, keys = made()
    other = bytearray(credential)
    other[place] = ord("b") if other[place] != ord("b") else ord("c")
    with pytest.raises(Unauthenticated) as refused:
        check_key(bytes(other), keys, 1050.0)
    assert refused.value.code == "unknown-key"


@pytest.mark.parametrize("wrong", [b"", b"ph_", b"ph__", b"\xff\xff", b"x" * 10_000, b"ph_aaaaaaaa_" + b"A" * 43])
def test_what_is_no_key_is_an_unknown_one(wrong: bytes) -> None:
    with pytest.raises(Unauthenticated) as refused:
        check_key(wrong, made()[1], 1050.0)
    assert refused.value.code == "unknown-key"


def test_a_credential_with_anything_around_it_is_no_key() -> None:
    credential, keys = made()
    for text in (credential + b"\n", b" " + credential, credential + b"A", credential * 2):
        with pytest.raises(Unauthenticated):
            check_key(text, keys, 1050.0)


def test_a_key_ends_at_its_time_and_when_it_is_revoked() -> None:
    credential, keys = made()
    with pytest.raises(Unauthenticated) as expired:
        check_key(credential, keys, 1100.0)
    assert expired.value.code == "expired-key"
    [key] = keys.values()
    gone = ApiKey(key.id, key.digest, key.role, key.created, key.expires, revoked=1001.0)
    with pytest.raises(Unauthenticated) as revoked:
        check_key(credential, {key.id: gone}, 1050.0)
    assert revoked.value.code == "revoked-key"
    assert gone.state(9999.0) == "revoked"


@pytest.mark.parametrize("lifetime", [0.0, -1.0, LONGEST_S + 1.0, float("nan"), float("inf")])
def test_no_key_lives_for_ever(lifetime: float) -> None:
    with pytest.raises(Invalid):
        KeyRequest("analyst", lifetime)
