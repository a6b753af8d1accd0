"""Values of a caller's own parameters: JSON scalars, by place or by name, bound and never written into SQL.

Not here: where they stand in a statement (sdk/sqlguard/parameters.py). Above: sql_lane.py.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from pierhead.sdk import Invalid
from pierhead.sdk.governed.engine import Values
from pierhead.sdk.sqlguard import PREFIX, GovernedQuery

Scalar: TypeAlias = str | int | float | bool | None
Params: TypeAlias = Sequence[Scalar] | Mapping[str, Scalar] | None

_MOST: Final = 100


def bound(params: Params) -> Values:
    """Slot -> value. A list fills `$1`, `$2`; an object fills `:name`. Errors: Invalid (`bad-parameters`)."""
    if params is None:
        return {}
    if len(params) > _MOST:
        raise _bad(f"more than {_MOST} parameters")
    if isinstance(params, Mapping):
        return {PREFIX + name: value for name, value in params.items()}
    return {f"{PREFIX}{place}": value for place, value in enumerate(params, 1)}


def filled(query: GovernedQuery, own: Values, given: Values) -> Values:
    """What fills the slots of a statement. Errors: Invalid (`bad-parameters`) for one too few or too many."""
    wanted = {name for name in query.slots if name.startswith(PREFIX)}
    if wanted != set(given):
        missing = sorted(name.removeprefix(PREFIX)[:64] for name in wanted - given.keys())
        what = f"no value for {', '.join(missing)}" if missing else "a value that the statement does not use"
        raise _bad(what)
    return {**own, **given} if given else own


def _bad(what: str) -> Invalid:
    return Invalid(
        f"params: {what}", hint="send a list for $1, $2 or an object for :name, a value for each", code="bad-parameters"
    )
