"""What the roles of a data server let each caller do: which operations on which tables, which functions, which SQL.

As its entry declares them, and as far as anybody but the server can know: what the source holds, masks and rows are
the server's own. Rights of several roles are never added up: the first in the entry's order that a caller holds acts.
Above: `usecases/read_roles` reads entries, `usecases/told_by_roles` judges calls.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pierhead.core.approval import Approval
from pierhead.core.identity import Principal, parties
from pierhead.core.rule import Who


@dataclass(frozen=True, slots=True)
class WriteApproval:
    """Who must agree to one kind of write. `up_to` so many rows nobody is asked; None: everybody always is."""

    operation: str
    approval: Approval
    up_to: int | None

    @property
    def before(self) -> Approval:
        """The class that is asked for before anything runs, when the rows are not counted yet."""
        return self.approval if self.up_to is None else Approval.NONE


@dataclass(frozen=True, slots=True)
class TableGrant:
    """What a role may do with the tables of one name or pattern; an approval for each operation that writes."""

    name: str
    operations: frozenset[str]
    approvals: tuple[WriteApproval, ...]

    def approval(self, operation: str) -> WriteApproval:
        """Who must agree to that operation; one that nobody declared is denied."""
        denied = WriteApproval(operation, Approval.DENY, None)
        return next((each for each in self.approvals if each.operation == operation), denied)


@dataclass(frozen=True, slots=True)
class FunctionGrant:
    """A function that a role may call by its name, and who must agree first."""

    name: str
    approval: Approval


@dataclass(frozen=True, slots=True)
class DataRole:
    """One role. `who` is None where whoever reaches the server holds it; `queries` are the curated ones it may call."""

    name: str
    who: Who | None
    tables: tuple[TableGrant, ...]
    functions: tuple[FunctionGrant, ...]
    queries: frozenset[str]
    plans: frozenset[str]
    sends_sql: bool

    def is_held_by(self, principal: Principal) -> bool:
        who = self.who
        return who is None or any(who.admits(principal, party) for party in parties(principal))

    def table(self, name: str) -> TableGrant | None:
        """What it grants of a table: an exact name wins, else the first pattern; None where that is nothing."""
        exact = next((each for each in self.tables if each.name == name), None)
        found = exact or next((each for each in self.tables if fnmatchcase(name, each.name)), None)
        return found if found is not None and found.operations else None

    def function(self, name: str) -> FunctionGrant | None:
        return next((each for each in self.functions if each.name == name), None)

    def grants(self, operation: str) -> tuple[TableGrant, ...]:
        """Every grant of that operation, on whatever table."""
        return tuple(each for each in self.tables if operation in each.operations)


def acting(roles: Iterable[DataRole], principal: Principal) -> DataRole | None:
    """The one role that acts for `principal`; None where they hold none."""
    return next((role for role in roles if role.is_held_by(principal)), None)
