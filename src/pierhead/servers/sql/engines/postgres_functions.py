"""PostgreSQL's own functions of a database, from pg_proc: what each takes, gives and may do.

One statement, whatever their number. Not here: which of them anybody may call (granted_functions.py).
"""

from collections.abc import Iterator
from typing import Any, Final

from pierhead.sdk.governed.catalog import StoredFunction, StoredParameter, one_of_a_name
from pierhead.sdk.sqlguard import PermittedFunction

_FUNCTIONS: Final = """
SELECT n.nspname, p.proname, p.provolatile = 'v' AS is_volatile, p.prosecdef AS is_definer, p.proretset AS gives_rows,
       p.provariadic <> 0 AS is_variadic, p.pronargs, p.pronargdefaults, p.prokind::text AS kind,
       coalesce(p.proargnames, '{}') AS names, coalesce(p.proargmodes::text[], '{}') AS modes,
       ARRAY(SELECT format_type(u.type, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS u(type, place)
             ORDER BY u.place) AS types,
       (SELECT bool_or(t.typtype = 'p') FROM unnest(p.proargtypes) AS u(type) JOIN pg_type t ON t.oid = u.type)
           AS takes_any,
       format_type(p.prorettype, NULL) AS returns, r.typtype = 'p' AND r.typname NOT IN ('record', 'void') AS gives_any,
       coalesce(obj_description(p.oid, 'pg_proc'), '') AS comment
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_type r ON r.oid = p.prorettype
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY n.nspname, p.proname, p.oid
"""


async def stored_functions(connection: Any) -> tuple[StoredFunction, ...]:  # noqa: ANN401 - asyncpg leaves it partly untyped
    """Every function outside the system's schemas."""
    return one_of_a_name(map(_stored, await connection.fetch(_FUNCTIONS)))


def _stored(row: Any) -> StoredFunction:  # noqa: ANN401 - a record
    return StoredFunction(
        row["nspname"],
        row["proname"],
        tuple(_parameters(row)),
        row["returns"],
        row["gives_rows"],
        row["is_volatile"],
        row["is_definer"],
        row["comment"],
        _unfit(row),
    )


def _parameters(row: Any) -> Iterator[StoredParameter]:  # noqa: ANN401 - a record
    """Those that a call gives: the modes are only told where some are given back."""
    names, modes, types = list(row["names"]), list(row["modes"]), list(row["types"])
    given = [name for name, mode in zip(names, modes or "i" * len(names), strict=True) if mode in ("i", "b", "v")]
    for place, type_ in enumerate(types, 1):
        name = given[place - 1] if place <= len(given) else ""
        yield StoredParameter(place, name, type_, place > len(types) - row["pronargdefaults"])


def _unfit(row: Any) -> str:  # noqa: ANN401 - a record
    names = [parameter.name for parameter in _parameters(row)]
    said = {
        "it is no plain function": row["kind"] != "f",
        "it takes any number of arguments": row["is_variadic"],
        "it takes or gives a pseudo-type": bool(row["takes_any"]) or row["gives_any"],
        "its parameters have no names of their own": len(set(names)) < len(names) or "" in names,
    }
    return next((reason for reason, holds in said.items() if holds), "")


def probe(function: PermittedFunction) -> str:
    """A statement that calls the function with values that the planner cannot know, so that it plans what is inside.

    PostgreSQL plans the body of a function written in SQL as part of the statement that calls it.
    """
    columns = ", ".join(f"CAST(NULL AS {type_}) AS a{place}" for place, type_ in enumerate(function.types))
    given = ", ".join(f"x.a{place}" for place in range(len(function.types)))
    source = f"(SELECT {columns} OFFSET 0) AS x" if columns else "(SELECT 1 OFFSET 0) AS x"
    return f"SELECT f.* FROM {source}, LATERAL {_quoted(function.schema)}.{_quoted(function.name)}({given}) AS f"  # noqa: S608 - names of the catalog, quoted


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
