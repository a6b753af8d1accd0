"""What servers keep with the registry between planning and carrying out.

Part of /internal/v1, behind its key: whoever holds it is a server of ours, and says whose plan it is. A server that
its team runs keeps its own alone (`enrolled`). Below: the port `Plans`. Not here: approving what carries a plan out
(`internal_approvals`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from pierhead.apps.registry.internal import Endpoint, body_read, json_answer, require_own, speaks_for_all
from pierhead.core.errors import NotFound
from pierhead.usecases.plan_forms import kept_to_form, plan_from_form
from pierhead.usecases.ports_plans import KeptPlan, Plans


@dataclass(frozen=True, slots=True)
class InternalPlans:
    """The routes over the plans."""

    plans: Plans

    def routes(self) -> Mapping[str, Endpoint]:
        return {"POST /plans": self.keep, "GET /plans/{id}": self.one, "POST /plans/{id}/use": self.use}

    async def keep(self, request: Request) -> Response:
        plan = plan_from_form(await body_read(request))
        require_own(request, plan.server)
        return json_answer(kept_to_form(await self.plans.keep_plan(plan)))

    async def one(self, request: Request) -> Response:
        return json_answer(kept_to_form(await self._found(request)))

    async def use(self, request: Request) -> Response:
        if not speaks_for_all(request):
            await self._found(request)
        return json_answer({"is_used": await self.plans.use_plan(request.path_params["id"])})

    async def _found(self, request: Request) -> KeptPlan:
        """The plan that is named, if it is one of a server that its sender speaks for. Errors: NotFound; Forbidden."""
        found = await self.plans.plan(request.path_params["id"])
        if found is None:
            raise NotFound("no such plan, or not any more", hint="plan again")
        require_own(request, found.plan.server)
        return found
