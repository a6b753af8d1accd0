"""API keys in one file of the data directory, and the verifier that asks them on every message.

The file holds digests, never secrets; 0600, replaced whole, changed under a lock, and refused when others can read
it. Above: `pierhead key` changes it, `pierhead serve` follows it. Not here: what a key is (`core/api_key`).
"""

import fcntl
import os
import stat
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import orjson

from pierhead.core.api_key import ISSUER, ApiKey, check_key
from pierhead.core.claims import claims_form, parse_claims
from pierhead.core.errors import Invalid, Misconfigured, Unauthenticated
from pierhead.core.identity import Caller, User
from pierhead.core.scope import WHOLE
from pierhead.usecases.ports import Clock, Ids

_LIST: Final = "keys-1"  # another number would be another form

Keys = Mapping[str, ApiKey]
"""By id."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    path: Path

    def read(self) -> Keys:
        """Every key ever made here; none where there is no file. Errors: Misconfigured (`bad-key-file`)."""
        try:
            mode = stat.S_IMODE(self.path.stat().st_mode)
            text = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as failed:
            raise self._bad(f"cannot be read: {failed.strerror}", "make it readable for this account") from None
        if mode & 0o077:
            raise self._bad(f"can be read by others (mode {mode:o})", f"chmod 600 {self.path}")
        try:
            document = cast("dict[str, Any]", orjson.loads(text))
            return {entry["id"]: _read(entry) for entry in document[_LIST]}
        except (ValueError, KeyError, TypeError, Invalid):
            raise self._bad("is damaged", "move it away and make new keys: pierhead key create") from None

    def change(self, change: Callable[[Keys], Keys]) -> None:
        """Replace the keys by what `change` makes of them, whole or not at all. Errors: as `read`, and its own."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._held():
            changed = change(self.read())
            unfinished = self.path.with_suffix(".new")
            unfinished.unlink(missing_ok=True)
            unfinished.touch(mode=0o600)
            document = {_LIST: [_form(key) for key in changed.values()]}
            unfinished.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
            unfinished.rename(self.path)

    @contextmanager
    def _held(self) -> Generator[None]:
        """Two shells that make a key at once make two."""
        lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _bad(self, what: str, hint: str) -> Misconfigured:
        return Misconfigured(f"key file {self.path} {what}", hint=hint, code="bad-key-file")


def _read(entry: dict[str, Any]) -> ApiKey:
    """Errors: KeyError, TypeError, ValueError, Invalid."""
    revoked = entry["revoked"]
    return ApiKey(
        id=str(entry["id"]),
        digest=str(entry["digest"]),
        role=str(entry["role"]),
        created=float(entry["created"]),
        expires=float(entry["expires"]),
        revoked=None if revoked is None else float(revoked),
        claims=parse_claims(entry["claims"]),
    )


def _form(key: ApiKey) -> dict[str, Any]:
    return {**asdict(key), "claims": claims_form(key.claims)}


@dataclass(slots=True)
class KeyVerifier:
    """Who calls, by the key in `Authorization`: Bearer, or for a browser the password of Basic.

    `keys` is replaced whole by whoever follows the file.
    """

    clock: Clock
    ids: Ids
    surface: str
    environment: str
    keys: Keys = field(default_factory=dict[str, ApiKey], repr=False)

    @property
    def header(self) -> bytes:
        return b"authorization"

    @property
    def is_bound(self) -> bool:
        """A key stands for its holder, not for one request."""
        return False

    def verify(self, header: bytes, body_digest: str) -> tuple[Caller, str]:
        """The caller, and a fresh id for the call. Errors: Unauthenticated."""
        del body_digest
        key = check_key(_credential(header), self.keys, self.clock.now())
        call_id = self.ids.new()
        holder = User(ISSUER, key.id, frozenset(), key.claims)
        return Caller(holder, self.surface, self.environment, call_id, scopes=WHOLE), call_id


def _credential(header: bytes) -> bytes:
    scheme, _, value = header.partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip()
    if scheme.lower() == b"basic":
        try:
            return b64decode(value.strip(), validate=True).partition(b":")[2]
        except BadBase64:
            return b""
    hint = "send the header Authorization: Bearer KEY"
    raise Unauthenticated("the request carries no key", hint=hint, code="no-credentials")
