"""One issuer's signing keys: asked for when needed, once at a time, and kept while the issuer does not answer.

An unknown key id asks anew, not more often than every few seconds, so that strange tokens cannot make us ask; keys
an hour old are asked for again, and the last good ones serve for a day. Not here: where they come from (`documents`).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey

from pierhead.core.errors import ToolFailed, Unauthenticated, UpstreamUnreachable
from pierhead.usecases.ports import Clock

KEY_OF: Final[Mapping[str, type[Key]]] = {"RS256": RSAKey, "ES256": ECKey}
"""Every algorithm there is, each bound to its kind of key."""

_ASK_S: Final = 2.0
_RENEW_S: Final = 3600.0
_LAST_S: Final = 24 * 3600.0
_SMALLEST_RSA: Final = 2048


@dataclass(slots=True)
class KeySet:
    """The keys of one issuer, by id."""

    fetch: Callable[[], Awaitable[bytes]]
    clock: Clock
    _keys: dict[str, Key] = field(default_factory=dict[str, Key])
    _fetched_at: float = float("-inf")
    _asked_at: float = float("-inf")
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def key(self, key_id: str) -> Key:
        """The key of that id: asked for anew when it is unknown or an hour old, known for a day at most.

        Errors: Unauthenticated (`unknown-key`); UpstreamUnreachable, when none younger than a day are known.
        """
        known = key_id in self._keys and self._age() < _LAST_S
        # Who holds a good key does not wait behind the one that asks a slow issuer for newer ones.
        if self._is_wanted(key_id) and not (known and self._fetching.locked()):
            async with self._fetching:
                if self._is_wanted(key_id) and self.clock.monotonic() - self._asked_at >= _ASK_S:
                    await self._renew()
        if self._age() >= _LAST_S:
            raise UpstreamUnreachable("the keys of the sign-in cannot be had", hint="try again in a few seconds")
        if key_id not in self._keys:
            raise Unauthenticated("the access token was not accepted", hint="sign in again", code="unknown-key")
        return self._keys[key_id]

    def _is_wanted(self, key_id: str) -> bool:
        return key_id not in self._keys or self._age() >= _RENEW_S

    def _age(self) -> float:
        return self.clock.monotonic() - self._fetched_at

    async def _renew(self) -> None:
        """Read the issuer's keys anew; the last known ones stay when it does not answer, or with none."""
        self._asked_at = self.clock.monotonic()
        with suppress(ToolFailed):
            found = read_keys(await self.fetch())
            if found:
                self._keys, self._fetched_at = found, self.clock.monotonic()


def read_keys(document: bytes) -> dict[str, Key]:
    """The usable keys of a JWKS document: RSA of 2048 bits and more, and P-256, for signatures, each with an id."""
    try:
        listed: object = json.loads(document.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    entries: object = cast("dict[str, object]", listed).get("keys") if isinstance(listed, dict) else None
    found: dict[str, Key] = {}
    for entry in cast("list[object]", entries) if isinstance(entries, list) else []:
        key = _usable(cast("dict[str, object]", entry)) if isinstance(entry, dict) else None
        if key is not None:
            found[key[0]] = key[1]
    return found


def _usable(entry: dict[str, object]) -> tuple[str, Key] | None:
    key_id, kind = entry.get("kid"), entry.get("kty")
    # A tuple: a kind that is no text need not be hashable.
    if entry.get("use", "sig") != "sig" or not isinstance(key_id, str) or kind not in ("RSA", "EC"):
        return None
    texts: dict[str, Any] = {name: value for name, value in entry.items() if isinstance(value, str)}
    try:
        key = RSAKey.import_key(texts) if kind == "RSA" else ECKey.import_key(texts)
    except (JoseError, ValueError):
        return None
    is_small = isinstance(key, RSAKey) and key.public_key.key_size < _SMALLEST_RSA
    return None if is_small else (key_id, key)
