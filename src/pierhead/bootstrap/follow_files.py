"""What a running `pierhead serve` follows: its roles file, its key file, its database's schema.

A roles file that cannot be used leaves the roles as they were, and says so; keys are followed all the same, so that a
revoked one ends whatever else is wrong. Not here: what roles and keys mean (`serve_roles`, `core/api_key`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pierhead.adapters.api_keys import KeyFile, Keys, KeyVerifier
from pierhead.bootstrap.roles_file import Roles, read_queries, read_roles
from pierhead.bootstrap.serve_roles import Narrowing, roles_in_force
from pierhead.bootstrap.variables import roles_with_variables
from pierhead.core.api_key import ApiKey
from pierhead.core.errors import PierheadError
from pierhead.sdk.database import Database, Queries

_LOOK_S: Final = 1.0

Talk = Callable[[str, str, str], None]
"""Hears of what happens: name, state, reason."""

_Mark = tuple[int, int, int] | None


@dataclass(slots=True)
class Followed:
    """Files and schema of one serving process.

    `own` is the printed key, which no file holds; `queries` are those it started with, which are tools now.
    """

    database: Database
    verifier: KeyVerifier
    roles: Path
    keys: KeyFile
    own: ApiKey
    narrowing: Narrowing
    talk: Talk
    printed_role: str = ""
    queries: Queries = field(default_factory=dict[str, object])
    _written: Roles | None = None
    _made: Keys = field(default_factory=dict[str, ApiKey])
    _seen: tuple[_Mark, _Mark, tuple[str, ...]] = (None, None, ())

    def start(self, written: Roles | None) -> None:
        """Put the first roles and keys in force. Errors: Misconfigured."""
        self._written = written
        self._made = self.keys.read()
        self._apply()
        self._seen = self._marks()

    async def follow_for_ever(self, refresh_s: float) -> None:
        """Look at the files every second, at the schema every `refresh_s`."""
        since = 0.0
        while True:
            await asyncio.sleep(_LOOK_S)
            since += _LOOK_S
            if since >= refresh_s:
                since = 0.0
                await self._refresh()
            self.look()

    def look(self) -> None:
        """Put in force what has changed since the last look."""
        marks = self._marks()
        if marks == self._seen:
            return
        roles, keys, _ = self._seen
        self._seen = marks
        if marks[1] != keys:
            self._try("keys", self._read_keys)
        if marks[0] != roles:
            self._try("roles", self._read_roles)
        self._try("roles", self._apply)

    async def _refresh(self) -> None:
        try:
            await self.database.refresh()
        except PierheadError as failed:
            self.talk("schema", "kept as it was", f"{failed.message}: {failed.hint}")

    def _try(self, name: str, change: Callable[[], None]) -> None:
        try:
            change()
        except PierheadError as fault:
            self.talk(name, "kept as they were", f"{fault.message}: {fault.hint}")

    def _read_keys(self) -> None:
        self._made = self.keys.read()

    def _read_roles(self) -> None:
        written = read_roles(self.roles)
        if read_queries(self.roles) != self.queries:
            self.talk("queries", "kept as they were", "start pierhead serve again to follow them")
        self._written = written
        self.talk("roles", "changed", f"{self.roles}: {', '.join(self._written)}")

    def _apply(self) -> None:
        """Keys first: whatever the roles say, a revoked key must end."""
        self.verifier.keys = {**self._made, self.own.id: self.own}
        tables = self.database.own_tables()
        roles, self.printed_role = roles_in_force(
            self._written, tables, self._made.values(), self.own.id, self.narrowing
        )
        self.database.use_roles(roles_with_variables(roles))

    def _marks(self) -> tuple[_Mark, _Mark, tuple[str, ...]]:
        return _mark(self.roles), _mark(self.keys.path), self.database.own_tables()


def _mark(path: Path) -> _Mark:
    """What changes whenever the file is replaced or written."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
