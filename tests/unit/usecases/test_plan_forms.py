"""Plans between a server and the registry: what is sent comes back, and nothing else is read."""

from typing import Any

import orjson
import pytest
from tests.approving import proposal

from pierhead.core.errors import Invalid
from pierhead.core.foreseen import Foreseen, Planned
from pierhead.usecases.approval_forms import proposal_from_form, proposal_to_form
from pierhead.usecases.plan_forms import kept_from_form, kept_to_form, plan_from_form, plan_to_form
from pierhead.usecases.ports_plans import KeptPlan, NewPlan

PLAN = NewPlan("desk", "plan_purge", "o", {"carrier": "AA"}, "d")


def test_a_plan_travels_whole() -> None:
    assert plan_from_form(plan_to_form(PLAN)) == PLAN
    kept = KeptPlan("pln_1", PLAN, 12.5, is_used=True)
    assert kept_from_form(kept_to_form(kept)) == kept


@pytest.mark.parametrize(
    "changed",
    [{"owner": 7}, {"arguments": []}, {"arguments": None}, {"more": "x"}, {"digest": None}],
)
def test_a_plan_that_is_formed_otherwise_is_not_read(changed: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        plan_from_form(plan_to_form(PLAN) | changed)
    assert refused.value.code == "wire-form"


def test_what_is_no_object_and_what_nobody_could_read_is_no_plan() -> None:
    with pytest.raises(Invalid):
        plan_from_form([])
    with pytest.raises(Invalid) as refused:
        plan_from_form(plan_to_form(PLAN) | {"arguments": {"text": "x" * 40_000}})
    assert refused.value.code == "too-large-to-approve"


def test_a_proposal_travels_with_its_plan_and_one_from_before_there_were_plans_is_read() -> None:
    plan = Planned("pln_1", "plan_purge", {"carrier": "AA"}, "d", 2, ({"id": 1}, 7), 12.5)
    told = proposal(foreseen=Foreseen("delete 2", "no way", "little", ("https://x.example",), plan), reason="so")
    assert proposal_from_form(orjson.loads(orjson.dumps(proposal_to_form(told)))) == told
    older = {
        name: value
        for name, value in proposal_to_form(proposal()).items()
        if name not in {"foreseen", "reason", "on_behalf_of"}
    }
    assert proposal_from_form(older) == proposal()
