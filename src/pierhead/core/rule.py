"""Short forms of policy: who is meant by `group:data-eng or user:ann`.

One grammar for tool declarations, fleet files and access rows: `everyone` (any signed-in person), `nobody`,
`group:NAME`, `user:SUBJECT`, `workload:SPIFFE-ID`, and `policies` (whomever the company's policies permit), joined by
` or `. Not here: what follows from a match (`policy`).
"""

import re
from dataclasses import dataclass
from typing import Final, assert_never

from pierhead.core.errors import Invalid
from pierhead.core.identity import Party, Principal, person, workload

_TERM: Final = re.compile(r"(group|user|workload):([A-Za-z0-9_.@:/-]{1,256})")
_WORDS: Final = frozenset({"everyone", "nobody", "policies"})
_HINT: Final = "write group:NAME, user:SUBJECT, workload:SPIFFE-ID, everyone, nobody or policies, joined by ' or '"


@dataclass(frozen=True, slots=True)
class Who:
    """A closed set of principals. Empty means nobody, never everybody."""

    groups: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    workloads: frozenset[str] = frozenset()
    any_person: bool = False
    by_policies: bool = False
    """Whoever the company's policies permit. `admits` knows nothing of those: see `usecases/match_rules`."""

    def admits(self, principal: Principal, party: Party) -> bool:
        """Whether that party of `principal` is one of these."""
        match party:
            case Party.PERSON:
                who = person(principal)
                if who is None:
                    return False
                return self.any_person or who.subject in self.users or not self.groups.isdisjoint(who.groups)
            case Party.WORKLOAD:
                program = workload(principal)
                return program is not None and program.spiffe_id in self.workloads
            case _:
                assert_never(party)

    def is_within(self, other: "Who") -> bool:
        """Whether `other` surely admits everyone whom this admits, by the names that stand in both."""
        is_open = other.any_person
        return (
            (is_open or not self.any_person)
            and (is_open or self.groups <= other.groups)
            and (is_open or self.users <= other.users)
            and self.workloads <= other.workloads
            and (other.by_policies or not self.by_policies)
        )

    def within(self, other: "Who") -> "Who":
        """Who stands in both: never wider than either. A group and another have nobody surely in common."""
        return Who(
            groups=_shared(self.groups, other.groups, self, other),
            users=_shared(self.users, other.users, self, other),
            workloads=self.workloads & other.workloads,
            any_person=self.any_person and other.any_person,
            by_policies=self.by_policies and other.by_policies,
        )

    def __str__(self) -> str:
        terms = [f"group:{name}" for name in sorted(self.groups)]
        terms += [f"user:{name}" for name in sorted(self.users)]
        terms += [f"workload:{name}" for name in sorted(self.workloads)]
        if self.any_person:
            terms.insert(0, "everyone")
        if self.by_policies:
            terms.append("policies")
        return " or ".join(terms) or "nobody"


def _shared(mine: frozenset[str], theirs: frozenset[str], one: Who, other: Who) -> frozenset[str]:
    """The names in both, and those of each that the other admits with everyone."""
    found = mine & theirs
    if other.any_person:
        found |= mine
    return found | theirs if one.any_person else found


NOBODY: Final = Who()


def parse_who(text: str) -> Who:
    """Read the short form; raises Invalid (code `policy-syntax`) that names every term it cannot read."""
    terms = [term.strip() for term in text.split(" or ")]
    groups: set[str] = set()
    users: set[str] = set()
    workloads: set[str] = set()
    targets = {"group": groups, "user": users, "workload": workloads}
    wrong: list[str] = []
    for term in terms:
        if term in _WORDS:
            continue
        found = _TERM.fullmatch(term)
        if found is None:
            wrong.append(term)
        else:
            targets[found[1]].add(found[2])
    if wrong:
        raise Invalid(f"cannot read policy {text!r}: {', '.join(map(repr, wrong))}", hint=_HINT, code="policy-syntax")
    return Who(
        frozenset(groups),
        frozenset(users),
        frozenset(workloads),
        any_person="everyone" in terms,
        by_policies="policies" in terms,
    )
