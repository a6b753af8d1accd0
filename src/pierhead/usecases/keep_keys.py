"""Making and revoking API keys: what `pierhead key` does with the keys there are. Pure but for chance, which comes in.

Not here: where keys lie (`adapters/api_keys`), what a key is (`core/api_key`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from pierhead.core.api_key import ID_BYTES, SECRET_BYTES, ApiKey, KeyRequest, new_key
from pierhead.core.errors import Conflict, NotFound
from pierhead.usecases.ports import Clock

Keys = Mapping[str, ApiKey]


class KeyStore(Protocol):
    """Where keys are kept."""

    def read(self) -> Keys: ...

    def change(self, change: Callable[[Keys], Keys]) -> None:
        """Replace the keys by what `change` makes of them, whole or not at all."""
        ...


def create_key(asked: KeyRequest, store: KeyStore, clock: Clock, chance: Callable[[int], bytes]) -> tuple[str, ApiKey]:
    """A credential, to be shown once, and the key as it was kept. Errors: the store's."""
    credential, key = new_key(asked, clock.now(), chance(ID_BYTES + SECRET_BYTES))

    def added(keys: Keys) -> Keys:
        if key.id in keys:
            raise Conflict("chance gave an id that is taken", hint="try again")
        return {**keys, key.id: key}

    store.change(added)
    return credential, key


def revoke_key(key_id: str, store: KeyStore, clock: Clock) -> None:
    """End a key for good; one that has ended stays as it is. Errors: NotFound; the store's."""

    def revoked(keys: Keys) -> Keys:
        key = keys.get(key_id)
        if key is None:
            raise NotFound(f"no key {key_id[:64]!r}", hint="see: pierhead key list")
        ended = key if key.revoked is not None else replace(key, revoked=clock.now())
        return {**keys, key_id: ended}

    store.change(revoked)
