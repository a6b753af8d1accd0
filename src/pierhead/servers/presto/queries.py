"""One query of the engine: how it stands, for whoever asked it and for those on call, and its end before its time.

Whose a query is, the engine's own list tells: by the mark that its statement carried, or by the name it ran under.
Another's reads as absent. Not here: what may be run (statements.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pierhead.sdk import Caller, Invalid, NotFound, ask_for, note
from pierhead.sdk.envelope import Envelope, Link, summed_up
from pierhead.sdk.redacting import redact
from pierhead.sdk.statements import literal
from pierhead.servers.presto.answers import Cancelled, QueryState
from pierhead.servers.presto.backing import Backing

_ID: Final = re.compile(r"[0-9]{8}_[0-9]{6}_[0-9]{5,}_[a-z0-9]{1,10}")
_OVER: Final = frozenset({"FINISHED", "FAILED"})
_LOOKS: Final = 20
_LONGEST_MESSAGE: Final = 1_000
_STATE: Final = """
SELECT state, coalesce(source, ''), "user", queued_time_ms, array_join(resource_group_id, '.'),
 {error} FROM system.runtime.queries WHERE query_id = {id}
"""
_ERROR: Final = "coalesce(error_type, ''), coalesce(error_code, '')"
_NO_ERROR: Final = "'', ''"
_KILL: Final = "CALL system.runtime.kill_query(query_id => {id}, message => {message})"


@dataclass(frozen=True, slots=True)
class _Listed:
    """As the engine lists it."""

    state: str
    source: str
    user: str
    queued_ms: int | None
    group: str
    error_type: str
    error_name: str


class QueryDesk:
    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    async def get(self, caller: Caller, query_id: str) -> Envelope[QueryState]:
        """Errors: NotFound (`no-such-query`), alike for one that is unknown, forgotten or another's."""
        listed, is_yours = await self._listed(caller, query_id)
        told = await self._backing.engine.statistics(query_id)
        stats = _object(told, "queryStats")
        message = str(_object(told, "failureInfo").get("message") or "")
        error_name = listed.error_name or str(_object(told, "errorCode").get("name") or "")
        error_type = listed.error_type or str((told or {}).get("errorType") or "")
        shown = redact(message)[:_LONGEST_MESSAGE] if self._backing.is_oncall(caller) else ""
        data = QueryState(
            query_id=query_id,
            state=listed.state,
            is_yours=is_yours,
            progress=stats.get("progressPercentage"),
            queued_ms=listed.queued_ms,
            elapsed=stats.get("elapsedTime"),
            queue=listed.group,
            blocked=[str(reason) for reason in cast("list[object]", stats.get("blockedReasons") or [])],
            peak_memory=stats.get("peakUserMemoryReservation"),
            scanned=stats.get("rawInputDataSize"),
            error_name=error_name,
            error_type=error_type,
            error_message=shown,
        )
        summary = f"{query_id} is {listed.state.lower()}" + (f": {error_name}" if error_name else "")
        page = self._backing.chosen.query_page
        answer = Envelope(
            status="ok" if told else "partial",
            summary=summed_up(summary),
            data=data,
            missing=[] if told else ["statistics: the coordinator does not tell them"],
            links=[Link(title="the query in the engine", url=page.replace("{query_id}", query_id))] if page else [],
        )
        return answer.observed(f"query {query_id}", self._backing.now())

    async def cancel(self, caller: Caller, query_id: str, reason: str) -> Envelope[Cancelled]:
        """Its caller confirms the end of an own one; another's takes somebody else's yes.

        Errors: NotFound (`no-such-query`). One that is over already is left as it is.
        """
        listed, is_yours = await self._listed(caller, query_id)
        if listed.state not in _OVER:
            ask_for(*(("confirm", "it ends your query") if is_yours else ("approve", "the query is somebody else's")))
            message = literal(f"pierhead, for {caller.name}: {reason}")
            try:
                await self._backing.engine.ask_as_login(_KILL.format(id=literal(query_id), message=message))
            except Invalid:
                note(kill="refused: it may have ended by itself")
        now = await self._ended(caller, query_id)
        data = Cancelled(query_id=query_id, before=listed.state, now=now.state)
        return Envelope(summary=f"{query_id} was {listed.state.lower()}, is {now.state.lower()}", data=data).observed(
            f"query {query_id}", self._backing.now()
        )

    async def _ended(self, caller: Caller, query_id: str) -> _Listed:
        """An engine that is told to stop while it plans says so once it has planned."""
        listed, _ = await self._listed(caller, query_id)
        for _ in range(_LOOKS):
            if listed.state in _OVER:
                break
            listed, _ = await self._listed(caller, query_id)
        return listed

    async def _listed(self, caller: Caller, query_id: str) -> tuple[_Listed, bool]:
        if _ID.fullmatch(query_id):
            error = _ERROR if await self._backing.lists_errors() else _NO_ERROR
            rows = await self._backing.engine.ask_as_login(_STATE.format(id=literal(query_id), error=error))
            if rows:
                listed = _Listed(*rows[0])
                is_yours = self._is_of(caller, listed)
                if is_yours or self._backing.is_oncall(caller):
                    return listed, is_yours
        raise NotFound(
            "the engine has no such query, or not for you",
            hint="it forgets queries after a while; those of others are for people on call",
            code="no-such-query",
        )

    def _is_of(self, caller: Caller, listed: _Listed) -> bool:
        if listed.source == self._backing.mark(caller):
            return True
        runs_as_people = self._backing.chosen.place().identity != "login"
        return runs_as_people and caller.person is not None and listed.user == caller.person.subject


def _object(told: Mapping[str, Any] | None, member: str) -> Mapping[str, Any]:
    found = (told or {}).get(member)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
