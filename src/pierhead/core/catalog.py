"""What is registered: servers, tools, effects, and the one table of a server's life.

Above: snapshots carry these values; pages and APIs show them. Not here: who may use them (`reach`, `policy`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.bounds import UNBOUNDED, Bounds
from pierhead.core.data_role import DataRole
from pierhead.core.rule import Who
from pierhead.core.usage import Minutes


class Effect(StrEnum):
    """What a tool may do. Hints to clients derive from it; enforcement never reads a hint."""

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"


class Stage(StrEnum):
    """Where a version stands in its life."""

    REGISTERED = "registered"
    IN_REVIEW = "in-review"
    APPROVED = "approved"
    REJECTED = "rejected"
    DEPLOYED = "deployed"
    SUSPENDED = "suspended"
    QUARANTINED = "quarantined"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


class Step(StrEnum):
    """What moves a version from stage to stage."""

    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    REJECT = "reject"
    APPROVE = "approve"
    DEPLOY = "deploy"
    SUSPEND = "suspend"
    RESUME = "resume"
    DEPRECATE = "deprecate"
    QUARANTINE = "quarantine"
    RETIRE = "retire"


class Taker(StrEnum):
    """Who may take a step. A platform admin may take an owner's; nobody takes the gate's by hand."""

    OWNER = "owner"
    REVIEWER = "reviewer"
    GATE = "gate"
    SECURITY = "security"


#: Source: ARCHITECTURE.md, "A server's life". To resume what security quarantined is security's too (`taker`).
_TAKERS: Final[Mapping[Step, Taker]] = {
    Step.SUBMIT: Taker.OWNER,
    Step.WITHDRAW: Taker.OWNER,
    Step.REJECT: Taker.REVIEWER,
    Step.APPROVE: Taker.GATE,
    Step.DEPLOY: Taker.OWNER,
    Step.SUSPEND: Taker.OWNER,
    Step.RESUME: Taker.OWNER,
    Step.DEPRECATE: Taker.OWNER,
    Step.QUARANTINE: Taker.SECURITY,
    Step.RETIRE: Taker.OWNER,
}


def taker(source: Stage, step: Step) -> Taker:
    """Who may take `step` from `source`; whether it can be taken at all is TRANSITIONS' to say."""
    return Taker.SECURITY if source is Stage.QUARANTINED and step is not Step.RETIRE else _TAKERS[step]


_RETIRABLE: Final = set(Stage) - {Stage.IN_REVIEW, Stage.DEPLOYED, Stage.RETIRED}

#: What is not in this table cannot happen. Source: ARCHITECTURE.md, "A server's life".
TRANSITIONS: Final[Mapping[tuple[Stage, Step], Stage]] = {
    (Stage.REGISTERED, Step.SUBMIT): Stage.IN_REVIEW,
    (Stage.REJECTED, Step.SUBMIT): Stage.IN_REVIEW,
    (Stage.IN_REVIEW, Step.WITHDRAW): Stage.REGISTERED,
    (Stage.IN_REVIEW, Step.REJECT): Stage.REJECTED,
    (Stage.IN_REVIEW, Step.APPROVE): Stage.APPROVED,
    (Stage.APPROVED, Step.DEPLOY): Stage.DEPLOYED,
    (Stage.DEPLOYED, Step.SUSPEND): Stage.SUSPENDED,
    (Stage.DEPRECATED, Step.SUSPEND): Stage.SUSPENDED,
    (Stage.SUSPENDED, Step.RESUME): Stage.DEPLOYED,
    (Stage.DEPLOYED, Step.DEPRECATE): Stage.DEPRECATED,
    (Stage.SUSPENDED, Step.DEPRECATE): Stage.DEPRECATED,
    (Stage.DEPLOYED, Step.QUARANTINE): Stage.QUARANTINED,
    (Stage.DEPRECATED, Step.QUARANTINE): Stage.QUARANTINED,
    (Stage.SUSPENDED, Step.QUARANTINE): Stage.QUARANTINED,
    (Stage.QUARANTINED, Step.RESUME): Stage.DEPLOYED,
    (Stage.QUARANTINED, Step.DEPRECATE): Stage.DEPRECATED,
    **{(stage, Step.RETIRE): Stage.RETIRED for stage in _RETIRABLE},
}

CALLABLE: Final = frozenset({Stage.DEPLOYED, Stage.DEPRECATED})


class Discovery(StrEnum):
    """Who learns that a server exists: everybody who is signed in, or those alone who may reach it."""

    OPEN = "open"
    GATED = "gated"


class DataClass(StrEnum):
    """How bad it is if what a server holds gets out, in rising order."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"

    @property
    def rank(self) -> int:
        return list(DataClass).index(self)


@dataclass(frozen=True, slots=True)
class Risk:
    """What reviewers weigh, as the owner declares it. `egress` are hosts outside that a server sends data to.

    `is_autonomous`: callers without a person may use it. `has_untrusted_results`: its answers hold text of strangers.
    """

    data_class: DataClass
    has_personal_data: bool
    egress: tuple[str, ...]
    is_autonomous: bool
    has_untrusted_results: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool as declared, and as the fleet narrowed it.

    `policy` is who the code admits; `narrowed` who of them the fleet file still admits.
    `input_schema` and `output_schema` are JSON Schema 2020-12 objects, as `tools/list` shows them.
    """

    name: str
    description: str
    policy: Who
    effect: Effect
    approval: Approval
    minutes: Minutes
    input_schema: Mapping[str, object] = field(hash=False)
    output_schema: Mapping[str, object] = field(hash=False)
    narrowed: Who | None = None
    timeout_s: float = 30.0
    idempotent: bool = False
    title: str = ""
    withheld: str = ""
    """Why nobody may see or call it for now: its live definition is not the signed one. Empty: it may be used."""
    bounds: Bounds = UNBOUNDED
    """What its code demands of channel and arguments."""
    narrowed_bounds: Bounds = UNBOUNDED
    """What the fleet demands of them besides."""
    rules: tuple[ApprovalRule, ...] = ()
    """What the reviewed entry of its server says of who must agree; never what its process says."""
    examples: tuple[Mapping[str, object], ...] = field(default=(), hash=False)
    """Arguments that its input schema takes, for readers and for tests; clients are not sent them."""
    drafts: bool = False
    """It writes drafts, which count for nothing until a person confirms them: a workload alone may write those."""


@dataclass(frozen=True, slots=True)
class Server:
    """One version of one server, as the registry knows it."""

    name: str
    version: str
    kind: str
    stage: Stage
    owner: str
    support: str
    description: str
    upstream: str
    """Where its process listens, as an http URL; empty while it never published one."""
    tools: Mapping[str, Tool] = field(hash=False)
    title: str = ""
    data_class: DataClass = DataClass.RESTRICTED
    notice: str = ""
    """What clients see of a deprecation: message, successor and date in one sentence."""
    instructions: str = ""
    """What was signed of how to use it; a process that says something else is not listened to."""
    discovery: Discovery = Discovery.OPEN
    """To know of a server is no right: who may reach it is never a matter of this."""
    key: str = ""
    """The id of the key that its own process holds (`server_key`); empty for a process of the platform."""
    running: str = ""
    """What the process that would run its calls says it is: version and definitions. Known in that process alone."""
    on_call: str = ""
    """Who answers for it at night, as its owner wrote it."""
    roles: tuple[DataRole, ...] | None = None
    """Of a data server: who may do what with its tables. None: its tools are for all whom its policy admits."""

    @property
    def is_callable(self) -> bool:
        return self.stage in CALLABLE

    @property
    def whom_to_ask(self) -> str:
        """The end of every refusal: who can change this."""
        return f"ask {self.owner} in {self.support}"
