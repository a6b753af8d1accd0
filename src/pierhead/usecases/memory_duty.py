"""`Absences` and `Choices` in dicts, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pierhead.core.absence import Absence, AbsenceDeclared, AbsenceEnded
from pierhead.core.audit import Fact
from pierhead.core.choice import Choice, ChoiceEnded, ChoiceRemembered


@dataclass(slots=True)
class MemoryAbsences:
    """Fills `Absences`; `facts` are those that came along."""

    kept: dict[str, Absence] = field(default_factory=dict[str, Absence])
    facts: list[Fact] = field(default_factory=list[Fact])

    async def add(self, absence: Absence, fact: AbsenceDeclared, at: float) -> None:
        del at
        self.kept[absence.id] = absence
        self.facts.append(fact)

    async def end(self, absence_id: str, fact: AbsenceEnded, at: float) -> bool:
        found = self.kept[absence_id]
        if found.ended_at is not None or found.until <= at:
            return False
        self.kept[absence_id] = replace(found, ended_at=at)
        self.facts.append(fact)
        return True

    async def one(self, absence_id: str) -> Absence | None:
        return self.kept.get(absence_id)

    async def open(self, now: float) -> Sequence[Absence]:
        found = [each for each in self.kept.values() if each.ended_at is None and each.until > now]
        return sorted(found, key=lambda each: (each.until, each.id))


@dataclass(slots=True)
class MemoryChoices:
    """Fills `Choices`; `facts` are those that came along."""

    kept: dict[str, Choice] = field(default_factory=dict[str, Choice])
    facts: list[Fact] = field(default_factory=list[Fact])

    async def add(self, choice: Choice, fact: ChoiceRemembered, at: float) -> None:
        del at
        self.kept[choice.id] = choice
        self.facts.append(fact)

    async def end(self, choice_id: str, fact: ChoiceEnded, at: float) -> bool:
        found = self.kept[choice_id]
        if found.ended_at is not None or found.expires_at <= at:
            return False
        self.kept[choice_id] = replace(found, ended_at=at)
        self.facts.append(fact)
        return True

    async def of(self, person: str, now: float) -> Sequence[Choice]:
        mine = [each for each in self.kept.values() if each.person == person and each.ended_at is None]
        return sorted((each for each in mine if each.expires_at > now), key=lambda each: (-each.created_at, each.id))
