"""The roles of a data server, from its entry: what `core/data_role` holds of each, and nothing secret.

Reads what the server itself reads, in both of its forms (the short one has one set of operations for every table), and
what cannot be read grants nothing: an unknown operation is none, an unknown approval denies. A server that is declared
read only has no operation that writes. Pure. Above: `compose_policy`. Not here: judging calls (`told_by_roles`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.data_role import DataRole, FunctionGrant, TableGrant, WriteApproval
from pierhead.core.json import Json
from pierhead.usecases.find_table import holders_of, mapping_of, texts_of

_KINDS: Final = frozenset({"sql", "presto", "trino"})
_BY_EFFECT: Final = {"create": "none", "update": "approve", "delete": "approve"}
_APPROVAL: Final = re.compile(r"(none|confirm|approve|four-eyes|deny)(?: if affected > (\d{1,9}))?")
_READING: Final = frozenset({"read", "call"})
_OPERATIONS: Final = _READING | _BY_EFFECT.keys()
_UNSAID: Final = "approve"
"""Of a function whose grant says nothing: its server asks nobody if it changes nothing, which is not known here."""


def roles_in(document: Mapping[str, Json]) -> tuple[DataRole, ...] | None:
    """The roles in the entry's own order; None for a server of another kind, whose policy says it all."""
    roles = document.get("roles")
    if document.get("kind") not in _KINDS or not isinstance(roles, Mapping):
        return None
    operations = _READING if document.get("read_only") is True else _OPERATIONS
    queries = mapping_of(document.get("queries"))
    callers = {query: texts_of(mapping_of(said).get("roles")) for query, said in queries.items()}
    return tuple(
        DataRole(
            name=name,
            who=holders_of(mapping_of(role), is_only=len(roles) == 1),
            tables=tuple(_tables(mapping_of(role), operations)),
            functions=tuple(_functions(mapping_of(role))),
            queries=frozenset(query for query, named in callers.items() if name in named),
            plans=frozenset(texts_of(mapping_of(role).get("plans"))),
            sends_sql=mapping_of(role).get("sql") is not False,
        )
        for name, role in roles.items()
    )


def _tables(role: Mapping[str, Json], allowed: frozenset[str]) -> Iterator[TableGrant]:
    written = role.get("tables")
    short: dict[str, Json] = {name: {"operations": role.get("operations")} for name in texts_of(written)}
    for name, said in (short or mapping_of(written)).items():
        rule = mapping_of(said)
        operations = allowed & frozenset(texts_of(rule.get("operations")))
        approval = rule.get("approval") if rule.get("approval") is not None else role.get("approval")
        asks = tuple(_approval(approval, each) for each in sorted(operations - _READING))
        yield TableGrant(name, operations, asks)


def _approval(written: Json, operation: str) -> WriteApproval:
    text = written if isinstance(written, str) else mapping_of(written).get(operation, _BY_EFFECT[operation])
    found = _APPROVAL.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return WriteApproval(operation, Approval.DENY, None)
    return WriteApproval(operation, Approval(found[1]), int(found[2]) if found[2] else None)


def _functions(role: Mapping[str, Json]) -> Iterator[FunctionGrant]:
    written = role.get("functions")
    short: dict[str, Json] = {name: {"operations": role.get("operations")} for name in texts_of(written)}
    for name, said in (short or mapping_of(written)).items():
        rule = mapping_of(said)
        if "call" in texts_of(rule.get("operations")):
            approval = rule.get("approval", _UNSAID)
            is_known = isinstance(approval, str) and approval in set(Approval)
            yield FunctionGrant(name, Approval(approval) if is_known else Approval.DENY)
