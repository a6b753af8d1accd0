"""Plans as JSON: how they travel between a server and the registry. Strict in what it takes."""

from collections.abc import Mapping
from typing import Any, cast

from pierhead.core.approval_record import LARGEST_ARGUMENTS
from pierhead.core.call import canonical
from pierhead.core.errors import Invalid
from pierhead.core.json import Json
from pierhead.usecases.ports_plans import KeptPlan, NewPlan


def plan_to_form(plan: NewPlan) -> dict[str, Json]:
    """As it travels to the registry."""
    return {
        "server": plan.server,
        "tool": plan.tool,
        "owner": plan.owner,
        "arguments": plan.arguments,
        "digest": plan.digest,
    }


def plan_from_form(form: object) -> NewPlan:
    """Errors: Invalid (`wire-form`); Invalid (`too-large-to-approve`), for arguments that nobody reads."""
    members = dict(cast("Mapping[str, Any]", form)) if isinstance(form, Mapping) else {}
    arguments = members.pop("arguments", None)
    texts = {name: value for name, value in members.items() if isinstance(value, str)}
    if texts.keys() != {"server", "tool", "owner", "digest"} or texts != members or not isinstance(arguments, dict):
        raise Invalid("cannot read this plan", hint="send each member once", code="wire-form")
    if len(canonical(cast("Json", arguments))) > LARGEST_ARGUMENTS:
        message = "these arguments are too large for a person to read"
        raise Invalid(message, hint=f"send at most {LARGEST_ARGUMENTS} bytes", code="too-large-to-approve")
    return NewPlan(
        texts["server"], texts["tool"], texts["owner"], cast("Mapping[str, Json]", arguments), texts["digest"]
    )


def kept_to_form(kept: KeptPlan) -> dict[str, Json]:
    """As the registry answers."""
    form = {"id": kept.id, "expires_at": kept.expires_at, "is_used": kept.is_used}
    return {**form, "plan": plan_to_form(kept.plan)}


def kept_from_form(form: Mapping[str, Any]) -> KeptPlan:
    """Errors: Invalid (`wire-form`)."""
    return KeptPlan(form["id"], plan_from_form(form["plan"]), float(form["expires_at"]), bool(form["is_used"]))
