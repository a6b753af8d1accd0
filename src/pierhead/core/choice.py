"""A choice that is remembered: for a few hours the same person is not asked again to confirm the same call.

For class confirm alone. It holds for one person through the same proven client, program and surface, one tool of one
version under one revision of the policy, one environment, and one pattern of arguments: those that are fixed must be
the very same, those that are free may be any. Pure. Below: `approval_record`. Above: `usecases/remember_choice`,
`ask_approval`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.approval_record import ApprovalRecord, Proposal
from pierhead.core.call import canonical
from pierhead.core.errors import Invalid
from pierhead.core.json import Json

LONGEST_S: Final = 8 * 3600.0
SHORTEST_S: Final = 60.0
REMEMBERED: Final = "remembered"
"""How a decision was made that nobody was asked for again."""
_WITHHELD: Final = b'"[secret]"'


@dataclass(frozen=True, slots=True)
class Choice:
    """One person's yes to calls like this. Times are seconds since 1970-01-01 UTC."""

    id: str
    approval_id: str
    person: str
    issuer: str
    requester: str
    surface: str
    client: str
    server: str
    version: str
    tool: str
    environment: str
    revision: int
    arguments_digest: str
    fixed: Mapping[str, Json] = field(hash=False)
    free: tuple[str, ...]
    created_at: float
    expires_at: float
    ended_at: float | None = None
    client_id: str = ""
    """Of the choices before it was kept nobody knows it, and they cover nothing."""


@dataclass(frozen=True, slots=True)
class ChoiceRemembered:
    """A person need not confirm calls like this one for a while. Part of the closed set in `audit`."""

    choice_id: str
    approval_id: str
    person: str
    server: str
    version: str
    tool: str
    environment: str
    revision: int
    arguments_digest: str
    free: tuple[str, ...]
    how: str
    expires_at: float
    kind: str = "choice-remembered"

    @classmethod
    def of(cls, made: Choice, how: str) -> "ChoiceRemembered":
        return cls(
            choice_id=made.id,
            approval_id=made.approval_id,
            person=made.person,
            server=made.server,
            version=made.version,
            tool=made.tool,
            environment=made.environment,
            revision=made.revision,
            arguments_digest=made.arguments_digest,
            free=made.free,
            how=how,
            expires_at=made.expires_at,
        )


@dataclass(frozen=True, slots=True)
class ChoiceEnded:
    """A choice is forgotten before its time: its person revoked it, or what it was about has changed."""

    choice_id: str
    person: str
    reason: str
    by: str
    kind: str = "choice-ended"


def choice_of(record: ApprovalRecord, choice_id: str, free: tuple[str, ...], now: float, lifetime_s: float) -> Choice:
    """The choice to be remembered of a record that its person confirmed.

    Errors: Invalid (`bad-choice`): another class, too long, a free argument that the call has not, or arguments that
    hold secrets, which cannot be compared one by one.
    """
    asked = record.proposal
    fixed = {name: value for name, value in asked.shown.items() if name not in free}
    wrong = ""
    if asked.approval is not Approval.CONFIRM:
        wrong = "only confirmations are remembered"
    elif asked.foreseen.plan is not None:
        wrong = "every plan is confirmed by itself"
    elif not _is_proven(asked):
        wrong = "nothing proves through which client the call came"
    elif not SHORTEST_S <= lifetime_s <= LONGEST_S:
        wrong = "it lasts between a minute and 8 hours"
    elif set(free) - set(asked.shown):
        wrong = f"the call has no argument {min(set(free) - set(asked.shown))}"[:200]
    elif free and _WITHHELD in canonical(fixed):
        wrong = "what stays fixed holds a secret"
    if wrong:
        raise Invalid(f"this cannot be remembered: {wrong}", hint="change it, or confirm each call", code="bad-choice")
    return Choice(
        id=choice_id,
        approval_id=record.id,
        person=asked.person,
        issuer=asked.issuer,
        requester=asked.requester,
        surface=asked.surface,
        client=asked.client,
        server=asked.server,
        version=asked.version,
        tool=asked.tool,
        environment=asked.environment,
        revision=asked.revision,
        arguments_digest=asked.arguments_digest,
        fixed=fixed,
        free=tuple(sorted(free)),
        created_at=now,
        expires_at=now + lifetime_s,
        client_id=asked.client_id,
    )


def _is_proven(asked: Proposal) -> bool:
    """Whether its token names a client, or a verified workload stands between: both are somebody's proof."""
    return bool(asked.client_id or asked.on_behalf_of)


def is_about(choice: Choice, asked: Proposal) -> bool:
    """Whether it is about that tool for that person there, whatever version and arguments."""
    mine = (choice.issuer, choice.person, choice.requester, choice.surface, choice.client_id)
    theirs = (asked.issuer, asked.person, asked.requester, asked.surface, asked.client_id)
    where = (choice.server, choice.tool, choice.environment) == (asked.server, asked.tool, asked.environment)
    return where and mine == theirs and _is_proven(asked)


def is_outdated(choice: Choice, asked: Proposal) -> bool:
    """Whether version or policy changed since: then it is dropped, and people are asked."""
    return (choice.version, choice.revision) != (asked.version, asked.revision)


def covers(choice: Choice, asked: Proposal, now: float) -> bool:
    """Whether the person need not be asked: everything that the choice pins is the same, and its time is not over."""
    if asked.approval is not Approval.CONFIRM or choice.ended_at is not None or now >= choice.expires_at:
        return False
    return is_about(choice, asked) and not is_outdated(choice, asked) and _fits(choice, asked)


def _fits(choice: Choice, asked: Proposal) -> bool:
    if not choice.free:
        return choice.arguments_digest == asked.arguments_digest
    fixed = canonical({name: value for name, value in asked.shown.items() if name not in choice.free})
    return fixed == canonical(choice.fixed) and _WITHHELD not in fixed
