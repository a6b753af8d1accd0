"""The cost gate: what a role may spend on one statement before a person is asked.

The engine estimates, the budget compares, the platform asks. A measure that the engine does not estimate counts as
exceeded: a budget that guesses would be none. Not here: limits that end a statement (pacing.py, engines/).
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pierhead.sdk import Caller, ask_for
from pierhead.sdk.governed.engine import Engine, Estimate, Values
from pierhead.sdk.sqlguard import GovernedQuery, View

Asks = Callable[[Caller, Mapping[str, Any]], str]


class Budget(BaseModel):
    """Units: `rows` that the engine expects, `cost` in the engine's own unit; left out means unbounded."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rows: int | None = Field(default=None, ge=0)
    cost: float | None = Field(default=None, ge=0)
    needs: Literal["confirm", "approve", "four-eyes", "deny"] = "confirm"

    def exceeded(self, estimate: Estimate) -> str:
        """Which measure is over, or empty. Names no figure: an estimate counts rows that a rule may hide."""
        measures = (("rows", self.rows, estimate.rows), ("cost", self.cost, estimate.cost))
        for name, most, expected in measures:
            if most is not None and expected is None:
                return f"the engine estimates no {name}, and the role's budget limits them"
            if most is not None and expected is not None and expected > most:
                return f"the engine's estimate is over the role's budget of {most:g} {name}"
        return ""


def over_budget(caller: Caller, arguments: Mapping[str, Any]) -> str:
    """What the arguments alone tell: nobody is asked before the engine has estimated."""
    del caller, arguments
    return "none"


async def keep_to_budget(
    budget: Budget | None, engine: Engine, query: GovernedQuery, view: View, values: Values
) -> None:
    """Ask for approval, and so end the call, where `query` is estimated over `budget`; nothing ran.

    Asked at each call: the values of its slots change the estimate. Errors: whatever the engine's estimate raises.
    """
    if budget is None:
        return
    why = budget.exceeded(await engine.estimate(query, view, values))
    if why:
        ask_for(budget.needs, why)
