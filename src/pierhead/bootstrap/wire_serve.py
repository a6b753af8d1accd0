"""Puts `pierhead serve` together: one database, one process, no registry and no gateway.

The same server, governance and journal as in a fleet; what a gateway and a registry do there is done by keys and by a
policy that lives in this process. Not here: the listener (`apps/serve`), what the terminal shows (`apps/cli/serve`).
"""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pierhead.adapters.api_keys import KeyVerifier
from pierhead.adapters.journal import Journal
from pierhead.adapters.system import SystemClock, SystemIds
from pierhead.bootstrap.follow_files import Followed, Talk
from pierhead.bootstrap.keys import VALUES, Keys, derived
from pierhead.bootstrap.plugins import databases
from pierhead.bootstrap.roles_file import Roles, read_queries, read_roles
from pierhead.bootstrap.running import prepare_directory
from pierhead.bootstrap.serve_roles import Narrowing, first_role
from pierhead.bootstrap.wire_commands import NowInForce
from pierhead.bootstrap.wire_keys import key_place
from pierhead.core.api_key import ID_BYTES, SECRET_BYTES, KeyRequest, new_key
from pierhead.core.catalog import Stage
from pierhead.core.errors import UpstreamUnreachable
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import Who
from pierhead.core.snapshot import Snapshot
from pierhead.sdk.database import Database, DatabaseChoice, Finding, Queries
from pierhead.sdk.governance import govern
from pierhead.sdk.host import Application, host
from pierhead.usecases.memory import NoApprovals
from pierhead.usecases.ports import Audit
from pierhead.usecases.record_failed_sign_ins import FailedSignIns

_WINDOW_S: Final = 60.0
_KEY_LIVES_S: Final = 12 * 3600.0
_UNNAMED: Final = re.compile(r"[^a-z0-9]+")


def contract_file(data: Path, url: str) -> Path:
    """Where the locked schema of that database lies."""
    return data / "contracts" / f"{database_name(url)}.json"


def database_name(url: str) -> str:
    """`sqlite:///srv/Shop 2.db` as `shop-2`: the server's name in tools, records and client lines."""
    name = _UNNAMED.sub("-", Path(urlsplit(url).path).stem.lower()).strip("-")
    return name[:40] or "database"


@dataclass(frozen=True, slots=True)
class ServeSetting:
    """What was asked for. `roles` may come later, unless it `is_roles_named`.

    `trusts_login`: callers' statements run under a superuser, an owner or a login that reaches files, even where
    others than this machine can call.
    """

    url: str
    data: Path
    roles: Path
    is_roles_named: bool
    port: int
    is_read_only: bool
    is_loopback: bool
    trusts_login: bool
    surface: str
    environment: str
    refresh_s: float = 30.0

    @property
    def name(self) -> str:
        return database_name(self.url)


@dataclass(frozen=True, slots=True)
class Served:
    """One database, open and governed. `credential` is the printed key: it is kept nowhere else."""

    setting: ServeSetting
    database: Database
    application: Application
    verifier: KeyVerifier
    failures: FailedSignIns
    followed: Followed
    findings: tuple[Finding, ...]
    credential: str = field(repr=False)
    closing: AsyncExitStack = field(repr=False)

    @property
    def dangers(self) -> tuple[Finding, ...]:
        return _dangers(self.findings)


async def served(setting: ServeSetting, talk: Talk) -> Served:
    """Open and build everything; a failure lets go of what was opened.

    Errors: Misconfigured; UpstreamUnreachable, for a database that does not answer.
    """
    written = _written(setting)
    queries: Queries = {} if written is None else read_queries(setting.roles)
    database = databases().choose(
        DatabaseChoice(
            setting.name,
            setting.url,
            {},
            contract_file(setting.data, setting.url),
            setting.is_read_only,
            is_paced=not setting.is_loopback,
            queries=queries,
        )
    )
    async with AsyncExitStack() as opened:
        opened.push_async_callback(database.close)
        await open_database(database)
        findings = await database.check_login()
        verifier = KeyVerifier(SystemClock(), SystemIds(), setting.surface, setting.environment)
        credential, followed = _followed(setting, database, verifier, findings, written, talk)
        followed.queries = queries
        prepare_directory(setting.data)
        database.server.folder = setting.data / "servers" / setting.name
        database.server.installation_key = derived(Keys.at(setting.data).made(VALUES), setting.name)
        writer = f"serve-{setting.name}-{setting.port}"
        journal = Journal.open(setting.data / "journal", writer, verifier.clock)
        opened.push_async_callback(asyncio.to_thread, journal.close)
        return Served(
            setting=setting,
            database=database,
            application=governed(setting.name, f"http://127.0.0.1:{setting.port}", database, verifier, journal),
            verifier=verifier,
            failures=FailedSignIns(journal, verifier.clock, _WINDOW_S),
            followed=followed,
            findings=findings,
            credential=credential,
            closing=opened.pop_all(),
        )
    raise AssertionError("unreachable")  # the stack above swallows nothing


async def open_database(database: Database) -> None:
    """Open it; whoever starts this may read why it does not answer. Errors: Misconfigured, UpstreamUnreachable."""
    try:
        await database.open()
    except UpstreamUnreachable as failed:
        why = f": {failed.__cause__}" if failed.__cause__ else ""
        hint = "check the url, the password, and that the database runs"
        raise UpstreamUnreachable(f"{failed.message}{why}", hint=hint) from None


@asynccontextmanager
async def opened_database(url: str) -> AsyncGenerator[Database]:
    """A database with no role and no contract, for a look at it. Errors: as `open_database`."""
    database = databases().choose(DatabaseChoice(database_name(url), url, {}))
    try:
        await open_database(database)
        yield database
    finally:
        await database.close()


def _written(setting: ServeSetting) -> Roles | None:
    return read_roles(setting.roles) if setting.is_roles_named or setting.roles.exists() else None


def _followed(
    setting: ServeSetting,
    database: Database,
    verifier: KeyVerifier,
    findings: tuple[Finding, ...],
    written: Roles | None,
    talk: Talk,
) -> tuple[str, Followed]:
    """Make the printed key, and put keys and roles in force."""
    asked = KeyRequest(first_role(written), _KEY_LIVES_S)
    credential, own = new_key(asked, verifier.clock.now(), secrets.token_bytes(ID_BYTES + SECRET_BYTES))
    is_without_sql = bool(_dangers(findings)) and not setting.is_loopback and not setting.trusts_login
    narrowing = Narrowing(reads_only=setting.is_read_only, without_sql=is_without_sql)
    followed = Followed(database, verifier, setting.roles, key_place(setting.data).file, own, narrowing, talk)
    followed.start(written)
    return credential, followed


def _dangers(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.level == "danger")


def governed(name: str, url: str, database: Database, verifier: KeyVerifier, audit: Audit) -> Application:
    """The server's application under the rules of a fleet: layer 1 admits every holder of a key."""
    server = database.server
    listed = server.listed(Stage.DEPLOYED, f"{url}/mcp")
    row = Row(name, Who(any_person=True), EVERY, EVERY, EVERY)
    policy = NowInForce(Snapshot(1, {name: listed}, {name: (row,)}))
    return host(server, govern(name, server.tools, policy, NoApprovals(), audit, verifier.clock), verifier)
