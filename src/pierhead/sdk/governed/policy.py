"""Who may do what with a source: role -> tables -> operations -> columns -> rows -> limits, parsed strictly.

Deny by default: no match means no, an empty list means nothing, an unknown word is an error. Not here: the engine's
own schema (engines/), against which views.py compiles a role. Above: views.py, source.py.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final, Literal, Self, cast
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from pierhead.sdk import Caller, Forbidden, Invalid, Misconfigured
from pierhead.sdk.governed.approvals import Needed
from pierhead.sdk.governed.budget import Budget
from pierhead.sdk.governed.grammar_native import parse_rule
from pierhead.sdk.governed.masks import Mask
from pierhead.sdk.governed.pacing import Shares
from pierhead.sdk.governed.queries import Queries, Query, digested, parse_queries, unheld

MOST_ROWS: Final = 1_000
MOST_STREAMED: Final = 100_000
MOST_SECONDS: Final = 60.0
MOST_BYTES: Final = 100 * 1_048_576
_MOST_SHARED: Final = 100_000
ISSUER_OF_KEYS: Final = "pierhead:keys"
"""Of a caller who came with an API key: its subject is the key's id, and no user's name."""

Operation = Literal["read", "create", "update", "delete", "call"]


def _seconds(written: object) -> object:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", written) if isinstance(written, str) else None
    if match is None:
        raise ValueError("write a time as 500ms, 10s or 1m")
    return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[match[2]]


def _bytes(written: object) -> object:
    match = re.fullmatch(r"(\d+)(KB|MB)", written) if isinstance(written, str) else None
    if match is None:
        raise ValueError("write a size as 64KB or 10MB")
    return int(match[1]) * {"KB": 1_024, "MB": 1_048_576}[match[2]]


def _shares(written: object, caller: int, role: int) -> Shares:
    """A number is one caller's; as an object it may name the role's too."""
    given = {"caller": written} if isinstance(written, int) else written
    if not isinstance(given, Mapping) or not cast("Mapping[str, object]", given).keys() <= {"caller", "role"}:
        raise ValueError("write a number for each caller, or {caller: 16, role: 64}")
    numbers = {"caller": caller, "role": role, **cast("Mapping[str, object]", given)}
    if not all(type(number) is int and 1 <= number <= _MOST_SHARED for number in numbers.values()):
        raise ValueError(f"limits are whole numbers from 1 to {_MOST_SHARED}")
    return Shares(cast("int", numbers["caller"]), cast("int", numbers["role"]))


def _rule(written: str) -> str:
    try:
        parse_rule(written)
    except Invalid as invalid:
        raise ValueError(f"{invalid.message}; {invalid.hint}") from None
    return written


def _mask(written: str) -> str:
    Mask.parse(written)
    return written


def _approval(written: str | dict[str, str]) -> str | dict[str, str]:
    for text in (written,) if isinstance(written, str) else written.values():
        Needed.parse(text)
    return written


def _of_functions(operations: object) -> list[object]:
    """What the operations of a short form mean for its functions."""
    if not isinstance(operations, list):
        return ["read"]
    return [each for each in cast("list[object]", operations) if each in ("read", "call")]


WriteApproval = Annotated[str | dict[Literal["create", "update", "delete"], str], AfterValidator(_approval)]
"""One class for every write, or one for each operation: approvals.py reads it."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Columns(_Strict):
    include: list[str] | None = None  # left out: every column but the excluded ones
    exclude: list[str] = []
    mask: dict[str, Annotated[str, AfterValidator(_mask)]] = {}
    write: list[str] | None = None  # left out: every column that is seen as it is

    def shows_as_it_is(self, column: str) -> bool:
        """Whether the role reads the column, and not a mask of it."""
        return self.shows(column) and column not in self.mask

    def shows(self, column: str) -> bool:
        """Whether the column exists for the role."""
        return (self.include is None or column in self.include) and column not in self.exclude

    def may_write(self, column: str) -> bool:
        """Only what exists for the role; a mask only where it is named."""
        return self.shows_as_it_is(column) if self.write is None else column in self.write and self.shows(column)


class TableRule(_Strict):
    operations: list[Operation] = []
    columns: Columns = Columns()
    rows: Annotated[str, AfterValidator(_rule)] | None = None
    approval: WriteApproval | None = None
    require_if_match: bool = False


class FunctionRule(_Strict):
    """`read` lets it stand in statements, `call` lets it be called by name. Left out, `approval` is by its effect."""

    operations: list[Literal["read", "call"]] = []
    approval: Literal["none", "confirm", "approve", "four-eyes", "deny"] | None = None


class Limits(_Strict):
    """Of one call and, with `in_flight` and `rate`, of all calls of a caller and of the role."""

    rows: int = Field(default=MOST_ROWS, ge=1, le=MOST_ROWS)
    time: Annotated[float, BeforeValidator(_seconds)] = Field(default=MOST_SECONDS, gt=0, le=MOST_SECONDS)
    bytes: Annotated[int, BeforeValidator(_bytes)] = Field(default=MOST_BYTES, ge=1_024, le=MOST_BYTES)
    in_flight: Annotated[Shares, BeforeValidator(lambda written: _shares(written, 16, 64))] = Shares(16, 64)
    rate: Annotated[Shares, BeforeValidator(lambda written: _shares(written, 50, 500))] = Shares(50, 500)
    budget: Budget | None = None

    @property
    def most_streamed(self) -> int:
        """Rows of an answer that is written as it comes: what is written here holds for it, too."""
        return self.rows if "rows" in self.model_fields_set else MOST_STREAMED


class Account(_Strict):
    """The engine's account of one role: the source's url, or another, with a user and password of its own."""

    url: str | None = None
    user: str | None = None
    password: str | None = None
    password_file: str | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if not (self.url or self.user):
            raise ValueError("a login has a url or a user")
        if self.password is not None and self.password_file is not None:
            raise ValueError("a login has a password or a password_file")
        return self

    def address(self, source_url: str) -> str:
        """The url to connect to, password and all: nothing to show. Errors: Misconfigured, for a missing file."""
        parts = urlsplit(self.url or source_url)
        password = self.password
        if self.password_file is not None:
            try:
                password = Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError):
                raise misconfigured([f"login.password_file: cannot read {self.password_file}"]) from None
        if self.user is None and password is None:
            return self.url or source_url  # as it stands: of a file it has no account to put in
        user = quote(self.user or parts.username or "", safe="") if self.user else (parts.username or "")
        if password is None:
            secret = f":{parts.password}" if parts.password and not self.user else ""
        else:
            secret = f":{quote(password, safe='')}"
        place = parts.netloc.rpartition("@")[2]
        account = f"{user}{secret}@" if user or secret else ""
        return urlunsplit(parts._replace(netloc=account + place))


_WHO: Final = {"groups", "users", "workloads", "keys", "login"}


class Role(_Strict):
    """One role as written; `tables` as a list is the short form, with `operations` for all of them.

    `functions` as a list have the same operations, or where there are none, `read`.
    """

    tables: dict[str, TableRule]
    groups: list[str] = []
    users: list[str] = []
    workloads: list[str] = []
    keys: list[str] = []
    sql: bool = True
    plans: list[Literal["delete"]] = []  # each is two tools more, so none unless asked for
    approval: WriteApproval | None = None  # of tables that say nothing of their own
    functions: dict[str, FunctionRule] = {}
    limits: Limits = Limits()
    login: Account | None = None

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, written: object) -> object:
        if not isinstance(written, dict):
            return written
        role = dict(cast("dict[str, object]", written))
        tables, functions = role.get("tables"), role.get("functions")
        operations: object = role.pop("operations", []) if isinstance(tables, list) else None
        if isinstance(tables, list):
            role["tables"] = {str(table): {"operations": operations} for table in cast("list[object]", tables)}
        if isinstance(functions, list):
            rule = {"operations": _of_functions(operations)}
            role["functions"] = {str(name): rule for name in cast("list[object]", functions)}
        return role

    @property
    def has_holders(self) -> bool:
        return bool(self.groups or self.users or self.workloads or self.keys)

    @property
    def writes(self) -> frozenset[str]:
        """The operations that write which the role has on some table."""
        granted = {each for rule in self.tables.values() for each in rule.operations}
        return frozenset(granted & {"create", "update", "delete"})

    @property
    def version(self) -> str:
        """A digest of what the role may do, whoever holds it and under whatever login."""
        return hashlib.sha256(self.model_dump_json(exclude=_WHO).encode()).hexdigest()[:16]

    def is_held_by(self, caller: Caller) -> bool:
        person, workload = caller.person, caller.workload
        if person is not None and person.issuer == ISSUER_OF_KEYS:
            return person.subject in self.keys
        return (
            not caller.groups.isdisjoint(self.groups)
            or (person is not None and person.subject in self.users)
            or (workload is not None and workload.spiffe_id in self.workloads)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """Every role of a source in file order, its curated queries, and a hash of what was written."""

    roles: Mapping[str, Role]
    version: str
    queries: Queries = field(default_factory=dict[str, Query])

    @property
    def written(self) -> frozenset[str]:
        """The operations that write which some role has somewhere."""
        return frozenset[str]().union(*(role.writes for role in self.roles.values()))

    def reading(self) -> Self:
        """The same roles without what writes: a source that is read only, whatever they say."""
        return replace(
            self, roles={name: _reading(role) for name, role in self.roles.items()}, version=self.version + "r"
        )

    def acting(self, caller: Caller, asked: str = "") -> str:
        """The one role that acts for `caller`: the first in file order that the caller holds, or the one asked for.

        Rights of several roles are never added up. Errors: Forbidden (`no-role`), alike for a role that is not held
        and for one that does not exist.
        """
        for name, role in self.roles.items():
            if asked in ("", name) and self._is_held(role, caller):
                return name
        if asked:
            raise Forbidden(f"you do not hold role {asked[:128]}", hint="leave the role out", code="no-role")
        raise Forbidden("you hold no role on this source", hint="ask the owner for a role", code="no-role")

    def _is_held(self, role: Role, caller: Caller) -> bool:
        return (len(self.roles) == 1 and not role.has_holders) or role.is_held_by(caller)


def _reading(role: Role) -> Role:
    tables = {
        name: rule.model_copy(update={"operations": [each for each in rule.operations if each in ("read", "call")]})
        for name, rule in role.tables.items()
    }
    functions = {
        name: rule.model_copy(update={"operations": ["read"]})
        for name, rule in role.functions.items()
        if "read" in rule.operations
    }
    return role.model_copy(update={"tables": tables, "functions": functions})


_ROLES: Final = TypeAdapter(dict[str, Role])


def parse_policy(written: object, written_queries: object = None) -> Policy:
    """The policy in `written`, the `roles` of a source with its `queries`. Errors: Misconfigured, naming all faults."""
    try:
        roles = _ROLES.validate_python(written)
    except ValidationError as invalid:
        raise misconfigured([_fault(error["loc"], error["msg"]) for error in invalid.errors()]) from None
    queries, unread = parse_queries(written_queries or {})
    faults = [*_unreadable(roles), *_unheld(roles), *unread, *unheld(queries, roles)]
    if faults:
        raise misconfigured(faults)
    without_secrets = {name: {"login"} for name in roles}
    digest = hashlib.sha256(_ROLES.dump_json(roles, exclude=without_secrets) + digested(queries)).hexdigest()
    return Policy(roles, digest[:16], queries)


def _fault(place: tuple[int | str, ...], problem: str) -> str:
    return f"roles.{'.'.join(str(part) for part in place)}: {problem}"


def misconfigured(faults: list[str]) -> Misconfigured:
    return Misconfigured(
        "; ".join(faults), hint="correct the roles and queries of this source in the fleet file", code="bad-sql-policy"
    )


def _unreadable(roles: Mapping[str, Role]) -> Iterator[str]:
    """What would promise more than happens: it does not load."""
    for name, role in roles.items():
        for pattern, rule in role.tables.items():
            if {"update", "delete"}.intersection(rule.operations) and "read" not in rule.operations:
                yield f"roles.{name}.tables.{pattern}.operations: update and delete need read, to say which rows"


def _unheld(roles: Mapping[str, Role]) -> Iterator[str]:
    if len(roles) > 1:
        for name, role in roles.items():
            if not role.has_holders:
                yield f"roles.{name}: of several roles each names its holders (groups, users, workloads or keys)"
