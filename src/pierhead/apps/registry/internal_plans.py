"""What servers keep with the registry between planning and carrying out.

Part of /internal/v1, behind its key: whoever holds it is a server of ours, and says whose plan it is. Below: the port
`Plans`. Not here: approving what carries a plan out (`internal_approvals`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from pierhead.apps.registry.internal import Endpoint, body_read, json_answer
from pierhead.core.errors import NotFound
from pierhead.usecases.plan_forms import kept_to_form, plan_from_form
from pierhead.usecases.ports_plans import Plans


@dataclass(frozen=True, slots=True)
class InternalPlans:
    """The routes over the plans."""

    plans: Plans

    def routes(self) -> Mapping[str, Endpoint]:
        return {"POST /plans": self.keep, "GET /plans/{id}": self.one, "POST /plans/{id}/use": self.use}

    async def keep(self, request: Request) -> Response:
        return json_answer(kept_to_form(await self.plans.keep_plan(plan_from_form(await body_read(request)))))

    async def one(self, request: Request) -> Response:
        found = await self.plans.plan(request.path_params["id"])
        if found is None:
            raise NotFound("no such plan, or not any more", hint="plan again")
        return json_answer(kept_to_form(found))

    async def use(self, request: Request) -> Response:
        return json_answer({"is_used": await self.plans.use_plan(request.path_params["id"])})
