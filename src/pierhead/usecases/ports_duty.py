"""What the registry keeps of people's duties: who is away, who stands in, what need not be confirmed again.

Filled by `adapters/db/duties` and, in tests, `memory_duty`. Not here: what follows from it (`answer_approval`,
`ask_approval`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pierhead.core.absence import Absence, AbsenceDeclared, AbsenceEnded, StandIn
from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.choice import Choice, ChoiceEnded, ChoiceRemembered
from pierhead.core.errors import Invalid


class Absences(Protocol):
    """Every absence, each change in one transaction with its fact."""

    async def add(self, absence: Absence, fact: AbsenceDeclared, at: float) -> None: ...

    async def end(self, absence_id: str, fact: AbsenceEnded, at: float) -> bool:
        """False where it is over or ended already."""
        ...

    async def one(self, absence_id: str) -> Absence | None: ...

    async def open(self, now: float) -> Sequence[Absence]:
        """All that are on or to come, the next to end first."""
        ...


class Choices(Protocol):
    """Every remembered choice, each change in one transaction with its fact."""

    async def add(self, choice: Choice, fact: ChoiceRemembered, at: float) -> None: ...

    async def end(self, choice_id: str, fact: ChoiceEnded, at: float) -> bool:
        """False where it is over or ended already."""
        ...

    async def of(self, person: str, now: float) -> Sequence[Choice]:
        """Those of that person that still hold, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants remembered: for how long, which arguments may differ, and on which form they said so."""

    lifetime_s: float
    free: tuple[str, ...]
    how: str


class Remembered(Protocol):
    """What people need not confirm again, by the time of this moment."""

    async def held(self, person: str) -> Sequence[Choice]:
        """What still holds, newest first."""
        ...

    async def drop(self, choice: Choice, reason: str, by: str) -> bool:
        """False where it was over already."""
        ...

    async def keep(self, record: ApprovalRecord, wish: Wish) -> Choice:
        """Errors: Invalid (`bad-choice`)."""
        ...


class Duties(Protocol):
    """Whose duty somebody may do now."""

    async def stands_in(self, deputy: str) -> tuple[StandIn, ...]: ...


@dataclass(frozen=True, slots=True)
class NobodyAway:
    """Fills `Duties` where nobody ever stands in for anybody."""

    async def stands_in(self, deputy: str) -> tuple[StandIn, ...]:
        del deputy
        return ()


@dataclass(frozen=True, slots=True)
class NothingRemembered:
    """Fills `Remembered` where every call is confirmed anew."""

    async def held(self, person: str) -> Sequence[Choice]:
        del person
        return ()

    async def drop(self, choice: Choice, reason: str, by: str) -> bool:
        del choice, reason, by
        return False

    async def keep(self, record: ApprovalRecord, wish: Wish) -> Choice:
        """Errors: Invalid (`bad-choice`), always."""
        del record, wish
        raise Invalid("nothing is remembered here", hint="confirm each call", code="bad-choice")


NOBODY_AWAY: Final = NobodyAway()
NOTHING_REMEMBERED: Final = NothingRemembered()
