"""Plans in a dict: for tests of use cases, and for an author's tests through `pierhead.testing`."""

from dataclasses import dataclass, field, replace

from pierhead.usecases.memory import MemoryIds
from pierhead.usecases.ports import Clock, Ids
from pierhead.usecases.ports_plans import MOST_PLANS, PLAN_LIFETIME_S, KeptPlan, NewPlan, too_many_plans


@dataclass(slots=True)
class MemoryPlans:
    """Fills `Plans`."""

    clock: Clock
    ids: Ids = field(default_factory=MemoryIds)
    kept: dict[str, KeptPlan] = field(default_factory=dict[str, KeptPlan])

    async def keep_plan(self, plan: NewPlan) -> KeptPlan:
        now = self.clock.now()
        key = (plan.owner, plan.server)
        mine = [one for one in self.kept.values() if (one.plan.owner, one.plan.server) == key and one.expires_at > now]
        if len(mine) >= MOST_PLANS:
            raise too_many_plans()
        kept = KeptPlan(self.ids.new(), plan, now + PLAN_LIFETIME_S)
        self.kept[kept.id] = kept
        return kept

    async def plan(self, plan_id: str) -> KeptPlan | None:
        found = self.kept.get(plan_id)
        return found if found is not None and found.expires_at > self.clock.now() else None

    async def use_plan(self, plan_id: str) -> bool:
        found = await self.plan(plan_id)
        if found is None or found.is_used:
            return False
        self.kept[plan_id] = replace(found, is_used=True)
        return True
