"""Keys are made once, ended for good, and never replaced by another of the same id."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from pierhead.core.api_key import ApiKey, KeyRequest, check_key
from pierhead.core.errors import Conflict, NotFound, Unauthenticated
from pierhead.usecases.keep_keys import Keys, create_key, revoke_key
from pierhead.usecases.memory import MemoryClock

ASKED = KeyRequest("analyst", 60.0)


@dataclass
class MemoryKeys:
    """A store in memory."""

    kept: Keys = field(default_factory=dict[str, ApiKey])

    def read(self) -> Keys:
        return self.kept

    def change(self, change: Callable[[Keys], Keys]) -> None:
        self.kept = change(self.kept)


def same_chance(count: int) -> bytes:
    return bytes(range(count))


def test_the_credential_that_is_shown_proves_the_key_that_is_kept() -> None:
    store, clock = MemoryKeys(), MemoryClock()
    credential, key = create_key(ASKED, store, clock, same_chance)
    assert check_key(credential.encode(), store.read(), clock.now()) == key
    assert credential not in repr(store.read())
    assert key.expires - key.created == 60.0


def test_an_id_that_is_taken_replaces_no_key() -> None:
    store, clock = MemoryKeys(), MemoryClock()
    create_key(ASKED, store, clock, same_chance)
    before = store.read()
    with pytest.raises(Conflict):
        create_key(KeyRequest("admin", 60.0), store, clock, same_chance)
    assert store.read() == before


def test_a_key_is_revoked_once_and_for_good() -> None:
    store, clock = MemoryKeys(), MemoryClock()
    credential, key = create_key(ASKED, store, clock, same_chance)
    revoke_key(key.id, store, clock)
    ended = store.read()[key.id].revoked
    clock.seconds += 5
    revoke_key(key.id, store, clock)
    assert store.read()[key.id].revoked == ended
    with pytest.raises(Unauthenticated, match="revoked"):
        check_key(credential.encode(), store.read(), clock.now())


def test_a_key_that_is_not_there_cannot_be_revoked() -> None:
    with pytest.raises(NotFound, match="no key"):
        revoke_key("absent", MemoryKeys(), MemoryClock())
