"""The settings of a Trino or Presto server: what the fleet file says of it, parsed once into frozen values."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pierhead.sdk.entry import read_entry
from pierhead.sdk.governed.policy import Policy, Role, parse_policy
from pierhead.sdk.governed.trino_place import Place

LONGEST_S: Final = 300.0
_ENGINES: Final = ("trino://", "presto://")

Names = Annotated[tuple[str, ...], Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Groups(_Strict):
    """Who may do what beyond looking around."""

    read: Names = ("data-read",)
    oncall: Names = ("oncall:presto",)


class Scans(_Strict):
    """What one statement may read before its caller is asked. Units: bytes and rows that the engine expects."""

    bytes: Annotated[int, Field(ge=0)] = 100 * 2**30
    rows: Annotated[int, Field(ge=0)] | None = None


class Overwriting(_Strict):
    """Tables of which a partition may be overwritten, and the groups that own them. Left out: nobody overwrites."""

    tables: Names
    groups: Names


class PrestoSettings(_Strict):
    """`roles` is parsed as for every data server; `url` names one catalog of one coordinator."""

    name: str
    owner: str
    support: str
    url: str
    roles: dict[str, object]
    description: str = ""
    assets: Path | None = None
    groups: Groups = Groups()
    programs: tuple[str, ...] = ()
    """SPIFFE ids of programs; alone, they have the tools that only look after tables and the cluster."""
    budget: Scans = Scans()
    history: bool = True
    """Whether what others ran lately is searched for past queries and lineage."""
    read_only: bool = False
    overwrite: Overwriting | None = None
    query_page: str = ""
    """Where people look at a query: `https://trino.example/ui/query.html?{query_id}`."""
    secret_names: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    """Words behind which secrets stand in what is answered, besides those that every server knows."""
    rate_limits: bool = True
    record_statements: bool = False

    @field_validator("url")
    @classmethod
    def _of_an_engine(cls, url: str) -> str:
        if not url.startswith(_ENGINES):
            raise ValueError("write trino://login@host:port/catalog/schema, or presto://")
        return url

    @field_validator("query_page")
    @classmethod
    def _web_address(cls, page: str) -> str:
        if page and (not page.startswith(("https://", "http://")) or "{query_id}" not in page):
            raise ValueError("write it as https://host/...{query_id}")
        return page

    @classmethod
    def parse(cls, name: str, written: Mapping[str, object]) -> "PrestoSettings":
        """Read a server's entry of the fleet file. Errors: Misconfigured, naming each fault."""
        return read_entry(cls, name, written, code="bad-presto-settings")

    def policy(self) -> Policy:
        """The roles, reading only; one that says nothing of time may take as long as a tool does."""
        return _longer(parse_policy(self.roles, {}).reading())

    def place(self) -> Place:
        return Place.parse(self.url)


def _longer(policy: Policy) -> Policy:
    return replace(policy, roles={name: _patient(role) for name, role in policy.roles.items()})


def _patient(role: Role) -> Role:
    """A copy: roles that say nothing of limits share one value of them, whatever server they are of."""
    if "time" in role.limits.model_fields_set:
        return role
    return role.model_copy(update={"limits": role.limits.model_copy(update={"time": LONGEST_S})})
