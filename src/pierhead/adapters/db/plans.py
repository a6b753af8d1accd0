"""Plans between planning and carrying out: a row each, until half an hour is over.

Fills `ports_plans.Plans`. The database's own clock is the only one. Not here: what a plan would change (`sdk/plan`).
"""

from dataclasses import dataclass
from typing import Final

import orjson
from sqlalchemy import RowMapping, and_, func, select

from pierhead.adapters.db.clock import now_of
from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.schema import PLANS
from pierhead.usecases.ports import Ids
from pierhead.usecases.ports_plans import MOST_PLANS, PLAN_LIFETIME_S, KeptPlan, NewPlan, too_many_plans

_KEPT_AFTER_S: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class DatabasePlans:
    """Keeps them. `ids` are random: an id must not be guessed."""

    database: Database
    ids: Ids

    async def keep_plan(self, plan: NewPlan) -> KeptPlan:
        async with self.database.writing() as connection:
            now = await now_of(connection)
            await connection.execute(PLANS.delete().where(PLANS.c.expires_at < now - _KEPT_AFTER_S))
            mine = and_(PLANS.c.owner == plan.owner, PLANS.c.server == plan.server, PLANS.c.expires_at > now)
            count = (await connection.execute(select(func.count()).select_from(PLANS).where(mine))).scalar_one()
            if count >= MOST_PLANS:
                raise too_many_plans()
            kept = KeptPlan(self.ids.new(), plan, now + PLAN_LIFETIME_S)
            await connection.execute(PLANS.insert().values(_row(kept)))
        return kept

    async def plan(self, plan_id: str) -> KeptPlan | None:
        async with self.database.reading() as connection:
            now = await now_of(connection)
            found = select(PLANS).where(PLANS.c.id == plan_id, PLANS.c.expires_at > now)
            row = (await connection.execute(found)).mappings().one_or_none()
        return _kept(row) if row else None

    async def use_plan(self, plan_id: str) -> bool:
        async with self.database.writing() as connection:
            now = await now_of(connection)
            is_free = and_(PLANS.c.id == plan_id, PLANS.c.used_at.is_(None), PLANS.c.expires_at > now)
            used = await connection.execute(PLANS.update().where(is_free).values(used_at=now))
        return used.rowcount == 1


def _row(kept: KeptPlan) -> dict[str, object]:
    plan = kept.plan
    return {
        "id": kept.id,
        "server": plan.server,
        "tool": plan.tool,
        "owner": plan.owner,
        "arguments": orjson.dumps(plan.arguments).decode(),
        "digest": plan.digest,
        "expires_at": kept.expires_at,
        "used_at": None,
    }


def _kept(row: RowMapping) -> KeptPlan:
    plan = NewPlan(row["server"], row["tool"], row["owner"], orjson.loads(row["arguments"]), row["digest"])
    return KeptPlan(row["id"], plan, row["expires_at"], is_used=row["used_at"] is not None)
