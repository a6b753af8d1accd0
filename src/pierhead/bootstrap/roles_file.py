"""The roles file of a database: who may do what with it. YAML in, plain values out; changed whole or not at all.

`pierhead config set roles.…` writes it, `pierhead serve` reads it and follows it. It lies in the data directory unless
`--roles` names another. Not here: how its text is edited (`yaml_edit`), what a role means (the plug-in).
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from pierhead.bootstrap.document import parse_document, read_document
from pierhead.bootstrap.plugins import databases
from pierhead.bootstrap.secret_references import Secrets
from pierhead.bootstrap.variables import roles_with_variables
from pierhead.bootstrap.yaml_edit import has_content, with_value
from pierhead.core.errors import Misconfigured

if TYPE_CHECKING:
    from pierhead.sdk.database import Queries  # loads the protocol stack

_NAME: Final = "roles.yaml"
_KEY: Final = "roles"
_QUERIES: Final = "queries"

NOBODY: Final = "nobody"
"""No key is called so: stands where a role has no holder yet, which must not read as everyone."""

Roles = Mapping[str, Mapping[str, object]]


def default_place(data: Path) -> Path:
    """Where the roles of this data directory lie."""
    return data / _NAME


def read_roles(path: Path) -> Roles:
    """The roles in force in that file, checked. Errors: Misconfigured (`bad-roles`), naming every fault."""
    try:
        values = read_document(path).values
    except Misconfigured as fault:
        raise _bad(fault.message, "see: pierhead config schema roles") from None
    return checked(path, values)


def read_queries(path: Path) -> "Queries":
    """The curated queries in that file, checked with its roles. Errors: Misconfigured (`bad-roles`)."""
    read_roles(path)
    return _queries(path, read_document(path).values)


def _queries(path: Path, values: Mapping[str, object]) -> "Queries":
    queries = values.get(_QUERIES, {})
    if not isinstance(queries, dict):
        raise _bad(f"{path}: queries is no mapping", "write a name for each query, with its sql below")
    return cast("Queries", queries)


def checked(path: Path, values: Mapping[str, object]) -> Roles:
    """What a roles file says, if it may say that."""
    for key in values:
        if key not in (_KEY, _QUERIES):
            near = difflib.get_close_matches(key, [_KEY, _QUERIES], n=1)
            hint = f"did you mean {near[0]}?" if near else "it holds roles: and queries: alone"
            raise _bad(f"{path}: unknown key {key}", hint)
    roles = values.get(_KEY)
    if not isinstance(roles, dict) or not roles:
        raise _bad(f"{path} defines no roles", "begin with roles:, then a name for each")
    named = cast("dict[str, object]", roles)
    try:
        held = {name: _with_holder(role) for name, role in named.items()}
        databases().check_roles(roles_with_variables(held, Secrets.unread()), _queries(path, values))
    except Misconfigured as fault:
        raise _bad(f"{path}: {fault.message}", "see: pierhead config schema roles") from None
    return cast("Roles", roles)


def _with_holder(role: object) -> object:
    """Keys hold the roles of a served database, and they are made later."""
    return {"keys": [NOBODY], **cast("dict[str, object]", role)} if isinstance(role, dict) else role


def changed_roles(path: Path, place: tuple[str, ...], value: object) -> None:
    """Set one member, check the whole, replace the file: all of it or nothing. Errors: Misconfigured.

    Tables written out with their columns are not replaced by a mere list: what hides a column would be gone.
    """
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        edited = with_value(path, text, place, value)
        _refuse_loss(path, text, place, value)
        checked(path, parse_document(path, edited).values)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.new")
        unfinished.write_text(edited, "utf-8")
        unfinished.rename(path)
    except (OSError, UnicodeDecodeError) as failed:
        raise _bad(f"cannot change {path}: {failed}", "choose another: --roles FILE") from None


def _refuse_loss(path: Path, text: str, place: tuple[str, ...], value: object) -> None:
    before: object = parse_document(path, text).values if has_content(text) else {}
    for part in place:
        before = cast("Mapping[str, object]", before).get(part) if isinstance(before, Mapping) else None
    if isinstance(before, Mapping) and before and not isinstance(value, Mapping):
        name = ".".join(place)
        raise _bad(f"{path}: {name} is written out in full", "edit the file: a list would lose what stands there")


def _bad(message: str, hint: str) -> Misconfigured:
    return Misconfigured(message, hint=hint, code="bad-roles")
