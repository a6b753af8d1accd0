"""People say that they are away, and who stands in for them meanwhile; and that they are back.

A deputy who is admitted by the policy of the setting `approvals.deputies` may do the whole duty of whom they stand in
for; anyone else only what they may in their own name, so that an absence alone never widens anything. Both is asked
at every decision, not when the absence is declared. Not here: the decision itself (`answer_approval`).
"""

from dataclasses import dataclass, replace

from pierhead.core.absence import Absence, AbsenceDeclared, AbsenceEnded, StandIn, check_absence
from pierhead.core.errors import Conflict, Forbidden, Invalid, NotFound
from pierhead.core.identity import Caller, Party, User
from pierhead.core.rule import Who
from pierhead.usecases.ports import Clock, Ids
from pierhead.usecases.ports_approvals import Membership
from pierhead.usecases.ports_duty import Absences
from pierhead.usecases.rights import person_of


@dataclass(frozen=True, slots=True)
class DutyDesk:
    """What duties need. `deputies` are those who may do another's duty; fills `ports_duty.Duties`."""

    absences: Absences
    people: Membership
    deputies: Who
    clock: Clock
    ids: Ids

    async def stands_in(self, deputy: str) -> tuple[StandIn, ...]:
        """Everyone whose duty `deputy` may do now, with the groups of this moment."""
        now = self.clock.now()
        found = [each for each in await self.absences.open(now) if each.deputy == deputy and each.is_on(now)]
        lent = {each.person: self.lent(each.person, deputy) for each in found}
        return tuple(StandIn(person, groups) for person, groups in lent.items() if groups)

    async def away(self) -> frozenset[str]:
        """Who is away now."""
        now = self.clock.now()
        return frozenset(each.person for each in await self.absences.open(now) if each.is_on(now))

    def lent(self, person: str, deputy: str) -> frozenset[str]:
        theirs, own = self.people.groups(person), self.people.groups(deputy)
        if theirs is None or own is None:
            return frozenset()
        is_deputy = self.deputies.admits(User("", deputy, own), Party.PERSON)
        return theirs if is_deputy else theirs & own


async def declare_absence(wanted: Absence, caller: Caller, desk: DutyDesk) -> Absence:
    """The caller is away; `wanted` says when, why and who stands in, and nothing of whose it is.

    Errors: Forbidden (`person-needed`; `not-yours`, for a deputy who could not decide anything); Invalid
    (`bad-absence`).
    """
    person, now = person_of(caller), desk.clock.now()
    absence = replace(wanted, id=desk.ids.new(), person=person, since=wanted.since or now, ended_at=None)
    check_absence(absence, now)
    if absence.deputy:
        _check_deputy(absence, desk)
    await desk.absences.add(absence, AbsenceDeclared.of(absence), now)
    return absence


def _check_deputy(absence: Absence, desk: DutyDesk) -> None:
    if desk.people.groups(absence.deputy) is None:
        raise Invalid(f"nobody here is called {absence.deputy[:100]}", hint="name a person", code="bad-absence")
    if not desk.lent(absence.person, absence.deputy):
        raise Forbidden(
            f"{absence.deputy} may not stand in for you: you have no group in common, and deputies are {desk.deputies}",
            hint="name somebody of your group, or ask whoever sets approvals.deputies",
            code="not-yours",
        )


async def end_absence(absence_id: str, caller: Caller, admins: frozenset[str], desk: DutyDesk) -> None:
    """They are back, or an administrator ends it. Errors: NotFound; Forbidden (`person-needed`); Conflict."""
    person, now = person_of(caller), desk.clock.now()
    found = await desk.absences.one(absence_id)
    if found is None or (found.person != person and admins.isdisjoint(caller.groups)):
        raise NotFound("no such absence, or not yours to end", hint="see: pierhead approvals absences")
    fact = AbsenceEnded(found.id, found.person, found.deputy, person)
    if not await desk.absences.end(found.id, fact, now):
        raise Conflict("this absence is over", hint="nothing to do", code="absence-over")
