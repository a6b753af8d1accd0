"""The closed set of facts, in the past tense, and the hash chain they hang on.

Field names are the wire format of journal and export: add, never rename. Not here: writing them, showing them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from pierhead.core.absence import AbsenceDeclared, AbsenceEnded
from pierhead.core.audit_approvals import ApprovalFact
from pierhead.core.audit_enrolment import EnrolmentFact
from pierhead.core.audit_people import PeopleFact
from pierhead.core.audit_policy import PolicyFact
from pierhead.core.audit_reviews import ReviewFact
from pierhead.core.audit_sign_in import SignInFailed, SignInSucceeded, TokenIssued, TokenRevoked
from pierhead.core.break_glass import GlassBroken
from pierhead.core.browser import BrowserAdded, BrowserEnded
from pierhead.core.call import Call, Request
from pierhead.core.choice import ChoiceEnded, ChoiceRemembered
from pierhead.core.consent import ConsentEnded, ConsentGiven, ConsentReused
from pierhead.core.identity import Caller, Principal, label, person, workload
from pierhead.core.json import Json
from pierhead.core.policy import Match, Permit, inputs_digest

GENESIS: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Actor:
    """Who, through what, where: one member, so that every fact names it alike."""

    principal: str
    person: str
    workload: str
    groups: tuple[str, ...]
    surface: str
    environment: str
    channel: str = ""

    @classmethod
    def of(cls, caller: Caller) -> "Actor":
        return _actor(caller.principal, caller.surface, caller.environment, caller.channel)


@lru_cache(maxsize=4096)
def _actor(principal: Principal, surface: str, environment: str, channel: str) -> Actor:
    """Kept, since the same people call again; no claim is told of, so equal principals are told alike."""
    who, program = person(principal), workload(principal)
    return Actor(
        principal=label(principal),
        person=who.subject if who else "",
        workload=program.spiffe_id if program else "",
        groups=tuple(sorted(who.groups)) if who else (),
        surface=surface,
        environment=environment,
        channel=channel,
    )


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that took part in a decision."""

    effect: str
    question: str
    rule: str
    sentence: str

    @classmethod
    def of(cls, match: Match) -> "Reason":
        return cls(str(match.effect), str(match.question), match.rule, match.sentence)


@lru_cache(maxsize=4096)
def _reason(match: Match) -> Reason:
    """Kept: most calls are permitted by the same few rules."""
    return Reason.of(match)


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The intent: on disk before the effect. `minutes` is the most likely figure of the declaration in force, and
    `approval` the one spent for it.
    """

    call_id: str
    actor: Actor
    server: str
    version: str
    tool: str
    effect: str
    era: str
    client: str
    arguments_digest: str
    arguments_size: int
    arguments: Json
    revision: int
    reasons: tuple[Reason, ...]
    minutes: float
    inputs: str = ""
    """SHA-256 of all that the decision read (`policy.inputs_digest`)."""
    approval: str = ""
    minutes_low: float = 0.0
    minutes_high: float = 0.0
    minutes_method: str = ""
    minutes_stated_at: float = 0.0
    """When the estimate was handed in, in seconds since 1970-01-01 UTC; zero where nobody knows."""
    kind: str = "call-started"

    @classmethod
    def of(cls, permit: Permit, arguments: Json) -> "CallStarted":
        """The intent of `permit`; `arguments` are redacted already (see `redaction`)."""
        request, minutes = permit.request, permit.request.tool.minutes
        return cls(
            call_id=request.call.id,
            actor=Actor.of(request.caller),
            server=request.server.name,
            version=request.server.version,
            tool=request.tool.name,
            effect=str(request.tool.effect),
            era=request.call.era,
            client=request.call.client,
            arguments_digest=request.call.arguments.digest,
            arguments_size=request.call.arguments.size,
            arguments=arguments,
            revision=request.revision,
            reasons=tuple([_reason(match) for match in permit.reasons]),
            minutes=minutes.mode,
            inputs=inputs_digest(request),
            approval=permit.approval,
            minutes_low=minutes.low,
            minutes_high=minutes.high,
            minutes_method=minutes.method,
            minutes_stated_at=minutes.stated_at,
        )


@dataclass(frozen=True, slots=True)
class CallFinished:
    """How it ended: ok, tool_error, timeout, upstream_error, cancelled, or relayed (the gateway cannot know).

    `details` are what the server noted of it, cut to what a record keeps (see `redaction.kept_details`).
    """

    call_id: str
    outcome: str
    error: str
    bytes_out: int
    duration_ms: float
    details: Mapping[str, Json] = field(default_factory=dict[str, Json], hash=False)
    kind: str = "call-finished"


@dataclass(frozen=True, slots=True)
class CallRefused:
    """Nothing ran: refused, not found, invalid, or waiting for an approval."""

    call_id: str
    actor: Actor
    server: str
    tool: str
    era: str
    client: str
    arguments_digest: str
    code: str
    message: str
    reasons: tuple[Reason, ...]
    revision: int = 0
    inputs: str = ""
    """As of an intent; empty, with revision 0, where the call named nothing that could be decided on."""
    kind: str = "call-refused"

    @classmethod
    def of(
        cls,
        call: Call,
        caller: Caller,
        code: str,
        message: str,
        reasons: tuple[Match, ...],
        decided: Request | None = None,
    ) -> "CallRefused":
        """`decided` is what was decided on, if it came to that."""
        return cls(
            call_id=call.id,
            actor=Actor.of(caller),
            server=call.server,
            tool=call.tool,
            era=call.era,
            client=call.client,
            arguments_digest=call.arguments.digest,
            code=code,
            message=message,
            reasons=tuple(Reason.of(match) for match in reasons),
            revision=decided.revision if decided else 0,
            inputs=inputs_digest(decided) if decided else "",
        )


@dataclass(frozen=True, slots=True)
class CallLost:
    """An intent without an outcome, found at restart: reported, never repeated."""

    call_id: str
    kind: str = "call-lost"


@dataclass(frozen=True, slots=True)
class ServerPublished:
    """A version's manifest was taken into the registry."""

    server: str
    version: str
    stage: str
    tools_digest: str
    by: str
    kind: str = "server-published"


@dataclass(frozen=True, slots=True)
class ServerStateChanged:
    """A server's process came up, went down or waits to be restarted."""

    server: str
    state: str
    reason: str
    kind: str = "server-state-changed"


@dataclass(frozen=True, slots=True)
class ServerHealthChanged:
    """A server is in another condition than before; one that flaps changes into `flapping`, and out of it, once."""

    server: str
    version: str
    source: str
    target: str
    reason: str
    kind: str = "server-health-changed"


@dataclass(frozen=True, slots=True)
class ServerMoved:
    """A version took a step of its life; `step` is `register` where it began."""

    server: str
    version: str
    step: str
    source: str
    target: str
    by: str
    reason: str
    kind: str = "server-moved"


@dataclass(frozen=True, slots=True)
class DefinitionsDrifted:
    """A live server's tools differ from the signed ones: these are withheld until decided."""

    server: str
    version: str
    live_digest: str
    withheld: tuple[str, ...]
    change: str
    kind: str = "definitions-drifted"


@dataclass(frozen=True, slots=True)
class EntryChanged:
    """What is declared of a server was changed: owner, support, access, risk, address. Members by name, no values."""

    server: str
    members: tuple[str, ...]
    by: str
    kind: str = "entry-changed"


Fact = (
    CallStarted
    | CallFinished
    | CallRefused
    | CallLost
    | ServerPublished
    | ServerStateChanged
    | ServerHealthChanged
    | ServerMoved
    | DefinitionsDrifted
    | EntryChanged
    | ReviewFact
    | PolicyFact
    | ApprovalFact
    | SignInSucceeded
    | SignInFailed
    | TokenIssued
    | TokenRevoked
    | PeopleFact
    | GlassBroken
    | AbsenceDeclared
    | AbsenceEnded
    | ChoiceRemembered
    | ChoiceEnded
    | ConsentGiven
    | ConsentReused
    | ConsentEnded
    | BrowserAdded
    | BrowserEnded
    | EnrolmentFact
)


def chain(previous: str, sequence: int, time_ms: int, payload: bytes) -> str:
    """The hash of one record: over its predecessor's hash, its place, its time and its exact bytes.

    Shapes: `previous` and the result are 64 lower-case hex digits; GENESIS starts a chain.
    Units: `time_ms` milliseconds since 1970-01-01 UTC.
    Source: docs/explanation/audit.md, "The chain".
    """
    return hashlib.sha256(b"%b|%d|%d|%b" % (previous.encode(), sequence, time_ms, payload)).hexdigest()
