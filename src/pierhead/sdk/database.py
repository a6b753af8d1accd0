"""What `serve`, `doctor`, `contract` and `config` ask of the server kind that serves one database.

A plug-in of the group `pierhead.databases` is a `Databases`; everything that crosses is plain values or stands here.
Not here: engines, policy and schema, which are the plug-in's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from pierhead.sdk.server import Server  # loads the protocol stack

Roles = Mapping[str, object]
"""The `roles` of a source as they are written, by name."""
Queries = Mapping[str, object]
"""Its curated `queries` as they are written, by name."""


@dataclass(frozen=True, slots=True)
class DatabaseChoice:
    """One database to open. `contract` is where its locked schema lies, if it is to be held to one that is there.

    `queries` become tools of its server, so they stay while it lives; `roles` may change.
    """

    name: str
    url: str
    roles: Roles
    contract: Path | None = None
    is_read_only: bool = True
    is_paced: bool = True
    queries: Queries = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `ok`; `advice`, where more could be done; `danger`, where something must be."""

    check: str
    level: Literal["ok", "advice", "danger"]
    said: str


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between a locked schema and the one there is."""

    kind: Literal["additive", "breaking"]
    table: str
    said: str


class Database(Protocol):
    """One database. `server` declares its tools; everything but that needs `open` first."""

    @property
    def server(self) -> "Server": ...

    async def open(self) -> None:
        """Read the schema, compile the roles. Errors: Misconfigured, UpstreamUnreachable."""
        ...

    async def close(self) -> None: ...

    async def refresh(self) -> None:
        """Read the schema again. Errors: Misconfigured, UpstreamUnreachable; then all stays as it was."""
        ...

    def own_tables(self) -> tuple[str, ...]:
        """Tables and views of the default schema."""
        ...

    def tables(self, role: str) -> tuple[str, ...]:
        """What that role may read, by the names that callers use."""
        ...

    def use_roles(self, roles: Roles) -> None:
        """Put other roles in force, at once and whole. Errors: Misconfigured, and the old ones stay."""
        ...

    async def check_login(self) -> tuple[Finding, ...]:
        """What the database's own login could do besides. Errors: UpstreamUnreachable."""
        ...

    def grant_script(self) -> str:
        """How an administrator makes a login that can do what the roles need and nothing else."""
        ...

    def changes(self, contract: Path) -> tuple[Change, ...]:
        """How the schema differs from the one locked there. Errors: NotFound, without one; Misconfigured."""
        ...

    def lock(self, contract: Path, mode: str) -> None:
        """Lock the schema as it is now; an empty `mode` keeps the one there. Errors: Misconfigured."""
        ...


class Databases(Protocol):
    """The kinds of database that can be served."""

    def choose(self, chosen: DatabaseChoice) -> Database:
        """That database, not yet opened. Errors: Misconfigured."""
        ...

    def check_roles(self, roles: Roles, queries: Queries) -> None:
        """Errors: Misconfigured, naming every fault."""
        ...

    def roles_schema(self) -> dict[str, Any]:
        """JSON Schema of `roles`."""
        ...

    def queries_schema(self) -> dict[str, Any]:
        """JSON Schema of `queries`."""
        ...
