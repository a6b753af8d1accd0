"""The fleet file: people, servers, who may reach them. YAML in, one frozen value out.

Strict: an unknown key or a value of the wrong shape is an error that names the line and what is allowed; all faults
are gathered before it is raised. Not here: a kind's own settings, which its plug-in checks at start.
"""

import difflib
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pierhead.bootstrap.document import Document, broken, read_document
from pierhead.bootstrap.plugins import server_kinds
from pierhead.bootstrap.remote_entry import Remote, RemoteMembers
from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect
from pierhead.core.claims import Claims, parse_claims
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.reach import EVERY, Every, Row
from pierhead.core.rule import Who, parse_who
from pierhead.core.usage import Minutes

GUEST_KINDS: Final = frozenset({"stdio", "http"})
_PROGRAMS: Final = ("/usr/local/bin", "/usr/bin", "/bin")
_FILE_URL: Final = re.compile(r"(sqlite|duckdb):///(?!/)(?!:memory:)(.+)")


@dataclass(frozen=True, slots=True)
class GuestTool:
    """A guest's tool as the fleet file declares it, in the words of `sdk.authorize.declare`."""

    policy: str
    effect: str
    minutes_saved: Minutes
    approval: str | None
    timeout: float


@dataclass(frozen=True, slots=True)
class Guest:
    """A server that nobody here wrote: which of its tools exist, and how to start it, or where it is (`remote`)."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(hash=False)
    tools: Mapping[str, GuestTool] = field(hash=False)
    remote: Remote | None = None


@dataclass(frozen=True, slots=True)
class FleetServer:
    """One server of the fleet. `settings` are for the plug-in of its kind."""

    name: str
    kind: str
    owner: str
    support: str
    description: str
    rows: tuple[Row, ...]
    narrowed: Mapping[str, Who] = field(hash=False)
    guest: Guest | None
    settings: Mapping[str, object] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Fleet:
    """People with their groups and claims, workloads, servers; nothing that is not in the file."""

    people: Mapping[str, frozenset[str]] = field(hash=False)
    claims: Mapping[str, Claims] = field(hash=False)
    workloads: frozenset[str]
    servers: Mapping[str, FleetServer] = field(hash=False)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _policy(text: str) -> str:
    try:
        parse_who(text)
    except Invalid as invalid:
        raise ValueError(f"{invalid.message}; {invalid.hint}") from None
    return text


_Policy = Annotated[str, AfterValidator(_policy)]
_Group = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@:/-]{1,256}$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
_Spiffe = Annotated[str, StringConstraints(pattern=r"^spiffe://[A-Za-z0-9._/-]{1,2000}$")]


def _member(kind: type[Effect] | type[Approval], text: str) -> str:
    if text not in set(kind):
        raise ValueError(f"{text!r} is unknown; allowed: {', '.join(kind)}")
    return text


def _located(command: list[str]) -> list[str]:
    """The program by its full path: a guest's own environment has no PATH of ours. Beside our interpreter first."""
    places = os.pathsep.join((str(Path(sys.executable).parent), *_PROGRAMS))
    found = shutil.which(command[0], path=places)
    if found is None:
        raise ValueError(f"no program {command[0]!r}; looked in {places.replace(os.pathsep, ', ')}")
    return [found, *command[1:]]


def _stated(claims: dict[str, object]) -> dict[str, object]:
    try:
        parse_claims(claims)
    except Invalid as invalid:
        raise ValueError(invalid.message) from None
    return claims


class _Person(_Strict):
    groups: list[_Group]
    claims: Annotated[dict[str, object], AfterValidator(_stated)] = {}


class _Access(_Strict):
    groups: list[_Group] = []
    users: list[_Group] = []
    workloads: list[_Spiffe] = []
    everyone: bool = False
    surfaces: list[_Group] | None = None
    environments: list[_Group] | None = None


class _Minutes(_Strict):
    mode: float = Field(ge=0)
    low: float = Field(ge=0)
    high: float = Field(ge=0)
    method: str


class _Narrowing(_Strict):
    policy: _Policy


class _GuestTool(_Strict):
    policy: _Policy
    effect: Annotated[str, AfterValidator(lambda text: _member(Effect, text))]
    minutes_saved: float | _Minutes
    approval: Annotated[str, AfterValidator(lambda text: _member(Approval, text))] | None = None
    timeout: float = Field(30.0, gt=0, le=3600)


class _Server(_Strict):
    """What every kind has; a plug-in kind may have more."""

    kind: str
    owner: str = Field(min_length=1)
    support: str = Field(min_length=1)
    description: str = ""
    access: _Policy | _Access = "nobody"


class _PluginServer(_Server):
    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    tools: dict[str, _Narrowing] = {}


class _GuestServer(_Server):
    """A guest of either kind."""

    tools: dict[str, _GuestTool] = Field(min_length=1)


class CommandModel(_GuestServer):
    command: Annotated[list[str], Field(min_length=1), AfterValidator(_located)]
    environment: dict[str, str] = {}


class RemoteModel(RemoteMembers, _GuestServer):
    pass


GUEST_MODELS: Final[Mapping[str, type[_GuestServer]]] = {"stdio": CommandModel, "http": RemoteModel}


class _File(_Strict):
    people: dict[_Group, _Person] = {}
    workloads: list[_Spiffe] = []
    servers: dict[_Name, dict[str, Any]] = Field(min_length=1)


def load(path: Path, data: Path | None = None) -> Fleet:
    """Read a fleet file.

    `data` is the directory that relative `sqlite:///` and `duckdb:///` files lie in; left out, they stay relative.
    Errors: Misconfigured (`bad-fleet`), every fault with its line.
    """
    document = read_document(path)
    file, faults = _checked(_File, document, document.values, ())
    servers: dict[str, _PluginServer | _GuestServer] = {}
    for name, entry in (file.servers if file else {}).items():
        model, found = _server(document, name, entry)
        faults += found
        if model:
            servers[name] = model
    if file is None or faults:
        raise _gathered(path, faults)
    return Fleet(
        people={name: frozenset(person.groups) for name, person in file.people.items()},
        claims={name: parse_claims(person.claims) for name, person in file.people.items() if person.claims},
        workloads=frozenset(file.workloads),
        servers={name: _frozen(name, model, file.servers[name], data) for name, model in servers.items()},
    )


_Faults = list[Misconfigured]


def _server(
    document: Document, name: str, entry: Mapping[str, object]
) -> tuple[_PluginServer | _GuestServer | None, _Faults]:
    place = ("servers", name)
    kinds = GUEST_KINDS | set(server_kinds())
    kind = entry.get("kind")
    if kind not in kinds:
        line = document.line((*place, "kind"))
        what = f"server {name} is of kind {kind!r}" if "kind" in entry else f"server {name} has no kind"
        return None, [broken(document.path, line, what, f"allowed: {', '.join(sorted(kinds))}")]
    if kind in GUEST_KINDS:
        return _checked(GUEST_MODELS[str(kind)], document, entry, place)
    model, faults = _checked(_PluginServer, document, entry, place)
    return model, [*faults, *_misspelt(document, entry, place)]


def _misspelt(document: Document, entry: Mapping[str, object], place: tuple[str, ...]) -> Iterator[Misconfigured]:
    """A kind has keys of its own, but one that is nearly `access` is no setting: it would silently be nothing."""
    common = list(_PluginServer.model_fields)
    for key in entry.keys() - set(common):
        near = difflib.get_close_matches(key, common, n=1, cutoff=0.75)
        if near:
            what = f"unknown key {'.'.join((*place, key))}"
            yield broken(document.path, document.line((*place, key)), what, f"did you mean {near[0]}?")


Model = TypeVar("Model", bound=BaseModel)


def _checked(
    model: type[Model], document: Document, values: object, place: tuple[str | int, ...]
) -> tuple[Model | None, _Faults]:
    try:
        return model.model_validate(values), []
    except ValidationError as invalid:
        return None, [_fault(document, place, error, model) for error in invalid.errors()]


def _fault(document: Document, place: tuple[str | int, ...], error: Any, model: type[BaseModel]) -> Misconfigured:  # noqa: ANN401 - pydantic's own mapping
    where = (*place, *error["loc"])
    line = document.line(where)
    name = ".".join(str(part) for part in where if not str(part).startswith(("function-", "_", "str", "[key]")))
    if error["type"] == "extra_forbidden":
        known = _known(model, error["loc"][:-1])
        near = difflib.get_close_matches(str(where[-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"allowed here: {', '.join(known)}"
        return broken(document.path, line, f"unknown key {name}", hint)
    if error["type"] == "missing":
        return broken(document.path, line, f"{name} is missing", f"add {error['loc'][-1]}")
    what = str(error["msg"]).removeprefix("Value error, ")
    return broken(document.path, line, f"{name}: {what[:1].lower()}{what[1:]}", "see docs/how-to/write-a-fleet-file.md")


def _known(model: type[BaseModel], inside: Iterable[str | int]) -> list[str]:
    """The keys that the model knows at that depth: enough for a hint."""
    parts = list(inside)
    if not parts:
        return list(model.model_fields)
    inner = {
        "access": _Access,
        "people": _Person,
        "tools": _GuestTool if issubclass(model, _GuestServer) else _Narrowing,
    }
    return list(inner.get(str(parts[0]), _File).model_fields)


def _gathered(path: Path, faults: _Faults) -> Misconfigured:
    if len(faults) == 1:
        return faults[0]
    lines = "; ".join(fault.message.removeprefix(f"{path}, ") for fault in faults)
    return Misconfigured(f"{path}: {lines}", hint=faults[0].hint, code="bad-fleet")


def _frozen(name: str, model: _PluginServer | _GuestServer, entry: dict[str, Any], data: Path | None) -> FleetServer:
    is_guest = isinstance(model, _GuestServer)
    return FleetServer(
        name=name,
        kind=model.kind,
        owner=model.owner,
        support=model.support,
        description=model.description,
        rows=(_row(name, model.access),),
        narrowed={} if is_guest else {tool: parse_who(given.policy) for tool, given in model.tools.items()},
        guest=_guest(model) if is_guest else None,
        settings=_settings(entry, data),
    )


def _settings(entry: Mapping[str, object], data: Path | None) -> Mapping[str, object]:
    """The entry as written, but with a file's whole path."""
    return {**entry, "url": _absolute(entry["url"], data)} if "url" in entry else entry


def _guest(model: _GuestServer) -> Guest | None:
    tools = {
        name: GuestTool(tool.policy, tool.effect, _minutes(tool.minutes_saved), tool.approval, tool.timeout)
        for name, tool in model.tools.items()
    }
    if isinstance(model, RemoteModel):
        return Guest((), {}, tools, model.remote())
    return Guest(tuple(model.command), model.environment, tools) if isinstance(model, CommandModel) else None


def _minutes(saved: float | _Minutes) -> Minutes:
    if isinstance(saved, _Minutes):
        return Minutes(saved.mode, saved.low, saved.high, saved.method)
    return Minutes.estimate(saved)


def _row(server: str, access: str | _Access) -> Row:
    if isinstance(access, str):
        return Row(server, parse_who(access), EVERY, EVERY)
    who = Who(frozenset(access.groups), frozenset(access.users), frozenset(access.workloads), access.everyone)
    return Row(server, who, _only(access.surfaces), _only(access.environments))


def _only(names: list[str] | None) -> frozenset[str] | Every:
    """Left out means no restriction; an empty list means nothing."""
    return EVERY if names is None else frozenset(names)


def _absolute(url: object, data: Path | None) -> object:
    """`sqlite:///x.db` lies in the data directory; `sqlite:////srv/x.db` is absolute already."""
    found = _FILE_URL.fullmatch(url) if isinstance(url, str) else None
    if found is None or data is None:
        return url
    return f"{found[1]}:///{data.resolve() / found[2]}"
