"""Reach rows as Envoy's RBAC: the same table in other words, so that one truth table can test both.

A row admits parties; a person through a workload needs a row for each. Surface and environment are constants here:
those of a workload's registration, or of the listener. A row that came after the rendering opens nothing here yet,
one that went is still closed by `ext_authz`. Whom company policies permit no row can name: a row that leaves it to
them lets everyone through who is proved, and `ext_authz` decides. Not here: tools (layer 2).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pierhead.adapters.envoy.filters import CHANNEL, JWT, PERSON
from pierhead.adapters.envoy.shape import Shape
from pierhead.core.reach import Every, Row
from pierhead.core.workload import CHATS, Registration

_ANY: Final[Shape] = {"any": True}
_CERTIFIED: Final[Shape] = {"authenticated": {"principal_name": {"safe_regex": {"regex": ".+"}}}}
"""Who showed a certificate: without a name to match, Envoy counts everybody who speaks TLS."""


def policies(
    rows: Mapping[str, tuple[Row, ...]], registered: Mapping[str, Registration], surface: str, environment: str
) -> Shape:
    """Every policy by name. Sign-in, pages and `/v0.1` are open: they prove nobody, and have rules of their own."""
    governed = _either([_path("/mcp"), _below("/mcp/"), _below("/data/")])
    nobody = _all([_not(_CERTIFIED), _not(_claim("sub", present=True))])
    someone = _either([_all([_not(_CERTIFIED), _claim("sub", present=True)]), *map(_workload, sorted(registered))])
    found = {
        "~pages": _policy({"not_rule": governed}, [_ANY]),
        "~sign-in": _policy(governed, [nobody]),
        "~desk": _policy(_path("/mcp"), [someone]),
    }
    for server, opened in rows.items():
        principals = [*_people(opened, surface, environment), *_programs(opened, registered)]
        if principals:
            found[server] = _policy(_either([_path(f"/mcp/{server}"), _below(f"/data/{server}/")]), principals)
    return found


def only_workload(spiffe_id: str) -> Shape:
    return {"gateway": _policy(_ANY, [_workload(spiffe_id)])}


def _people(rows: Sequence[Row], surface: str, environment: str) -> list[Shape]:
    """People without a workload, who stand where the listener stands, and in no channel."""
    admitted = [each for row in _there(rows, surface, environment) for each in _persons(row, speaks_of_channels=False)]
    return [_all([_not(_CERTIFIED), _either(admitted)])] if admitted else []


def _programs(rows: Sequence[Row], registered: Mapping[str, Registration]) -> list[Shape]:
    """Each workload that a row admits where it is registered: alone, or with a person whom a row admits there."""
    found: list[Shape] = []
    for spiffe_id, place in sorted(registered.items()):
        there, speaks = _there(rows, place.surface, place.environment), place.surface in CHATS
        itself = [where for row in there if _admits(row, spiffe_id) for where in _channels(row, speaks)]
        if itself:
            alone = _not(_claim("sub", present=True))
            persons = [each for row in there for each in _persons(row, speaks_of_channels=speaks)]
            found.append(_all([_workload(spiffe_id), _either(itself), _either([alone, *persons])]))
    return found


def _admits(row: Row, spiffe_id: str) -> bool:
    return row.who.by_policies or spiffe_id in row.who.workloads


def _there(rows: Iterable[Row], surface: str, environment: str) -> list[Row]:
    return [row for row in rows if surface in row.surfaces and environment in row.environments]


def _persons(row: Row, *, speaks_of_channels: bool) -> list[Shape]:
    """The people whom a row names, by the claims of a verified token, in its channels."""
    who, where = row.who, _channels(row, speaks_of_channels)
    named = [_claim("sub", present=True)] if who.any_person or who.by_policies else []
    named += [_claim("sub", exact=name) for name in sorted(who.users)]
    named += [_claim("groups", contains=name) for name in sorted(who.groups)]
    return [_all([_either(where), _either(named)])] if named and where else []


def _channels(row: Row, speaks: bool) -> list[Shape]:
    """In which channels a row stands open: any, or those it names, of which a chat surface alone can speak."""
    if isinstance(row.channels, Every):
        return [_ANY]
    named = sorted(row.channels) if speaks else []
    return [{"header": {"name": CHANNEL, "string_match": {"exact": name}}} for name in named]


def _workload(spiffe_id: str) -> Shape:
    return {"authenticated": {"principal_name": {"exact": spiffe_id}}}


def _claim(name: str, *, present: bool = False, exact: str = "", contains: str = "") -> Shape:
    value: Shape = {"present_match": True}
    if not present:
        text = {"string_match": {"exact": exact or contains}}
        value = {"list_match": {"one_of": text}} if contains else text
    path = [{"key": PERSON}, {"key": name}]
    return {"sourced_metadata": {"metadata_matcher": {"filter": JWT, "path": path, "value": value}}}


def _policy(permission: Shape, principals: list[Shape]) -> Shape:
    return {"permissions": [permission], "principals": principals}


def _path(exact: str) -> Shape:
    return {"url_path": {"path": {"exact": exact}}}


def _below(prefix: str) -> Shape:
    return {"url_path": {"path": {"prefix": prefix}}}


def _either(choices: list[Shape]) -> Shape:
    """One of them, as permissions and as principals: where one is meant, it is written plainly."""
    if len(choices) == 1:
        return choices[0]
    return {"or_rules": {"rules": choices}} if "url_path" in choices[0] else {"or_ids": {"ids": choices}}


def _all(ids: list[Shape]) -> Shape:
    return {"and_ids": {"ids": ids}}


def _not(principal: Shape) -> Shape:
    return {"not_id": principal}
