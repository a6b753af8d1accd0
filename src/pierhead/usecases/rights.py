"""Who may take which step of a server's life, and who may sign: questions about people, answered in one place.

Pure. An empty answer means yes; anything else is the reason for no, as the person reads it. Above: the use cases that
change the catalogue, and the pages that show what one may do. Not here: who may call a tool (`match_rules`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from pierhead.core.catalog import TRANSITIONS, Stage, Step, Taker, taker
from pierhead.core.errors import Forbidden
from pierhead.core.identity import Caller, User, parties
from pierhead.core.review import Gate, Review, sign_off_of
from pierhead.core.rule import Who
from pierhead.core.scope import ADMIN, WRITE
from pierhead.usecases.check_guest import GuestRules
from pierhead.usecases.ports_catalogue import Entry, Version


@dataclass(frozen=True, slots=True)
class Rights:
    """Which groups hold which right. `reviewers` maps each gate to its group; no group means that nobody can sign.

    `guests` is what a registered server may run and reach.
    """

    registrars: Who
    reviewers: Mapping[Gate, str] = field(hash=False)
    admins: frozenset[str]
    guests: GuestRules


def person_of(caller: Caller) -> str:
    """The person who acts, for the record.

    Errors: Forbidden (`person-needed`), for a program, also one that speaks for a person: people answer for servers.
    """
    if not isinstance(caller.principal, User):
        raise Forbidden(
            "this is for a person to do", hint="sign in yourself; an agent cannot do it for you", code="person-needed"
        )
    return caller.principal.subject


def may_register(caller: Caller, rights: Rights) -> str:
    """Whether the caller may register a server."""
    if any(rights.registrars.admits(caller.principal, party) for party in parties(caller.principal)):
        return ""
    return f"servers are registered by {rights.registrars}"


def is_owner(entry: Entry, caller: Caller, rights: Rights) -> bool:
    """Whether an owner's step is theirs to take: it is theirs, or they administer."""
    return is_theirs(entry, caller) or not rights.admins.isdisjoint(caller.groups)


def is_theirs(entry: Entry, caller: Caller) -> bool:
    """Whether they registered it, or are of the group that owns it."""
    who = caller.person
    return who is not None and (entry.by == who.subject or entry.document.get("owner") in who.groups)


def level_of(entry: Entry, whose: Taker, caller: Caller) -> str:
    """The scope that a token must have for a step of that taker: more, for a server that is not the person's own."""
    return WRITE if whose is Taker.OWNER and is_theirs(entry, caller) else ADMIN


def may_take(entry: Entry, version: Version, step: Step, caller: Caller, rights: Rights) -> str:
    """Whether the caller may take `step` with that version now."""
    if (version.stage, step) not in TRANSITIONS:
        return f"{version.server} {version.version} is {version.stage}: it cannot {step}"
    return not_taker(entry, version.stage, step, caller, rights)


def not_taker(entry: Entry, source: Stage, step: Step, caller: Caller, rights: Rights) -> str:
    """Why the caller is not the one who takes `step` from there; empty if they are."""
    whose = taker(source, step)
    match whose:
        case Taker.OWNER:
            owner = entry.document.get("owner")
            return "" if is_owner(entry, caller, rights) else f"{step} is for its owner, {owner}, or who registered it"
        case Taker.SECURITY:
            groups = {rights.reviewers.get(Gate.SECURITY, ""), *rights.admins} - {""}
            return "" if not groups.isdisjoint(caller.groups) else f"{step} is for {' or '.join(sorted(groups))}"
        case Taker.REVIEWER | Taker.GATE:
            return f"{step} follows from the reviewers' decisions; nobody takes it by hand"
        case _:
            assert_never(whose)


def may_decide(review: Review, gate: Gate, caller: Caller, rights: Rights) -> str:
    """Whether the caller may decide on that gate of that review."""
    if review.closed_at is not None:
        return "this review is closed"
    if gate not in review.required:
        return f"{gate} is not asked here"
    group = rights.reviewers.get(gate, "")
    if not group or group not in caller.groups:
        return f"{gate} is decided by {group or 'nobody: no group is named for it'}"
    return _is_party(review, caller) or _holds_another(review, gate, caller)


def _is_party(review: Review, caller: Caller) -> str:
    """Nobody reviews their own server: not who submitted it, not who registered it, not the group that owns it."""
    who = caller.person
    if who is None or not isinstance(caller.principal, User):
        return "reviews are decided by people, in person"
    if who.subject in {review.submitted_by, review.registered_by}:
        return "you submitted or registered this server: somebody else must review it"
    return f"{review.owner} owns this server, and you are one of them" if review.owner in who.groups else ""


def _holds_another(review: Review, gate: Gate, caller: Caller) -> str:
    for other in review.required - {gate}:
        made = sign_off_of(review, other)
        if made is not None and made.by == caller.name:
            return f"you decided {other} already: nobody holds two gates of one review"
    return ""


def require(why_not: str, hint: str = "see who may on the server's page") -> None:
    """Errors: Forbidden (`not-yours`), if there is a reason against it."""
    if why_not:
        raise Forbidden(why_not, hint=hint, code="not-yours")
