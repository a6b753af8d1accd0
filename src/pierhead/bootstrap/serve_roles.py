"""The roles that a `pierhead serve` puts in force: those of the file, each held by the keys made for it.

Nobody else calls such a server, so keys are the only holders. The key that `serve` prints reads and never writes: it
holds the file's first role, or what of it reads. Plain values in and out; what they mean is the plug-in's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from pierhead.bootstrap.roles_file import NOBODY
from pierhead.core.api_key import ApiKey

LOCAL: Final = "local"
"""The role where no file defines any: it reads the default schema."""

_READ_ONLY: Final = "-read-only"

Role = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What the command line takes away from every role."""

    reads_only: bool = False
    without_sql: bool = False


def first_role(written: Mapping[str, Role] | None) -> str:
    return next(iter(written)) if written else LOCAL


def roles_in_force(
    written: Mapping[str, Role] | None,
    own_tables: Iterable[str],
    keys: Iterable[ApiKey],
    own_key: str,
    narrowing: Narrowing,
) -> tuple[dict[str, Role], str]:
    """The roles, and which of them the printed key holds.

    Shapes: `written` are the roles of a file that has been checked; None where there is no file.
    """
    named = written or {LOCAL: {"tables": list(own_tables), "operations": ["read"]}}
    first = first_role(written)
    roles = {name: _narrowed(role, narrowing) for name, role in named.items()}
    readable = _reading(roles[first])
    printed = first
    if readable != roles[first]:
        while printed in roles:  # never a role that the file means otherwise
            printed += _READ_ONLY
        roles[printed] = readable
    made = [(key.role, key.id) for key in keys]
    return {name: _held(role, [*made, (printed, own_key)], name) for name, role in roles.items()}, printed


def _held(role: Role, made: list[tuple[str, str]], name: str) -> Role:
    listed = cast("list[object]", role.get("keys", []))
    ids = [key_id for role_name, key_id in made if role_name == name]
    return {**role, "keys": [*listed, *ids] or [NOBODY]}


def _narrowed(role: Role, narrowing: Narrowing) -> Role:
    narrowed = _reading(role) if narrowing.reads_only else role
    return {**narrowed, "sql": False} if narrowing.without_sql else narrowed


def _reading(role: Role) -> Role:
    """The role without everything that writes or calls."""
    kept = {key: value for key, value in role.items() if key != "functions"}
    if "operations" in kept:
        kept["operations"] = _reads(kept["operations"])
    tables = kept.get("tables")
    if isinstance(tables, Mapping):
        rules = cast("Mapping[str, Role]", tables)
        kept["tables"] = {
            table: {**rule, "operations": _reads(rule.get("operations"))} for table, rule in rules.items()
        }
    return kept


def _reads(operations: object) -> list[str]:
    return ["read"] if isinstance(operations, list) and "read" in operations else []
