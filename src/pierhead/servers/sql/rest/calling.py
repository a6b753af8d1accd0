"""The one call of a request: carried through governance, and its outcome as an answer.

Not here: the way of a call itself (the SDK), what a route prepares.
"""

from collections.abc import Callable
from typing import cast

import orjson

from pierhead.sdk import NotFound
from pierhead.sdk.routes import Done, Prepared, Reply, Waiting
from pierhead.servers.sql.rest.asked import Asked


async def carried(asked: Asked, tool: str, prepare: Callable[[], Prepared]) -> Reply | None:
    """Call `tool`, and give what its body made: a reply, or None for a stream.

    Errors: everything a call can end in; a tool that is hidden reads as a route that is not there.
    """
    try:
        outcome = await asked.calls.run(tool, prepare)
    except NotFound as absent:
        if absent.code == "unknown-tool":
            raise NotFound("no such route", hint="/openapi.json names the routes you may use") from None
        raise
    return cast("Reply | None", outcome.value) if isinstance(outcome, Done) else _waiting(outcome)


def _waiting(waiting: Waiting) -> Reply:
    """202: a person must say yes first; 403 where nobody may. Nothing ran."""
    is_denied = waiting.ticket is not None and waiting.ticket.state == "denied" and not waiting.ticket.id
    status = "denied" if is_denied else "approval_required"
    body = {"status": status, "summary": waiting.approval, "reasons": list(waiting.reasons)}
    return Reply(403 if is_denied else 202, [(b"content-type", b"application/json")], orjson.dumps(body))
