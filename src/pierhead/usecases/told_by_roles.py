"""What the roles of a data server say of a call, where the server itself is not there to say it.

The server decides so at each call, by its own reading of the same roles; pre-flight, lists, pages and the front desk
add this to what the rules say, so that they promise nothing that it would refuse. It only adds a forbid or an ask.
Forbids have the server's own code where its caller reads why, and none where the tool is not offered to them. What only
the server knows (whether a table is there, what a statement reads, what a plan counted) is left to the call. Fills the
port `Rules`. Above: `explain_decision`, `find_tools`, pages. Not here: what a role holds (`core/data_role`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pierhead.core.approval import Approval, strictest
from pierhead.core.call import Parsed, Request
from pierhead.core.data_role import DataRole, acting
from pierhead.core.identity import Caller, parties
from pierhead.core.json import Json
from pierhead.core.policy import Match, Question, RuleEffect
from pierhead.core.waiting_tools import is_waiting_tool
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules
from pierhead.usecases.ports import Rules, Snapshots

_NO_ROLE: Final = "you hold no role on this source: ask its owner for one"
_LONGEST_NAME: Final = 128
_Arguments = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class _Said:
    """What a role says of a call: why not, with the code that its caller reads, or who must agree."""

    forbids: str = ""
    code: str = ""
    asks: Approval = Approval.NONE


_NOTHING: Final = _Said()
_Judge = Callable[[DataRole, _Arguments | None], _Said]
"""Of a role and the arguments of a call; None where nobody has read them."""


@dataclass(frozen=True, slots=True)
class ToldByRoles:
    """`rules`, and what the roles of the request's server say besides."""

    rules: Rules

    @property
    def questions(self) -> frozenset[Question]:
        return self.rules.questions

    def matches(self, request: Request) -> Sequence[Match]:
        found = self.rules.matches(request)
        roles = request.server.roles
        if roles is None or is_waiting_tool(request.tool):
            return found
        said = _judged(request, acting(roles, request.caller.principal))
        return found if said is _NOTHING else (*found, *_told(request, said))

    def reach(self, caller: Caller, server: str) -> Sequence[Match]:
        return self.rules.reach(caller, server)


def whole_rules(snapshots: Snapshots) -> ToldByRoles:
    """Everything that can be said of a call away from its server: both layers, and roles."""
    return ToldByRoles(SnapshotRules(snapshots, REACH_AND_USE))


def _told(request: Request, said: _Said) -> Iterator[Match]:
    rule = f"{request.server.name}.roles"
    for party in parties(request.caller.principal):
        if said.forbids:
            yield Match(RuleEffect.FORBID, Question.USE, party, rule, said.forbids, code=said.code)
        else:
            sentence = f"{request.tool.name}: your role here needs {said.asks}"
            yield Match(RuleEffect.ASK, Question.USE, party, rule, sentence, said.asks)


def _judged(request: Request, role: DataRole | None) -> _Said:
    name, arguments = request.tool.name, request.call.arguments
    if name in _WITHOUT_ROLE:
        return _NOTHING
    if role is None:
        return _Said(_NO_ROLE, "no-role" if name in _FOR_ALL else "")
    read = arguments.judged if isinstance(arguments, Parsed) else None
    if name in _JUDGES:
        return _JUDGES[name](role, read)
    return _NOTHING if name in role.queries else _lacks(role, f"call {name}")


def _lacks(role: DataRole, what: str, code: str = "") -> _Said:
    return _Said(f"your role here, {role.name}, does not {what}", code)


def _named(arguments: _Arguments | None, member: str) -> str | None:
    """What the arguments name; None where they name nothing, of which the call itself will complain."""
    return str(arguments[member])[:_LONGEST_NAME] if arguments is not None and member in arguments else None


def _anything(_role: DataRole, _arguments: _Arguments | None) -> _Said:
    return _NOTHING


def _sql(role: DataRole, _arguments: _Arguments | None) -> _Said:
    return _NOTHING if role.sends_sql else _lacks(role, "send SQL")


def _reading(role: DataRole, arguments: _Arguments | None) -> _Said:
    table = _named(arguments, "table")
    if table is None:
        return _NOTHING
    found = role.table(table)
    if found is None or "read" not in found.operations:
        return _lacks(role, f"read table {table!r}", "unknown-table")
    return _NOTHING


def _placed(role: DataRole, arguments: _Arguments | None) -> _Said:
    """As `_reading`; which catalog and schema may be left out of a name, or written, its server knows."""
    table = _named(arguments, "table")
    return _NOTHING if not table or "." in table else _reading(role, arguments)


def _inserting(role: DataRole, arguments: _Arguments | None) -> _Said:
    merges = arguments is not None and arguments.get("on_conflict") == "merge"
    return _writing(role, arguments, "create", "update" if merges else "create")


def _updating(role: DataRole, arguments: _Arguments | None) -> _Said:
    inserts = arguments is not None and arguments.get("insert_missing") is True
    return _writing(role, arguments, "update", "create" if inserts else "update")


def _deleting(role: DataRole, arguments: _Arguments | None) -> _Said:
    return _writing(role, arguments, "delete", "delete")


def _writing(role: DataRole, arguments: _Arguments | None, operation: str, also: str) -> _Said:
    """The tool is offered for its own operation; a call may need another besides. A preview asks nobody."""
    granted = role.grants(operation)
    if not granted:
        return _lacks(role, f"{operation} rows")
    table = _named(arguments, "table")
    if arguments is None or table is None:
        return _asking(*(each.approval(operation).before for each in granted))
    found = role.table(table)
    if found is None:
        return _lacks(role, f"name table {table!r}", "unknown-table")
    for needed in (operation, also):
        if needed not in found.operations:
            return _lacks(role, f"{needed} rows of {table!r}", "operation-not-granted")
    if arguments.get("dry_run") is True:
        return _NOTHING
    return _asking(found.approval(operation).before, found.approval(also).before)


def _planning(role: DataRole, arguments: _Arguments | None) -> _Said:
    unplanned = _unplanned(role)
    if unplanned is not None or arguments is None:
        return unplanned or _NOTHING
    return _writing(role, {**arguments, "dry_run": True}, "delete", "delete")


def _planned(role: DataRole, _arguments: _Arguments | None) -> _Said:
    """Which table a plan is of, and how many rows it counted, its server knows: the most that it can need."""
    unplanned = _unplanned(role)
    return unplanned or _asking(*(each.approval("delete").approval for each in role.grants("delete")))


def _unplanned(role: DataRole) -> _Said | None:
    if "delete" in role.plans and role.grants("delete"):
        return None
    return _lacks(role, "plan to delete rows" if role.grants("delete") else "delete rows")


def _calling(role: DataRole, arguments: _Arguments | None) -> _Said:
    if not role.functions:
        return _lacks(role, "call functions")
    name = _named(arguments, "function")
    if name is None:
        return _asking(*(each.approval for each in role.functions))
    found = role.function(name)
    return _lacks(role, f"call function {name!r}", "no-such-function") if found is None else _asking(found.approval)


def _asking(*approvals: Approval) -> _Said:
    asked = strictest(*approvals)
    return _NOTHING if asked is Approval.NONE else _Said(asks=asked)


_FOR_ALL: Final[Mapping[str, _Judge]] = {
    "list_tables": _anything,
    "describe_table": _reading,
    "query_table": _reading,
    "run_query": _sql,
    "explain_query": _sql,
    "presto_search_tables": _anything,
    "presto_describe_table": _placed,
    "presto_check_freshness": _placed,
    "presto_compare_partitions": _placed,
    "presto_get_lineage": _placed,
    "presto_find_queries": _placed,
    "presto_validate_query": _sql,
    "presto_run_query": _sql,
    "presto_plan_overwrite": _placed,
    "presto_overwrite_partition": _anything,
}
"""The tools that a data server offers whoever reaches it: who holds no role is told so by the call."""
_WITHOUT_ROLE: Final = frozenset(
    {"presto_read_result", "presto_get_query", "presto_cluster_health", "presto_cancel_query"}
)
"""Of an engine and of what is the caller's own already: no role is asked for."""
_JUDGES: Final[Mapping[str, _Judge]] = {
    **_FOR_ALL,
    "insert_rows": _inserting,
    "update_rows": _updating,
    "delete_rows": _deleting,
    "plan_delete_rows": _planning,
    "delete_planned_rows": _planned,
    "call_function": _calling,
}
