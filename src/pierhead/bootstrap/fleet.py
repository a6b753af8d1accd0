"""The fleet file: people, servers, who may reach them. YAML in, one frozen value out.

Strict: an unknown key or a value of the wrong shape is an error that names the line and what is allowed; all faults
are gathered before it is raised. Not here: what one server's members mean (`declared`).
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError

from pierhead.bootstrap.company_policies import read_texts
from pierhead.bootstrap.declared import (
    GUEST_KINDS,
    MODELS,
    AnyModel,
    FleetServer,
    Guest,
    Name,
    PluginModel,
    Spiffe,
    Strict,
    frozen,
)
from pierhead.bootstrap.document import Document, Mark, broken, read_document
from pierhead.bootstrap.entry_words import Group
from pierhead.bootstrap.fleet_views import View, ViewName
from pierhead.bootstrap.known_keys import known_keys, misspelt_keys
from pierhead.bootstrap.plugins import server_kinds
from pierhead.core.audience import Audience
from pierhead.core.claims import Claims, parse_claims
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.json import Json
from pierhead.core.snapshot import PolicyText
from pierhead.usecases.check_entry import UnknownNarrowing

__all__ = ["GUEST_KINDS", "Fleet", "FleetServer", "Guest", "load"]


@dataclass(frozen=True, slots=True)
class Fleet:
    """People with their groups and claims, workloads, servers, views; nothing that is not in the file."""

    people: Mapping[str, frozenset[str]] = field(hash=False)
    claims: Mapping[str, Claims] = field(hash=False)
    workloads: frozenset[str]
    servers: Mapping[str, FleetServer] = field(hash=False)
    documents: Mapping[str, Mapping[str, Json]] = field(hash=False)
    """Each server as it is written, as plain JSON: what the registry keeps of it."""
    views: Mapping[str, Audience] = field(hash=False)
    tests: tuple[Path, ...] = ()
    """The files of cases that its policy must pass (`policy_cases`)."""
    policies: tuple[PolicyText, ...] = ()
    document: Document | None = field(default=None, hash=False, compare=False)
    """Where each member stands in the file."""


def _stated(claims: dict[str, object]) -> dict[str, object]:
    try:
        parse_claims(claims)
    except Invalid as invalid:
        raise ValueError(invalid.message) from None
    return claims


class _Person(Strict):
    groups: list[Group]
    claims: Annotated[dict[str, object], AfterValidator(_stated)] = Field(default_factory=dict)


_FileName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_PolicyName = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,99}/){0,5}[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.cedar$")
]


class _File(Strict):
    people: dict[Group, _Person] = Field(default_factory=dict)
    workloads: list[Spiffe] = Field(default_factory=list)
    servers: dict[Name, dict[str, Any]] = Field(min_length=1)
    views: dict[ViewName, View] = Field(default_factory=dict)
    tests: list[_FileName] = Field(default_factory=list)
    policies: list[_PolicyName] = Field(default_factory=list)


def load(path: Path, data: Path | None = None) -> Fleet:
    """Read a fleet file.

    `data` is the directory that relative `sqlite:///` and `duckdb:///` files lie in; left out, they stay relative.
    Errors: Misconfigured (`bad-fleet`), every fault with its line.
    """
    document = read_document(path)
    file, servers = _read(document, _File, document.values)
    return Fleet(
        people={name: frozenset(person.groups) for name, person in file.people.items()},
        claims={name: parse_claims(person.claims) for name, person in file.people.items() if person.claims},
        workloads=frozenset(file.workloads),
        servers={name: _placed(frozen(name, model, file.servers[name], data), path) for name, model in servers.items()},
        documents=_plain(file.servers),
        views={name: view.audience() for name, view in file.views.items()},
        tests=tuple(path.parent / named for named in file.tests),
        policies=read_texts(path, file.policies),
        document=document,
    )


def _placed(server: FleetServer, path: Path) -> FleetServer:
    """Code lies beside the file that names it, wherever the platform is started."""
    if "code" not in server.settings:
        return server
    folder = path.resolve().parent / str(server.settings.get("folder", "."))
    return replace(server, settings={**server.settings, "folder": str(folder)})


class _Part(_File):
    servers: dict[Name, dict[str, Any]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """What a text says of people, servers and policies; None where it does not speak of them."""

    people: Mapping[str, frozenset[str]] | None = field(hash=False)
    documents: Mapping[str, Mapping[str, Json]] = field(hash=False)
    policies: tuple[tuple[str, Mark], ...] | None
    """The files that it names, and where."""


def read_part(document: Document, in_force: Mapping[str, Mapping[str, Json]]) -> Part:
    """A fleet file, or a part of one: an entry that names no kind changes members of the one in force.

    Errors: Misconfigured (`bad-fleet`), every fault with its place.
    """
    given = document.values.get("servers")
    entries = cast("Mapping[str, object]", given if isinstance(given, dict) else {})
    whole = {name: _completed(entry, in_force.get(name, {})) for name, entry in entries.items()}
    file, _ = _read(document, _Part, {**document.values, **({"servers": whole} if whole else {})})
    named = tuple((name, document.mark(("policies", place))) for place, name in enumerate(file.policies))
    return Part(
        people={name: frozenset(person.groups) for name, person in file.people.items()} or None,
        documents=_plain(file.servers),
        policies=named if "policies" in document.values else None,
    )


def located(fault: UnknownNarrowing, document: Document | None) -> Invalid:
    """The same fault with its place in the file, where there is one."""
    if document is None:
        return fault
    line, column = document.mark(("servers", fault.server, "tools", fault.tool))
    message = f"{document.path}, line {line}, column {column}: {fault.message}"
    return Invalid(message, hint=fault.hint, code=fault.code)


def _completed(entry: object, in_force: Mapping[str, Json]) -> object:
    if not isinstance(entry, dict) or "kind" in entry:
        return cast("object", entry)
    return {**in_force, **cast("dict[str, object]", entry)}


FileModel = TypeVar("FileModel", bound=_File)


def _read(
    document: Document, model: type[FileModel], values: Mapping[str, object]
) -> tuple[FileModel, dict[str, AnyModel]]:
    """The file and its servers, each held to its kind. Errors: Misconfigured (`bad-fleet`)."""
    file, faults = _checked(model, document, values, ())
    servers: dict[str, AnyModel] = {}
    for name, entry in (file.servers if file else {}).items():
        read, found = _server(document, name, entry)
        faults += found
        if read:
            servers[name] = read
    if file is None or faults:
        raise _gathered(document.path, faults)
    return file, servers


def _plain(entries: Mapping[str, Mapping[str, object]]) -> dict[str, Mapping[str, Json]]:
    """As they are written, as plain JSON."""
    return {name: json.loads(json.dumps(entry, default=str)) for name, entry in entries.items()}


_Faults = list[Misconfigured]


def _server(document: Document, name: str, entry: Mapping[str, object]) -> tuple[AnyModel | None, _Faults]:
    place = ("servers", name)
    kinds = MODELS.keys() | set(server_kinds())
    kind = entry.get("kind")
    if kind not in kinds:
        mark = document.value_mark((*place, "kind"))
        what = f"server {name} is of kind {kind!r}" if "kind" in entry else f"server {name} has no kind"
        return None, [broken(document.path, mark, what, f"allowed: {', '.join(sorted(kinds))}")]
    if kind in MODELS:
        return _checked(MODELS[str(kind)], document, entry, place)
    model, faults = _checked(PluginModel, document, entry, place)
    return model, [*faults, *_misspelt(document, entry, place)]


def _misspelt(document: Document, entry: Mapping[str, object], place: tuple[str, ...]) -> Iterator[Misconfigured]:
    for key, near in misspelt_keys(entry).items():
        what = f"unknown key {'.'.join((*place, key))}"
        yield broken(document.path, document.mark((*place, key)), what, f"did you mean {near}?")


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
    mark = document.mark(where)
    name = ".".join(str(part) for part in where if not str(part).startswith(("function-", "_", "str", "[key]")))
    if error["type"] == "extra_forbidden":
        known = _known(model, error["loc"][:-1])
        near = difflib.get_close_matches(str(where[-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"allowed here: {', '.join(known)}"
        return broken(document.path, mark, f"unknown key {name}", hint)
    if error["type"] == "missing":
        return broken(document.path, mark, f"{name} is missing", f"add {error['loc'][-1]}")
    what = str(error["msg"]).removeprefix("Value error, ")
    told, hint = f"{name}: {what[:1].lower()}{what[1:]}", "see docs/how-to/write-a-fleet-file.md"
    return broken(document.path, document.value_mark(where), told, hint)


def _known(model: type[BaseModel], inside: Iterable[str | int]) -> list[str]:
    """The keys that the model knows at that depth: enough for a hint."""
    parts = [str(part) for part in inside]
    inner: Mapping[str, type[BaseModel]] = {"people": _Person, "views": View}
    if parts and parts[0] in inner:
        return list(inner[parts[0]].model_fields)
    return known_keys(model, parts) or list(_File.model_fields)


def _gathered(path: Path, faults: _Faults) -> Misconfigured:
    if len(faults) == 1:
        return faults[0]
    lines = "; ".join(fault.message.removeprefix(f"{path}, ") for fault in faults)
    return Misconfigured(f"{path}: {lines}", hint=faults[0].hint, code="bad-fleet")
