"""What a server says of a call before it runs: what it would change, whether that can be undone, and its plan.

Made by the server's own code from the arguments, never by a model. Below: `json`. Above: `call` (arguments carry it),
`approval_record` (people are shown it). Not here: working it out (`sdk/plan`), keeping plans (`usecases/ports_plans`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
class Foreseen:
    """What carrying out the call would do. `summary` reads "delete 12 rows of weather"; empty where nobody says.

    `undo` says how to take it back, `cost` what it takes; `evidence` are links.
    """

    summary: str = ""
    undo: str = ""
    cost: str = ""
    evidence: tuple[str, ...] = ()
    plan: Planned | None = None


NOTHING_FORESEEN: Final = Foreseen()
