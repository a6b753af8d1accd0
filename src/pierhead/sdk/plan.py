"""Plan, approve, execute: a read-only tool says what would change, another one changes exactly that.

    @server.plan(policy="group:data-eng", minutes_saved=4)
    async def plan_purge(before: str) -> Plan[Booking]:
        return Plan(f"delete {len(found)} bookings from before {before}", found)

    @server.tool(policy="group:data-eng", effect="destructive", minutes_saved=9, plan=plan_purge)
    async def purge(plan: Plan[Booking]) -> Purged: ...

Clients see `plan_purge(before)` and `purge(plan_id, reason)`. What a plan holds is never taken from where it is kept:
it is worked out anew when people are asked, when they have agreed, and once more right before the body runs; if it is
not what it was, nothing runs. Below: `tool` (binding), the port `Plans`. Not here: asking people (`call_tool`).
"""

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, TypeVar, cast, get_args, get_origin

import anyio
import anyio.to_thread
import orjson
from pydantic import BaseModel, Field, GetJsonSchemaHandler, SerializeAsAny
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, to_jsonable_python

from pierhead.core.call import canonical, digest
from pierhead.core.errors import Conflict, Invalid, Misconfigured, PierheadError, Refused, UpstreamUnreachable
from pierhead.core.foreseen import FIRST_ITEMS, Foreseen, Planned
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.sdk.envelope import Envelope
from pierhead.sdk.tool import CALLER, Body, BoundTool, taught, without_caller
from pierhead.usecases.ports_plans import KeptPlan, NewPlan, Plans

Item = TypeVar("Item")
_ROOM: Final = 16 * 1024
"""In bytes of JSON: what people are shown of the items of one plan."""
_LONGEST_SUMMARY: Final = 300
_LONGEST_REASON: Final = 500
_LONGEST_ID: Final = 64
_RESERVED: Final = frozenset({"plan", "plan_id"})


@dataclass(frozen=True, slots=True)
class Plan(Generic[Item]):
    """What would change, and nothing else: the body that gets it changes exactly this.

    `summary` reads on after "pierhead will": "delete 12 bookings from before 2013-02-01". `items` are what changes, one
    each; where there are too many to list, `count` says how many there are, and `state` is a digest of them all. `undo`
    says how to take it back, `cost` what it takes; `evidence` are links to look at. `arguments` are those it was made
    with: Pierhead fills them in.
    """

    summary: str
    items: Sequence[Item]
    undo: str = ""
    cost: str = ""
    evidence: Sequence[str] = ()
    count: int | None = None
    state: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


class PlanTold(BaseModel, Generic[Item]):
    """What a plan tool tells of its plan; `items` are the first ones."""

    plan_id: str
    plan_digest: str
    count: int
    items: list[SerializeAsAny[Item]]
    expires_at: str


class PlanMade(Envelope[PlanTold[Item]], Generic[Item]):
    """What a plan tool answers: the one envelope, and beside it what to call next with which plan."""

    plan_id: str
    next: str

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        told = super().__get_pydantic_json_schema__(schema, handler)
        properties = {**told["properties"], "plan_id": {"type": "string"}, "next": {"type": "string"}}
        return {**told, "properties": properties, "required": [*told["required"], "plan_id", "next"]}


@dataclass(slots=True)
class Planning:
    """One plan tool: works plans out, has them kept, and finds them again for the tool that carries them out."""

    server: str
    work_out: Body
    keeper: Callable[[], Plans]
    bound: BoundTool = field(init=False)
    carried_out_by: str = field(default="", init=False)

    async def make(self, values: Mapping[str, object]) -> PlanMade[Any]:
        """The body of the plan tool. Errors: whatever the author's function raises; those of `Plans.keep_plan`."""
        plan = await self._worked_out(values)
        named = cast("dict[str, Any]", dict(values))
        arguments = self.bound.model.model_construct(None, **named).model_dump(mode="json", by_alias=True)
        told = _told(plan)
        new = NewPlan(self.server, self.bound.name, _owner(CALLER.get()), arguments, told.digest)
        kept = await self.keeper().keep_plan(new)
        data = PlanTold[Any](
            plan_id=kept.id,
            plan_digest=told.digest,
            count=told.count,
            items=list(plan.items[: len(told.first)]),
            expires_at=datetime.fromtimestamp(kept.expires_at, UTC).isoformat(timespec="seconds"),
        )
        return PlanMade[Any](summary=plan.summary, data=data, plan_id=kept.id, next=self._next())

    def _next(self) -> str:
        if not self.carried_out_by:
            return "no tool here carries it out: it says what would change, and nothing else"
        return f"to carry it out: {self.carried_out_by} with this plan_id"

    async def foresee(self, arguments: Mapping[str, Json], caller: Caller) -> Foreseen:
        """What the plan that `arguments` name would change now.

        Errors: Invalid (`no-such-plan`, `plan-used`), Conflict (`plan-failed`), Refused (`plans-away`).
        """
        kept = await self._kept(str(arguments["plan_id"]), caller)
        plan = await self._again(kept, caller)
        told = _told(plan)
        planned = Planned(
            id=kept.id,
            made_by=self.bound.name,
            arguments=kept.plan.arguments,
            digest=told.digest,
            count=told.count,
            first=told.first,
            expires_at=kept.expires_at,
            is_changed=told.digest != kept.plan.digest,
        )
        return Foreseen(plan.summary, plan.undo, plan.cost, tuple(plan.evidence), planned)

    async def use(self, plan_id: str) -> Plan[Any]:
        """The plan, for the one body that carries it out. Errors: as `foresee`; Conflict (`plan-changed`)."""
        kept = await self._kept(plan_id, CALLER.get())
        plan = await self._again(kept, CALLER.get())
        if _told(plan).digest != kept.plan.digest:
            message = "what this would change is no longer what was planned; nothing was executed"
            raise Conflict(message, hint=f"plan again: {self.bound.name}", code="plan-changed")
        if not await self.keeper().use_plan(plan_id):
            raise self._used()
        return plan

    async def _kept(self, plan_id: str, caller: Caller) -> KeptPlan:
        """One text for absent, expired and another's."""
        try:
            kept = await self.keeper().plan(plan_id)
        except UpstreamUnreachable as away:
            message = "the registry, which keeps the plans, is away; nothing was executed"
            raise Refused(message, hint="call again when it is back", code="plans-away") from away
        mine = (self.server, self.bound.name, _owner(caller))
        if kept is None or (kept.plan.server, kept.plan.tool, kept.plan.owner) != mine:
            message = "no such plan, or it has expired, or it is not yours"
            raise Invalid(message, hint=f"plan again: {self.bound.name}", code="no-such-plan")
        if kept.is_used:
            raise self._used()
        return kept

    async def _again(self, kept: KeptPlan, caller: Caller) -> Plan[Any]:
        """The plan as it is now, from the arguments it was made from."""
        token = CALLER.set(caller)
        try:
            values = self.bound.parse(orjson.dumps(kept.plan.arguments)).values
            with anyio.fail_after(self.bound.declaration.timeout_s):
                return await self._worked_out(values)
        except Exception as raised:
            told = "it takes too long" if isinstance(raised, TimeoutError) else taught(self.bound.name, raised).message
            message = f"the plan cannot be worked out again: {told}; nothing was executed"
            raise Conflict(message, hint=f"plan again: {self.bound.name}", code="plan-failed") from raised
        finally:
            CALLER.reset(token)

    async def _worked_out(self, values: Mapping[str, object]) -> Plan[Any]:
        plan = await self.work_out(**values)
        if not isinstance(plan, Plan):
            raise Misconfigured(f"{self.bound.name} gave no Plan", hint="return Plan(...)", code="bad-declaration")
        return replace(cast("Plan[Any]", plan), arguments=values)

    def _used(self) -> Conflict:
        message = "this plan was carried out already"
        return Conflict(message, hint=f"to change more, plan again: {self.bound.name}", code="plan-used")


@dataclass(frozen=True, slots=True)
class _Told:
    """A plan in numbers: what pins it, and what people are shown of it."""

    digest: str
    count: int
    first: tuple[Json, ...]


def _told(plan: Plan[Any]) -> _Told:
    """Errors: Invalid (`not-canonical`); Misconfigured (`bad-plan`)."""
    items = cast("list[Json]", to_jsonable_python(list(plan.items)))
    count = len(items) if plan.count is None else plan.count
    if count < len(items) or (count > len(items) and not plan.state):
        message = "a plan lists what it would change, or says how much and gives a digest of it all"
        raise Misconfigured(message, hint="give items, or items, count and state", code="bad-plan")
    if not plan.summary or len(plan.summary) > _LONGEST_SUMMARY:
        message = f"a plan's summary has 1 to {_LONGEST_SUMMARY} characters"
        raise Misconfigured(message, hint="say what would change in one line", code="bad-plan")
    return _Told(digest([plan.summary, items, count, plan.state]), count, _first(items))


def _first(items: Sequence[Json]) -> tuple[Json, ...]:
    """As many as people read, and as there is room for."""
    room, kept = _ROOM, list[Json]()
    for item in items[:FIRST_ITEMS]:
        room -= len(canonical(item))
        if room < 0:
            break
        kept.append(item)
    return tuple(kept)


def _owner(caller: Caller) -> str:
    """Who plans, and where: a plan is of use to nobody else, and nowhere else."""
    who, program = caller.person, caller.workload
    return digest(
        [
            who.issuer if who else "",
            who.subject if who else "",
            program.spiffe_id if program else "",
            caller.environment,
        ]
    )


def planner(function: Callable[..., object], server: str, keeper: Callable[[], Plans]) -> tuple[Planning, Body]:
    """What works out the plans of `function`, and the function to bind as its tool.

    Errors: Misconfigured (`bad-declaration`), for a function that returns no Plan.
    """
    body, shown = without_caller(function)
    signature = inspect.signature(shown)
    returned = signature.return_annotation
    if (get_origin(returned) or returned) is not Plan:
        message = f"{function.__name__} must return a Plan"
        raise Misconfigured(message, hint="annotate it: -> Plan[Item]", code="bad-declaration")
    (item,) = get_args(returned) or (Any,)
    planning = Planning(server, body, keeper)

    async def make(**values: object) -> PlanMade[Any]:
        return await planning.make(values)

    return planning, _dressed(make, function, list(signature.parameters.values()), PlanMade[item])


def executor(function: Callable[..., object], planning: Planning) -> Body:
    """The function to bind as the tool that carries plans out: it takes a `plan_id`, and `function` gets the plan.

    Errors: Misconfigured (`bad-declaration`), for a function without one parameter of type Plan.
    """
    signature = inspect.signature(function, eval_str=True)
    parameters = dict(signature.parameters)
    taking = [name for name, each in parameters.items() if (get_origin(each.annotation) or each.annotation) is Plan]
    if len(taking) != 1 or not _RESERVED.isdisjoint(parameters.keys() - taking):
        message = f"{function.__name__} must take its plan in one parameter, and no other named plan or plan_id"
        raise Misconfigured(message, hint="annotate it: plan: Plan[Item]", code="bad-declaration")
    (taken,) = taking
    del parameters[taken]
    gives_reason = "reason" in parameters

    async def carry_out(**values: object) -> object:
        plan = await planning.use(str(values.pop("plan_id")))
        if not gives_reason:
            del values["reason"]
        whole = functools.partial(function, **{taken: plan}, **values)
        if inspect.iscoroutinefunction(function):
            return await cast("Awaitable[object]", whole())
        return await anyio.to_thread.run_sync(whole)

    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters.values()]
    return _dressed(
        carry_out, function, [_PLAN_ID, *([] if gives_reason else [_REASON]), *own], signature.return_annotation
    )


_PLAN_ID: Final = inspect.Parameter(
    "plan_id",
    inspect.Parameter.KEYWORD_ONLY,
    annotation=Annotated[str, Field(max_length=_LONGEST_ID, description="As the plan's own tool gave it.")],
)
_REASON: Final = inspect.Parameter(
    "reason",
    inspect.Parameter.KEYWORD_ONLY,
    default="",
    annotation=Annotated[str, Field(max_length=_LONGEST_REASON, description="Why, for whoever decides.")],
)


def _dressed(
    body: Body, function: Callable[..., object], parameters: list[inspect.Parameter], returned: object
) -> Body:
    """`body`, with the name and words of `function`, and these parameters."""
    shown = functools.wraps(function)(body)
    del shown.__wrapped__  # or signature readers would find the author's parameters
    shown.__signature__ = inspect.Signature(parameters, return_annotation=returned)  # pyright: ignore[reportAttributeAccessIssue]
    shown.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": returned}
    return shown


class NoPlans:
    """Where nobody keeps plans: a host that was given no place for them."""

    async def keep_plan(self, plan: NewPlan) -> KeptPlan:
        raise self._nowhere(plan.server)

    async def plan(self, plan_id: str) -> KeptPlan | None:
        raise self._nowhere(plan_id)

    async def use_plan(self, plan_id: str) -> bool:
        raise self._nowhere(plan_id)

    def _nowhere(self, what: str) -> PierheadError:
        return UpstreamUnreachable(f"nothing here keeps the plans of {what}", hint="run it under the platform")
