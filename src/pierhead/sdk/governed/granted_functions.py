"""A role's `functions` against those there are: which may stand in its statements, and which it may call by name.

By name only, and one function of a name: overloads, functions of any number of arguments and of pseudo-types cannot be
granted, so that no argument of a caller chooses another. One that runs with its owner's rights is granted by its full
name, with the schema; one that may change something only with the operation `call`, and then it stands in no
statement. What a function reads is its own affair: masks and row rules do not reach inside. Above: views.py.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.sdk.governed.catalog import Catalog, StoredFunction
from pierhead.sdk.governed.policy import FunctionRule, Role
from pierhead.sdk.sqlguard import Dialect, PermittedFunction, is_own_function

_BY_DEFAULT: Final = "approve"


@dataclass(frozen=True, slots=True)
class GrantedFunction:
    """A function of a role. `approval` is asked for before it is called."""

    name: str
    stored: StoredFunction
    permitted: PermittedFunction
    reads: bool
    calls: bool
    approval: str


def granted_functions(role: Role, catalog: Catalog) -> Mapping[str, GrantedFunction]:
    """By the names that callers use; what cannot be granted is not there."""
    found = (
        (stored, rule)
        for written, rule in role.functions.items()
        if (stored := _named(written, catalog)) is not None and not _unfit(written, stored, rule)
    )
    return {(each := _granted(stored, rule, catalog)).name: each for stored, rule in found}


def callable_in_sql(functions: Mapping[str, GrantedFunction], dialect: Dialect) -> tuple[PermittedFunction, ...]:
    """Those that may stand in statements, where their bare names differ and are none of the engine's own."""
    named = Counter(each.stored.name.lower() for each in functions.values() if _stands_in_sql(each))
    return tuple(
        each.permitted
        for each in functions.values()
        if _stands_in_sql(each)
        and named[each.stored.name.lower()] == 1
        and not is_own_function(each.stored.name, dialect)
    )


def function_faults(name: str, role: Role, catalog: Catalog) -> Iterator[str]:
    """What is wrong with the functions of a role: what would promise more than happens does not load."""
    for written, rule in role.functions.items():
        place = f"roles.{name}.functions.{written}"
        stored = _named(written, catalog)
        if stored is None:
            yield f"{place}: the source has no such function"
        elif fault := _unfit(written, stored, rule):
            yield f"{place}: {fault}"
    granted = granted_functions(role, catalog)
    bare = Counter(each.stored.name.lower() for each in granted.values() if _stands_in_sql(each))
    for each, count in bare.items():
        if count > 1:
            yield f"roles.{name}.functions: {each} is granted from {count} schemas, and is called by its bare name"


def _named(written: str, catalog: Catalog) -> StoredFunction | None:
    for function in catalog.functions:
        if written in (catalog.display_name(function), f"{function.schema}.{function.name}"):
            return function
    return None


def _unfit(written: str, stored: StoredFunction, rule: FunctionRule) -> str:
    """Why it cannot be granted so; empty if it can."""
    if stored.unfit:
        return stored.unfit
    if stored.is_definer and written != f"{stored.schema}.{stored.name}":
        return f"it runs with its owner's rights: grant it as {stored.schema}.{stored.name}, if that is meant"
    if stored.is_volatile and rule.operations != ["call"]:
        return "it is volatile: grant it with the operation call alone"
    return "" if rule.operations else "it needs operations: read, call"


def _granted(stored: StoredFunction, rule: FunctionRule, catalog: Catalog) -> GrantedFunction:
    needed = sum(1 for each in stored.parameters if not each.has_default)
    types = tuple(each.type for each in stored.parameters)
    permitted = PermittedFunction(stored.schema, stored.name, needed, len(types), types, stored.gives_rows)
    approval = rule.approval or (_BY_DEFAULT if stored.is_volatile else "none")
    reads, calls = "read" in rule.operations, "call" in rule.operations
    return GrantedFunction(catalog.display_name(stored), stored, permitted, reads, calls, approval)


def _stands_in_sql(function: GrantedFunction) -> bool:
    return function.reads and not function.stored.is_volatile and not function.stored.gives_rows
