"""The fleet file: people, servers, who may reach them. YAML in, one frozen value out.

Strict: an unknown key or a value of the wrong shape is an error that names the line and what is allowed; all faults
are gathered before it is raised. Not here: what one server's members mean (`declared`).
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError

from pierhead.bootstrap.company_policies import read_texts
from pierhead.bootstrap.declared import (
    GUEST_KINDS,
    MODELS,
    Access,
    AnyModel,
    DeclaredGuestTool,
    FleetServer,
    Group,
    Guest,
    GuestModel,
    Name,
    Narrowing,
    PluginModel,
    Spiffe,
    Strict,
    frozen,
)
from pierhead.bootstrap.document import Document, broken, read_document
from pierhead.bootstrap.fleet_views import View, ViewName
from pierhead.bootstrap.plugins import server_kinds
from pierhead.core.audience import Audience
from pierhead.core.claims import Claims, parse_claims
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.json import Json
from pierhead.core.snapshot import PolicyText

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
    policies: tuple[PolicyText, ...] = ()
    """The files of cases that its policy must pass (`policy_cases`)."""


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
    file, faults = _checked(_File, document, document.values, ())
    servers: dict[str, AnyModel] = {}
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
        servers={name: frozen(name, model, file.servers[name], data) for name, model in servers.items()},
        documents={name: json.loads(json.dumps(entry, default=str)) for name, entry in file.servers.items()},
        views={name: view.audience() for name, view in file.views.items()},
        tests=tuple(path.parent / named for named in file.tests),
        policies=read_texts(path, file.policies),
    )


_Faults = list[Misconfigured]


def _server(document: Document, name: str, entry: Mapping[str, object]) -> tuple[AnyModel | None, _Faults]:
    place = ("servers", name)
    kinds = MODELS.keys() | set(server_kinds())
    kind = entry.get("kind")
    if kind not in kinds:
        line = document.line((*place, "kind"))
        what = f"server {name} is of kind {kind!r}" if "kind" in entry else f"server {name} has no kind"
        return None, [broken(document.path, line, what, f"allowed: {', '.join(sorted(kinds))}")]
    if kind in MODELS:
        return _checked(MODELS[str(kind)], document, entry, place)
    model, faults = _checked(PluginModel, document, entry, place)
    return model, [*faults, *_misspelt(document, entry, place)]


def _misspelt(document: Document, entry: Mapping[str, object], place: tuple[str, ...]) -> Iterator[Misconfigured]:
    """A kind has keys of its own, but one that is nearly `access` is no setting: it would silently be nothing."""
    common = list(PluginModel.model_fields)
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
        "access": Access,
        "people": _Person,
        "views": View,
        "tools": DeclaredGuestTool if issubclass(model, GuestModel) else Narrowing,
    }
    return list(inner.get(str(parts[0]), _File).model_fields)


def _gathered(path: Path, faults: _Faults) -> Misconfigured:
    if len(faults) == 1:
        return faults[0]
    lines = "; ".join(fault.message.removeprefix(f"{path}, ") for fault in faults)
    return Misconfigured(f"{path}: {lines}", hint=faults[0].hint, code="bad-fleet")
