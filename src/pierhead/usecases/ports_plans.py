"""Where plans are kept between planning and carrying out: with the registry, so that any process of a server finds
them.

Filled by `adapters/db`, by `adapters/remote` for servers, and by `memory_plans`. A plan is kept as what it was made
from and its digest: what it would change is worked out anew each time (`sdk/plan`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from pierhead.core.errors import LimitExceeded
from pierhead.core.json import Json

PLAN_LIFETIME_S: Final = 1800.0
MOST_PLANS: Final = 100
"""That one person may have at a server at once: who plans in a loop fills no disk."""


@dataclass(frozen=True, slots=True)
class NewPlan:
    """What is planned. `tool` is the one that planned, `owner` the digest of whoever did, and where."""

    server: str
    tool: str
    owner: str
    arguments: Mapping[str, Json] = field(hash=False)
    digest: str


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan under its id. `expires_at` in seconds since 1970-01-01 UTC, by the keeper's clock."""

    id: str
    plan: NewPlan
    expires_at: float
    is_used: bool = False


class Plans(Protocol):
    """Plans that have not expired."""

    async def keep_plan(self, plan: NewPlan) -> KeptPlan:
        """Errors: LimitExceeded (`too-many-plans`); UpstreamUnreachable."""
        ...

    async def plan(self, plan_id: str) -> KeptPlan | None:
        """None where there is none, or none any more. Errors: UpstreamUnreachable."""
        ...

    async def use_plan(self, plan_id: str) -> bool:
        """Mark it as carried out; of many who try, one is told so. Errors: UpstreamUnreachable."""
        ...


def too_many_plans() -> LimitExceeded:
    return LimitExceeded(
        f"{MOST_PLANS} plans of yours wait already",
        hint="carry one out, or wait for half an hour",
        code="too-many-plans",
    )
