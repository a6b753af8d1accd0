"""One governed source: an engine, its schema, a policy, and who acts in a call.

What every lane stands on: sql_lane.py (statements of callers), schema_lane.py (what there is), read_lane.py and
write_lane.py (parameters). A change of policy or schema is a new Ground, swapped whole, with nothing remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pierhead.sdk import Caller, Invalid
from pierhead.sdk.sqlguard import GovernedQuery, PermittedTable, View
from pierhead.servers.sql.catalog import Catalog, StoredTable
from pierhead.servers.sql.engines.engine import Engine, Limits, Values
from pierhead.servers.sql.policy import Policy, Role
from pierhead.servers.sql.views import compile_view


@dataclass(frozen=True, slots=True)
class Acting:
    """The one role that acts in a call, and what it sees."""

    name: str
    role: Role
    view: View

    def table(self, name: str) -> PermittedTable:
        """The table a caller names. Errors: Invalid, the same for a hidden one as for one that is not there."""
        for table in self.view.tables:
            if self.view.display_name(table) == name:
                return table
        raise Invalid(
            f"there is no table {name[:128]}", hint="list_tables names the tables you may read", code="unknown-table"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """A statement that may run, and what the audit keeps of it at each of its runs."""

    query: GovernedQuery
    noted: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything one run needs: what a lane makes of a request, and either host gives to the engine."""

    engine: Engine
    query: GovernedQuery
    view: View
    values: Values
    limits: Limits


@dataclass(frozen=True, slots=True)
class Ground:
    """Policy and schema of one moment, every role compiled, and the verdicts that hold while they do."""

    policy: Policy
    catalog: Catalog
    roles: Mapping[str, Acting]
    verdicts: dict[tuple[object, ...], Verdict] = field(default_factory=dict[tuple[object, ...], Verdict])

    @classmethod
    def of(cls, policy: Policy, catalog: Catalog) -> "Ground":
        """Errors: Misconfigured, for a policy that names what the source does not have."""
        roles = {name: Acting(name, role, compile_view(name, role, catalog)) for name, role in policy.roles.items()}
        return cls(policy, catalog, roles)

    def acting(self, caller: Caller) -> Acting:
        """Errors: Forbidden (`no-role`)."""
        return self.roles[self.policy.acting(caller)]

    def stored(self, table: PermittedTable) -> StoredTable:
        return self.catalog.by_name[table.schema, table.name]


class Source:
    """Ask after `open`; `close` when done. `ground` is read once a call, so that a call sees one policy."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self.engine = engine
        self._policy = policy
        self.ground = Ground(policy, Catalog("sqlite", "", "", ()), {})
        self._is_open = False

    async def open(self) -> None:
        """Read the schema and compile every role, once. Errors: Misconfigured, UpstreamUnreachable."""
        if not self._is_open:
            self.ground = Ground.of(self._policy, await self.engine.introspect())
            self._is_open = True

    async def close(self) -> None:
        await self.engine.close()
