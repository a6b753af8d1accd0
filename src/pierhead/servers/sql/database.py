"""One SQL database for `serve`, `doctor`, `contract` and `config`: the port `pierhead.sdk.database`, filled.

Not here: the server's tools (server.py), who may read what (policy.py), what a login could do (logins.py).
"""

from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from pierhead.sdk import NotFound
from pierhead.sdk.database import Change, DatabaseChoice, Finding, Queries, Roles
from pierhead.sdk.governed.contract import Contract, Mode, differences
from pierhead.sdk.governed.policy import Role, parse_policy
from pierhead.sdk.governed.queries import queries_schema
from pierhead.sdk.governed.source import Source
from pierhead.sdk.server import Server
from pierhead.servers.sql.grants import grant_script
from pierhead.servers.sql.logins import findings
from pierhead.servers.sql.server import assemble
from pierhead.servers.sql.settings import SqlSettings
from pierhead.servers.sql.write_lane import ready_to_write

_OWNER: Final = "whoever started pierhead serve"
_VARIABLE: Final = {
    "type": "object",
    "properties": {"env": {"type": "string"}},
    "required": ["env"],
    "additionalProperties": False,
}
_SUPPORT: Final = "its terminal"


class SqlDatabase:
    """A server over one source, and the hand on its policy."""

    def __init__(self, chosen: DatabaseChoice) -> None:
        settings = SqlSettings.parse(
            chosen.name,
            {
                "owner": _OWNER,
                "support": _SUPPORT,
                "url": chosen.url,
                "roles": dict(chosen.roles),
                "queries": dict(chosen.queries),
                "read_only": chosen.is_read_only,
                "rate_limits": chosen.is_paced,
                "contract": str(chosen.contract or ""),
            },
        )
        self._queries = chosen.queries
        self._is_read_only = chosen.is_read_only
        self._asked = settings.parsed_roles()
        self.server: Server
        self._source: Source
        self.server, self._source = assemble(settings)

    async def open(self) -> None:
        await self._source.open()

    async def close(self) -> None:
        await self._source.close()

    async def refresh(self) -> None:
        await self._source.refresh()

    def own_tables(self) -> tuple[str, ...]:
        catalog = self._source.ground.catalog
        places = {(table.schema, table.name) for table in catalog.tables} | self._source.withheld
        return tuple(sorted(name for schema, name in places if schema == catalog.schema))

    def tables(self, role: str) -> tuple[str, ...]:
        acting = self._source.ground.roles.get(role)
        return acting.view.table_names if acting else ()

    def use_roles(self, roles: Roles) -> None:
        policy = self._asked = parse_policy(dict(roles), dict(self._queries))
        self._source.replace(policy.reading() if self._is_read_only else policy)
        ready_to_write(self._source)

    async def check_login(self) -> tuple[Finding, ...]:
        return findings(await self._source.engine.check_login(), self._source.ground, self._asked)

    def grant_script(self) -> str:
        return grant_script(self._source.ground, self._asked)

    def changes(self, contract: Path) -> tuple[Change, ...]:
        return differences(_required(contract), self._source.ground.catalog)

    def lock(self, contract: Path, mode: str) -> None:
        chosen = Mode(mode) if mode else _required(contract).mode
        Contract.of(self._source.ground.catalog, chosen).write(contract)


def _required(contract: Path) -> Contract:
    found = Contract.read(contract)
    if found is None:
        raise NotFound(f"there is no contract {contract}", hint="lock the schema: pierhead contract lock --db URL")
    return found


class SqlDatabases:
    """Entry point of the group `pierhead.databases`."""

    def choose(self, chosen: DatabaseChoice) -> SqlDatabase:
        return SqlDatabase(chosen)

    def check_roles(self, roles: Roles, queries: Queries) -> None:
        parse_policy(dict(roles), dict(queries))

    def roles_schema(self) -> dict[str, Any]:
        """The long form, as the model has it, and beside it the short one, which its validator spells out."""
        schema = TypeAdapter(dict[str, Role]).json_schema()
        members = schema["$defs"]["Role"]["properties"]
        members["tables"] = {"anyOf": [members["tables"], {"type": "array", "items": {"type": "string"}}]}
        members["operations"] = schema["$defs"]["TableRule"]["properties"]["operations"]
        account = schema["$defs"]["Account"]["properties"]
        for member in ("url", "user", "password"):
            account[member] = {"anyOf": [{"type": "string"}, _VARIABLE], "default": None}
        return schema

    def queries_schema(self) -> dict[str, Any]:
        return queries_schema()


DATABASES: Final = SqlDatabases()
