"""The roles file of a database: who may do what with it. YAML in, plain values out; changed whole or not at all.

`pierhead config set roles.…` writes it, `pierhead serve` reads it and follows it. It lies in the data directory unless
`--roles` names another. Not here: how its text is edited (`roles_edit`), what a role means (the plug-in).
"""

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, cast

from pierhead.bootstrap.document import read_document
from pierhead.bootstrap.plugins import databases
from pierhead.core.errors import Misconfigured

_NAME: Final = "roles.yaml"
_KEY: Final = "roles"

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


def checked(path: Path, values: Mapping[str, object]) -> Roles:
    """What a roles file says, if it may say that."""
    for key in values:
        if key != _KEY:
            near = difflib.get_close_matches(key, [_KEY], n=1)
            raise _bad(f"{path}: unknown key {key}", "did you mean roles?" if near else "it holds roles: alone")
    roles = values.get(_KEY)
    if not isinstance(roles, dict) or not roles:
        raise _bad(f"{path} defines no roles", "begin with roles:, then a name for each")
    try:
        databases().check_roles(cast("dict[str, object]", roles))
    except Misconfigured as fault:
        raise _bad(f"{path}: {fault.message}", "see: pierhead config schema roles") from None
    return cast("Roles", roles)


def replace(path: Path, edit: Callable[[str], str]) -> None:
    """Change the file's text, whole or not at all; what `edit` raises leaves it as it was. Errors: Misconfigured."""
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        changed = edit(text)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.new")
        unfinished.write_text(changed, "utf-8")
        unfinished.rename(path)
    except OSError as failed:
        raise _bad(f"cannot write {path}: {failed.strerror}", "choose another: --roles FILE") from None


def _bad(message: str, hint: str) -> Misconfigured:
    return Misconfigured(message, hint=hint, code="bad-roles")
