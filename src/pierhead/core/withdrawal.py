"""What people no longer have, though a credential of theirs still says so: groups, and whatever was issued before.

A token tells of the moment it was made. This tells of now: made by the registry, carried to every gateway and server
beside the policy, signed with it. It can only take away. Pure. Above: `snapshot`, `usecases/withdraw_person`, and
whoever verifies a token. Not here: why somebody lost something (the facts in `audit_people`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pierhead.core.identity import Both, Principal, User

TOKEN_LIFE_S: Final = 24 * 3600
"""No token counts for longer, whatever it says: so nothing needs to be remembered for longer than this and a bit."""
KEPT_S: Final = TOKEN_LIFE_S + 3600
MOST: Final = 5000
"""How many people are told one by one; past that, the others' moment becomes everyone's."""

Person = tuple[str, str]
"""Issuer and subject: the identity of a person."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Of one person: what was issued `before` that moment (seconds since 1970) is void, and `groups` are not theirs."""

    issuer: str
    subject: str
    before: float
    groups: frozenset[str]

    @property
    def person(self) -> Person:
        return self.issuer, self.subject

    def and_also(self, more: "Withdrawal") -> "Withdrawal":
        """Both of them: the later moment, and the groups of each."""
        return replace(self, before=max(self.before, more.before), groups=self.groups | more.groups)


@dataclass(frozen=True, slots=True)
class Withdrawals:
    """All of them at one moment; a higher `version` is a later one. Nothing of it ever adds a right."""

    version: int = 0
    people: Mapping[Person, Withdrawal] = field(default_factory=dict[Person, Withdrawal], hash=False)
    everyone_before: float = 0.0

    @classmethod
    def of(cls, version: int, each: Iterable[Withdrawal]) -> "Withdrawals":
        """The newest by name; of the rest their groups, and the newest of their moments for everyone."""
        newest = sorted(each, key=lambda one: (one.before, one.person), reverse=True)
        named, rest = newest[:MOST], newest[MOST:]
        kept = (*named, *(one for one in rest if one.groups))
        return cls(version, {one.person: one for one in kept}, rest[0].before if rest else 0.0)

    def before(self, issuer: str, subject: str) -> float:
        """What was issued to that person before this moment is void."""
        found = self.people.get((issuer, subject))
        return max(found.before if found else 0.0, self.everyone_before)

    def groups_of(self, issuer: str, subject: str) -> frozenset[str]:
        """The groups that are not that person's, whatever a credential says."""
        found = self.people.get((issuer, subject))
        return found.groups if found else frozenset()

    def left(self, user: User) -> User:
        """That person without what was withdrawn: the very same value where nothing was."""
        withheld = self.groups_of(user.issuer, user.subject)
        return user if withheld.isdisjoint(user.groups) else replace(user, groups=user.groups - withheld)

    def ends(self, principal: Principal, since: float) -> bool:
        """Whether what that principal began at `since` must end: they are not any more who they were then."""
        match principal:
            case User():
                return self.before(principal.issuer, principal.subject) > since or self.left(principal) is not principal
            case Both():
                return self.ends(principal.user, since)
            case _:
                return False


NOTHING_WITHDRAWN: Final = Withdrawals()
