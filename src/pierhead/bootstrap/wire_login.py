"""One look at a database's login, for `pierhead doctor --db`: what it may do besides, and how to make a better one."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from pierhead.bootstrap.database_url import database_url
from pierhead.bootstrap.roles_file import default_place, read_roles
from pierhead.bootstrap.serve_roles import Narrowing, roles_in_force
from pierhead.bootstrap.settings import Settings
from pierhead.bootstrap.variables import roles_with_variables
from pierhead.bootstrap.wire_serve import opened_database
from pierhead.sdk.database import Finding


@dataclass(frozen=True, slots=True)
class LoginChecked:
    findings: tuple[Finding, ...]
    script: str


def check_login(db: str, roles: Path | None, settings: Settings) -> LoginChecked:
    """What the login may do, beside the roles of the file or the default one.

    Errors: Misconfigured, UpstreamUnreachable.
    """
    url = database_url(db, settings)
    file = roles or default_place(settings.platform.data.resolve())
    written = read_roles(file) if roles or file.exists() else None

    async def main() -> LoginChecked:
        async with opened_database(url) as database:
            in_force, _ = roles_in_force(written, database.own_tables(), (), "none", Narrowing())
            database.use_roles(roles_with_variables(in_force))
            return LoginChecked(await database.check_login(), database.grant_script())

    return asyncio.run(main())
