"""What a server says of a call before it runs: what it would change, whether that can be undone, and its plan.

Made by the server's own code from the arguments, never by a model. Below: `json`. Above: `call` (arguments carry it),
`approval_record` (people are shown it). Not here: working it out (`sdk/plan`), keeping plans (`usecases/ports_plans`).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from pierhead.core.json import Json

FIRST_ITEMS: Final = 10
"""How many items of a plan people are shown."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan as it is now: worked out anew, by the tool `made_by`, for every call that would carry it out.

    `arguments` are what it was made with; `digest` is over all of it, `count` and `first` are what people are shown.
    `is_changed`: it is no longer what it was when it was made, so nobody may agree to it. `expires_at` in seconds since
    1970-01-01 UTC.
    """

    id: str
    made_by: str
    arguments: Mapping[str, Json] = field(hash=False)
    digest: str
    count: int
    first: tuple[Json, ...] = field(hash=False)
    expires_at: float
    is_changed: bool = False

    def judged(self) -> Mapping[str, Json]:
        """What rules may read of it, as the argument `plan`."""
        return {"count": self.count, "arguments": self.arguments}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a server expects a call to take; None where it does not know. `cost` is in the unit of what is behind it.

    `is_told`: people may read the figures. Where they would speak of what a caller may not see, rules alone read them.
    """

    rows: float | None = None
    bytes: float | None = None
    tasks: float | None = None
    cost: float | None = None
    is_told: bool = True

    def judged(self) -> dict[str, Json]:
        """What rules may read, as the argument `estimate`: a figure that is none was not given."""
        figures = {name: value for name, value in asdict(self).items() if name in ESTIMATED}
        return {name: value for name, value in figures.items() if _is_figure(value)}

    def told(self) -> str:
        """The figures in words; empty where people may not read them."""
        figures = self.judged() if self.is_told else {}
        return ", ".join(f"{name}: {value:,.15g}" for name, value in figures.items() if isinstance(value, int | float))


ESTIMATED: Final = ("rows", "bytes", "tasks", "cost")
"""What a server can estimate, by the names that rules read."""


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What carrying out the call would do. `summary` reads "delete 12 rows of weather"; empty where nobody says.

    `undo` says how to take it back, `cost` what it takes; `evidence` are links. `estimate` is for the rules of this
    one call: no record keeps it.
    """

    summary: str = ""
    undo: str = ""
    cost: str = ""
    evidence: tuple[str, ...] = ()
    plan: Planned | None = None
    estimate: Estimate | None = None


NOTHING_FORESEEN: Final = Foreseen()
