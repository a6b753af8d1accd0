"""The facts of policy: a revision published, a change refused. Part of the closed set in `audit`.

Field names are the wire format: add, never rename. Not here: the fact of a decision (`audit`).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyPublished:
    revision: int
    digest: str
    by: str
    kind: str = "policy-published"


@dataclass(frozen=True, slots=True)
class PolicyRefused:
    """What was to be in force cannot be, and why; `revision` is the one that stays."""

    revision: int
    code: str
    message: str
    by: str
    kind: str = "policy-refused"


PolicyFact = PolicyPublished | PolicyRefused
