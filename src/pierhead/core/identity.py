"""Who asks: a principal is a type, never `None`.

Identity comes from a verified token, SVID or assertion (`adapters/`), never from a header or an argument.
Above: `policy` and `reach` read it. Not here: how it was proved.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, assert_never

from pierhead.core.claims import Claims, ClaimValue


class Party(StrEnum):
    """The two kinds of principal that must each be permitted."""

    PERSON = "person"
    WORKLOAD = "workload"


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody proved anything. Calls no tool."""


@dataclass(frozen=True, slots=True)
class User:
    """A person: (issuer, subject) is the identity, `groups` and `claims` what the issuer vouches for."""

    issuer: str
    subject: str
    groups: frozenset[str]
    claims: Claims = ()

    def claim(self, name: str) -> ClaimValue | None:
        """The value of a claim, or of `subject` or `groups`, which everyone has; None where nobody stated it."""
        if name == "subject":
            return self.subject
        if name == "groups":
            return tuple(sorted(self.groups))
        return next((value for known, value in self.claims if known == name), None)


@dataclass(frozen=True, slots=True)
class Workload:
    """A program: its SPIFFE ID. Alone it may only read, and write drafts."""

    spiffe_id: str


@dataclass(frozen=True, slots=True)
class Both:
    """A person through a verified workload: allowed only what both are."""

    user: User
    workload: Workload


Principal = Anonymous | User | Workload | Both

ANONYMOUS: Final = Anonymous()


def person(principal: Principal) -> User | None:
    """The person in `principal`, if there is one."""
    match principal:
        case User():
            return principal
        case Both():
            return principal.user
        case _:
            return None


def workload(principal: Principal) -> Workload | None:
    """The workload in `principal`, if there is one."""
    match principal:
        case Workload():
            return principal
        case Both():
            return principal.workload
        case _:
            return None


def parties(principal: Principal) -> tuple[Party, ...]:
    """Whose permission is needed: for `Both`, that of each (the intersection)."""
    match principal:
        case Anonymous():
            return ()
        case User():
            return (Party.PERSON,)
        case Workload():
            return (Party.WORKLOAD,)
        case Both():
            return (Party.PERSON, Party.WORKLOAD)
        case _:
            assert_never(principal)


def label(principal: Principal) -> str:
    """How a page or a fact names the principal."""
    match principal:
        case Anonymous():
            return "anonymous"
        case User():
            return principal.subject
        case Workload():
            return principal.spiffe_id
        case Both():
            return f"{principal.user.subject} via {principal.workload.spiffe_id}"
        case _:
            assert_never(principal)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, through what, where. Never carries a token.

    `surface` (ide, chat, channel, agent) and `environment` come from the registration and the listener,
    never from the request; `correlation_id` ties the facts of one call together. `channel` is told by an attested
    chat surface and by nobody else; empty is no channel, which opens nothing. `scopes` are those of the token they
    came with, and hold it back (`core/scope`); none is the least: who needs no token says so, with `WHOLE`.
    `interactive` says that a person sits before the surface and answers in their own name: the operator registered it
    so, and it was proven. `proved_at` is when the person proved who they are, in seconds since 1970-01-01 UTC; 0,
    which is never recent, where nobody knows. `client` is the client that their token was issued to, as its issuer
    says; what a client calls itself is another thing, and proves nothing.
    """

    principal: Principal
    surface: str
    environment: str
    correlation_id: str = field(compare=False)
    channel: str = ""
    scopes: frozenset[str] = field(default=frozenset(), compare=False)
    interactive: bool = False
    proved_at: float = field(default=0.0, compare=False)
    client: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        return label(self.principal)

    @property
    def person(self) -> User | None:
        return person(self.principal)

    @property
    def workload(self) -> Workload | None:
        return workload(self.principal)

    @property
    def groups(self) -> frozenset[str]:
        """The groups of the person, or none."""
        who = self.person
        return who.groups if who else frozenset()
