"""A future that takes no cancellation: who waits for it learns its end first, and is cancelled then.

For what must be known to have happened, such as a record, however often its caller is cancelled meanwhile. The
event loop itself delivers the cancellation afterwards, so waiting needs neither a task nor a shield.
"""

import asyncio


class Steadfast(asyncio.Future[None]):
    """Made by whoever will settle it, in the loop of who waits."""

    def cancel(self, msg: object = None) -> bool:
        """Not taken: the waiting task is cancelled once this is settled."""
        del msg
        return False
