"""A SQL server's settings: what the fleet file says of it, parsed once into a frozen value."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from pierhead.sdk import Misconfigured
from pierhead.servers.sql.engines.engine import Engine
from pierhead.servers.sql.policy import Policy, parse_policy

# Read and enforced by the platform, before a call comes here.
_OF_THE_PLATFORM: Final = frozenset({"kind", "access", "tools"})
_SCHEMES: Final = "sqlite:///file, duckdb:///file or postgresql://user@host/database"


class SqlSettings(BaseModel):
    """`roles` is parsed by policy.py; `url` names one source."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    owner: str
    support: str
    url: str
    roles: dict[str, object]
    description: str = ""

    @classmethod
    def parse(cls, name: str, written: Mapping[str, object]) -> "SqlSettings":
        """Read a server's entry of the fleet file. Errors: Misconfigured, naming each fault."""
        own = {key: value for key, value in written.items() if key not in _OF_THE_PLATFORM}
        try:
            return cls.model_validate({**own, "name": name})
        except ValidationError as invalid:
            faults = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors())
            raise Misconfigured(
                faults, hint="correct the server's entry in the fleet file", code="bad-sql-settings"
            ) from None

    def parsed_roles(self) -> Policy:
        return parse_policy(self.roles)

    def engine(self) -> Engine:
        """The engine that the url names. Drivers are imported here, so that only the used one need be installed."""
        scheme = urlsplit(self.url).scheme
        if scheme == "sqlite":
            from pierhead.servers.sql.engines.sqlite import SqliteEngine  # noqa: PLC0415

            return SqliteEngine(_file(self.url))
        if scheme == "duckdb":
            from pierhead.servers.sql.engines.duckdb import DuckdbEngine  # noqa: PLC0415

            return DuckdbEngine(_file(self.url))
        if scheme in ("postgresql", "postgres"):
            from pierhead.servers.sql.engines.postgres import PostgresEngine  # noqa: PLC0415

            return PostgresEngine(self.url)
        raise Misconfigured(
            f"no engine for a url of {scheme or 'no scheme'}", hint=f"write {_SCHEMES}", code="bad-sql-settings"
        )


def _file(url: str) -> Path:
    """`sqlite:///a.db` is relative, `sqlite:////srv/a.db` absolute, as everywhere."""
    return Path(url.split(":///", 1)[1] if ":///" in url else "")
