"""A SQL server's settings: what the fleet file says of it, parsed once into a frozen value."""

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pierhead.sdk.entry import read_entry
from pierhead.sdk.governed.engine import Engine
from pierhead.sdk.governed.policy import Policy, parse_policy
from pierhead.servers.sql.engines.choosing import engine_of


class SqlSettings(BaseModel):
    """`roles` and `queries` are parsed by policy.py; `url` names one source."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    owner: str
    support: str
    url: str
    roles: dict[str, object]
    queries: dict[str, object] = {}
    description: str = ""
    contract: str = ""  # the file of the locked schema; what is not in it stays hidden
    read_only: bool = False  # overrides every role: nothing is opened for writing, and no tool writes
    cursor_key: str = ""  # signs cursors; servers that share load share it. Left out: one of this process
    rate_limits: bool = True  # calls a second; `serve` on loopback goes without
    record_statements: bool = False  # the audit keeps statements too, with `?` for every literal

    @classmethod
    def parse(cls, name: str, written: Mapping[str, object]) -> "SqlSettings":
        """Read a server's entry of the fleet file. Errors: Misconfigured, naming each fault."""
        return read_entry(cls, name, written, code="bad-sql-settings")

    def signing_key(self) -> bytes:
        return hashlib.sha256(self.cursor_key.encode()).digest() if self.cursor_key else secrets.token_bytes(32)

    @property
    def contract_file(self) -> Path | None:
        return Path(self.contract) if self.contract else None

    def parsed_roles(self) -> Policy:
        policy = parse_policy(self.roles, self.queries)
        return policy.reading() if self.read_only else policy

    def engine(self) -> Engine:
        """The engine that the url names; it connects to nothing yet. Errors: Misconfigured."""
        return engine_of(self.url)
