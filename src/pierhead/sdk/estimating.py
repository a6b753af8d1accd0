"""What a server expects a call to take, asked of its author's function: bounded, and never trusted to lower.

    @server.tool(..., estimate=expected)      # async def expected(arguments, caller) -> Estimate

Asked only where a rule of approval reads it. A function that fails, takes too long or says something else gives no
estimate, which counts as the highest. Not here: the rules (`core/approval_rule`), what people read of it (`core`).
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from pierhead.core.errors import Invalid, LimitExceeded
from pierhead.core.foreseen import Estimate
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.sdk.authorize import Estimates

_LONGEST_S: Final = 10.0
_LOG: Final = logging.getLogger(__name__)


async def estimated(estimates: Estimates, arguments: Mapping[str, Json], caller: Caller) -> Estimate | None:
    """The estimate; None where there is none. Errors: Invalid and LimitExceeded, as the body would refuse it."""
    try:
        async with asyncio.timeout(_LONGEST_S):
            found = await estimates(arguments, caller)
    except (Invalid, LimitExceeded):
        raise
    except Exception:  # noqa: BLE001 - an author's function may raise anything
        _LOG.warning("what a call would take cannot be estimated, so it counts as the most", exc_info=True)
        return None
    return found if isinstance(found, Estimate) else None  # pyright: ignore[reportUnnecessaryIsInstance] - an author's word
