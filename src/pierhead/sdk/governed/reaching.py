"""Whether the engine of a source can be reached, and how fast: asked as a caller's statement is, without any table.

Fills the port `pierhead.sdk.Needs`. Above: whoever hosts the server tells the registry. Not here: what callers may
read, the schema (source.py).
"""

from collections.abc import Sequence
from time import monotonic
from typing import Final

from pierhead.sdk import Condition, Dependency, Invalid, ToolFailed, ToolTimedOut, UpstreamUnreachable
from pierhead.sdk.governed.engine import Limits
from pierhead.sdk.governed.source import Source
from pierhead.sdk.sqlguard import View, govern

_QUESTION: Final = "SELECT 1 AS one"
_LIMITS: Final = Limits(rows=1, seconds=5.0)
_SLOW_MS: Final = 1_000.0


class ReachedEngine:
    """The engine behind one source, as something that the server needs."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def look(self) -> Sequence[Dependency]:
        """One look; nothing is known before the source was opened."""
        view = next((acting.view for acting in self._source.ground.roles.values()), None)
        return () if view is None else (await self._asked(view),)

    async def _asked(self, view: View) -> Dependency:
        name, began = f"{view.dialect} engine", monotonic()
        query = govern(_QUESTION, view, max_rows=1)
        try:
            await self._source.engine.run(query, view, {}, _LIMITS)
        except (UpstreamUnreachable, ToolTimedOut) as away:
            return Dependency(name, Condition.DOWN, away.message)
        except (Invalid, ToolFailed) as answered:  # it is there, and minds the question
            return Dependency(name, Condition.DEGRADED, answered.message)
        took_ms = (monotonic() - began) * 1000
        told = f"answers in {took_ms:,.0f} ms"
        return Dependency(name, Condition.UP if took_ms < _SLOW_MS else Condition.DEGRADED, told)
