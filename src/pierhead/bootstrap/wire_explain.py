"""What would come of a read, asked of the server that would answer it: its own explanation, under the caller.

In a fleet the running server is asked through the gateway, with the person's token; one database without a fleet is
opened here for the one question, with a key that lives as long. Either way it is a governed call, on the record, and
no row is read. Not here: what a terminal shows (`apps/cli/policy`).
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

import httpx2
import orjson

from pierhead.adapters.api_keys import KeyVerifier
from pierhead.adapters.journal import Journal
from pierhead.adapters.system import SystemClock, SystemIds
from pierhead.bootstrap.plugins import databases
from pierhead.bootstrap.roles_file import read_queries, read_roles
from pierhead.bootstrap.running import prepare_directory, trusted
from pierhead.bootstrap.serve_roles import Narrowing, roles_in_force
from pierhead.bootstrap.variables import roles_with_variables
from pierhead.bootstrap.wire_commands import Console
from pierhead.bootstrap.wire_serve import contract_file, database_name, governed, open_database
from pierhead.core.api_key import ID_BYTES, SECRET_BYTES, KeyRequest, new_key
from pierhead.core.claims import Claims
from pierhead.core.errors import Invalid, NotFound, UpstreamUnreachable
from pierhead.sdk.database import Database, DatabaseChoice, Queries

_LIVES_S: Final = 60.0
_PATIENCE_S: Final = 70.0
_OWN: Final = "http://127.0.0.1"
_READS: Final = "query_table"
_STATES: Final = "run_query"
_NOBODY: Final = "none"
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Question:
    """One read that is meant: the route that explains it, its body, and a role if one is named."""

    path: str
    body: bytes
    role: str

    @classmethod
    def of(cls, tool: str, arguments: Mapping[str, Any], role: str) -> "Question":
        """Errors: Invalid, for a tool or arguments that no route explains."""
        if tool == _STATES:
            return cls("/api/v1/_sql/explain", orjson.dumps(arguments), role)
        table = arguments.get("table")
        if tool == _READS and isinstance(table, str) and table:
            quoted = f'"{table}"' if table.startswith("_") else table
            rest = {name: value for name, value in arguments.items() if name != "table"}
            return cls(f"/api/v1/{quote(quoted, safe='')}/_query/explain", orjson.dumps(rest), role)
        raise Invalid(
            f"{tool or 'no tool'} with these arguments has no explanation of its own",
            hint=f"""explain {_STATES} with {{"sql": …}} or {_READS} with {{"table": …}}""",
        )


@dataclass(frozen=True, slots=True)
class ServedAlone:
    """One database as `pierhead serve` would serve it. `roles` is None where no file says who may what."""

    url: str
    data: Path
    roles: Path | None
    claims: Claims
    surface: str
    environment: str


def explained_in_fleet(here: Console, person: str, server: str, question: Question) -> Mapping[str, Any]:
    """The running server's own explanation to that person. Errors: UpstreamUnreachable; NotFound; Invalid."""
    token = here.token(person, server, int(_LIVES_S))
    base = f"{here.running.public_url}/data/{quote(server, safe='')}"

    async def main() -> Mapping[str, Any]:
        verify = trusted(here.running)
        async with httpx2.AsyncClient(trust_env=False, timeout=_PATIENCE_S, verify=verify) as http:
            return await _asked(http, base, token, question)

    return asyncio.run(main())


def explained_alone(served: ServedAlone, question: Question) -> Mapping[str, Any]:
    """What `serve` would say to a key of the question's role. Errors: Misconfigured; UpstreamUnreachable; NotFound."""

    async def main() -> Mapping[str, Any]:
        async with _opened(served, question.role) as (http, credential):
            return await _asked(http, _OWN, credential, question)

    return asyncio.run(main())


async def _asked(http: httpx2.AsyncClient, base: str, credential: str, question: Question) -> Mapping[str, Any]:
    """The explanation, or the problem that stood before one."""
    headers = {"authorization": f"Bearer {credential}", "content-type": "application/json"}
    if question.role:
        headers["pierhead-role"] = question.role
    try:
        answer = await http.post(base + question.path, content=question.body, headers=headers)
        said = cast("dict[str, Any]", orjson.loads(answer.content))
    except (httpx2.TransportError, ValueError) as failed:
        raise UpstreamUnreachable(f"the server does not explain: {failed}", hint="is it running?") from None
    if answer.status_code == _OK:
        return said
    reasons = [f"{said.get('code', answer.status_code)}: {said.get('detail', '')}", str(said.get("hint", ""))]
    return {"verdict": "refused", "role": question.role, "reasons": reasons, "sql": "", "tables": [], "estimate": None}


@asynccontextmanager
async def _opened(served: ServedAlone, role: str) -> AsyncGenerator[tuple[httpx2.AsyncClient, str]]:
    """The database behind its governed application, in this process, and the credential of a key of that role."""
    clock = SystemClock()
    credential, own = new_key(
        KeyRequest(role, _LIVES_S, served.claims), clock.now(), secrets.token_bytes(ID_BYTES + SECRET_BYTES)
    )
    verifier = KeyVerifier(clock, SystemIds(), served.surface, served.environment, {own.id: own})
    name = database_name(served.url)
    queries: Queries = read_queries(served.roles) if served.roles else {}
    contract = contract_file(served.data, served.url)
    database = databases().choose(DatabaseChoice(name, served.url, {}, contract, is_paced=False, queries=queries))
    prepare_directory(served.data)
    journal = Journal.open(served.data / "journal", f"explain-{name}", clock)
    try:
        await open_database(database)
        written = read_roles(served.roles) if served.roles else None
        roles, _ = roles_in_force(written, database.own_tables(), (own,), _NOBODY, Narrowing())
        _require(role, written or roles)
        database.use_roles(roles_with_variables(roles))
        application = governed(name, _OWN, database, verifier, journal)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=application)) as http:
            yield http, credential
    finally:
        await _closed(database, journal)


async def _closed(database: Database, journal: Journal) -> None:
    await database.close()
    await asyncio.to_thread(journal.close)


def _require(role: str, roles: Mapping[str, object]) -> None:
    if role not in roles:
        raise NotFound(f"there is no role {role!r}", hint=f"roles: {', '.join(roles)}", code="no-role")
