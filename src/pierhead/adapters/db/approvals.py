"""Every approval: one row each, changed by compare-and-set, in one transaction with the facts that tell of it.

The database's own clock is the only one. A call has at most one open record, which a unique index holds, too.
Fills `ports_approvals.ApprovalStore`. Not here: what a change means (`core/approval_record`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never

import orjson
from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    text,
    tuple_,
    union_all,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from pierhead.adapters.db.clock import CLOCKS
from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_all
from pierhead.adapters.db.notices import keep_notices
from pierhead.adapters.db.schema import APPROVALS
from pierhead.core.approval import OPEN_STATES, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Proposal, as_of
from pierhead.core.break_glass import review_due_at
from pierhead.core.errors import Conflict, NotFound
from pierhead.usecases.approval_forms import record_from_form, record_to_form
from pierhead.usecases.ports_approvals import (
    ApprovalFilter,
    ApprovalStore,
    Changing,
    Everyone,
    Known,
    Proposing,
    Seer,
    Written,
)
from pierhead.usecases.ports_notices import Telling, tell_nobody
from pierhead.usecases.spend_approval import expire_approvals

_SWEEP_S: Final = 5.0
_ASKING: Final = 0x61707072
_EXPIRING: Final = (ApprovalState.PENDING, ApprovalState.APPROVED)
_LATE: Final[Mapping[ApprovalState, ApprovalState]] = {
    ApprovalState.PENDING: ApprovalState.EXPIRED,
    ApprovalState.APPROVED: ApprovalState.EXPIRED,
    ApprovalState.EXECUTING: ApprovalState.FAILED_UNKNOWN,
}
"""What time alone makes of a record."""
_PLACES: Final[Mapping[str, Callable[..., ColumnElement[int]]]] = {"sqlite": func.instr, "postgresql": func.strpos}
_NEWEST: Final = APPROVALS.c.created_at.desc(), APPROVALS.c.id.desc()


def _is_open(now: ColumnElement[float]) -> ColumnElement[bool]:
    has_expired = and_(APPROVALS.c.state.in_(_EXPIRING), APPROVALS.c.moves_at <= now)
    return and_(APPROVALS.c.state.in_(sorted(OPEN_STATES)), ~has_expired)


def _all_known(clock: ColumnElement[float]) -> Select[Any, int, int, float]:
    """The latest record of a call, how much its run and its person have open, and the time: one statement."""
    latest = select(APPROVALS.c.document).where(APPROVALS.c.call_key == bindparam("call_key")).order_by(*_NEWEST)
    mine = and_(APPROVALS.c.run == bindparam("run"), _is_open(clock))
    theirs = and_(APPROVALS.c.person == bindparam("person"), APPROVALS.c.server == bindparam("server"), _is_open(clock))
    of_run, of_person = (select(func.count()).select_from(APPROVALS).where(each) for each in (mine, theirs))
    document = latest.limit(1).scalar_subquery().label("document")
    counts = of_run.scalar_subquery().label("open_of_run"), of_person.scalar_subquery().label("open_of_person")
    return select(document, *counts, clock.label("now"))


_ASKINGS: Final = {dialect: _all_known(clock) for dialect, clock in CLOCKS.items()}


@dataclass(frozen=True, slots=True)
class DatabaseApprovals:
    """Reads and changes them. Writers of one process queue up here: SQLite wakes them in no order, and some never."""

    database: Database
    tell: Telling = tell_nobody
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, compare=False)

    async def propose(self, asked: Proposal, propose: Proposing) -> ApprovalRecord:
        async with self._turn, self.database.writing() as connection:
            await self._take_turns(connection)
            keys = {"call_key": asked.call_key, "run": asked.run, "person": asked.person, "server": asked.server}
            row = (await connection.execute(self._asking(), keys)).mappings().one()
            latest = _record(row) if row["document"] else None
            known = Known(latest, row["open_of_run"], row["now"], row["open_of_person"])
            return await self._write(connection, propose(known), known.now)

    async def change(self, record_id: str, change: Changing) -> ApprovalRecord:
        async with self._turn, self.database.writing() as connection:
            found = await connection.execute(select(APPROVALS).where(APPROVALS.c.id == record_id).with_for_update())
            row = found.mappings().one_or_none()
            if row is None:
                raise NotFound("no such approval, or not yours to see", hint="see: pierhead approvals list")
            now = await self._now(connection)
            return await self._write(connection, change(_record(row), now), now)

    async def one(self, record_id: str) -> ApprovalRecord | None:
        async with self.database.reading() as connection:
            clock = self._clock.label("now")
            found = await connection.execute(select(APPROVALS.c.document, clock).where(APPROVALS.c.id == record_id))
            row = found.mappings().one_or_none()
            return as_of(_record(row), row["now"]) if row else None

    async def listed(self, wanted: ApprovalFilter) -> Sequence[ApprovalRecord]:
        async with self.database.reading() as connection:
            now = await self._now(connection)
            rows = (await connection.execute(_newest(wanted, now, self._dialect))).mappings().all()
        return [as_of(_record(row), now) for row in rows]

    async def overdue(self, limit: int) -> Sequence[str]:
        async with self.database.reading() as connection:
            now = await self._now(connection)
            query = select(APPROVALS.c.id).where(APPROVALS.c.moves_at <= now).order_by(APPROVALS.c.moves_at)
            return (await connection.execute(query.limit(limit))).scalars().all()

    async def _take_turns(self, connection: AsyncConnection) -> None:
        """Two who ask at once must not both find nothing; SQLite's immediate transactions take turns anyway."""
        if self._dialect == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ASKING})

    async def _now(self, connection: AsyncConnection) -> float:
        """Asked once the row is locked: who waited for a lock long enough comes too late."""
        return float((await connection.execute(select(self._clock))).scalar_one())

    @property
    def _dialect(self) -> str:
        return self.database.engine.dialect.name

    @property
    def _clock(self) -> ColumnElement[float]:
        return CLOCKS[self._dialect]

    def _asking(self) -> Select[Any, int, int, float]:
        return _ASKINGS[self._dialect]

    async def _write(self, connection: AsyncConnection, written: Written, now: float) -> ApprovalRecord:
        if not written.facts:
            return written.last
        last = written.last
        try:
            for record in written.records:
                last = await _keep(connection, record)
        except IntegrityError:
            raise _changed() from None
        await append_all(self.database, connection, written.facts, now)
        await keep_notices(self.database, connection, self.tell(written, now))
        return last


async def _keep(connection: AsyncConnection, record: ApprovalRecord) -> ApprovalRecord:
    """A new row, or the next state of one: only if it is still as it was read."""
    after = replace(record, lock=record.lock + 1)
    if record.lock == 0:
        await connection.execute(APPROVALS.insert().values(row_of(after)))
        return after
    is_same = and_(
        APPROVALS.c.id == record.id, APPROVALS.c.lock == record.lock, APPROVALS.c.call_key == record.proposal.call_key
    )
    changed = await connection.execute(APPROVALS.update().where(is_same).values(row_of(after)))
    if changed.rowcount != 1:
        raise _changed()
    return after


def row_of(record: ApprovalRecord) -> dict[str, object]:
    """What is kept of it, by column."""
    return {
        "id": record.id,
        "call_key": record.proposal.call_key,
        "open_key": record.proposal.call_key if record.is_open else None,
        "state": str(record.state),
        "server": record.proposal.server,
        "person": record.proposal.person,
        "people": _lines(record.people),
        "approvers": _lines(record.approvers),
        "run": record.proposal.run,
        "created_at": record.created_at,
        "moves_at": record.moves_at,
        "review_at": review_due_at(record),
        "document": orjson.dumps(record_to_form(record)).decode(),
        "lock": record.lock,
    }


def _lines(names: Sequence[str]) -> str:
    """Each name between two line ends, so that one is found whole."""
    return "\n" + "".join(f"{name}\n" for name in names)


def _record(row: RowMapping) -> ApprovalRecord:
    return record_from_form(orjson.loads(row["document"]))


def _newest(wanted: ApprovalFilter, now: float, dialect: str) -> Select[Any]:
    """The newest that are wanted. State by state, so that each reads its index from the end and stops in time."""
    conditions = _conditions(wanted, dialect)
    documents = select(APPROVALS.c.document).order_by(*_NEWEST).limit(wanted.limit)
    if not wanted.states:
        return documents.where(*conditions)
    of_states = [
        select(APPROVALS.c.id).where(is_in, *conditions).order_by(*_NEWEST).limit(wanted.limit).subquery()
        for is_in in _in_states(wanted.states, now)
    ]
    return documents.where(APPROVALS.c.id.in_(union_all(*(select(each.c.id) for each in of_states))))


def _conditions(wanted: ApprovalFilter, dialect: str) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    match wanted.seen_by:
        case Seer():
            found.append(_seen(wanted.seen_by, dialect))
        case Everyone():
            pass
        case _:
            assert_never(wanted.seen_by)
    if wanted.requester:
        found.append(APPROVALS.c.person == wanted.requester)
    if wanted.server:
        found.append(APPROVALS.c.server == wanted.server)
    if wanted.to_review:
        found.append(APPROVALS.c.review_at.is_not(None))
    if wanted.since:
        found.append(APPROVALS.c.created_at >= wanted.since)
    if wanted.before is not None:
        found.append(tuple_(APPROVALS.c.created_at, APPROVALS.c.id) < tuple_(*wanted.before))
    return found


def _in_states(states: frozenset[ApprovalState], now: float) -> list[ColumnElement[bool]]:
    """What is in one of these at that time, by the state that is written: time may have moved it since.

    What time has moved is little, since the sweep writes it down: it is found by its time, so no index may know the
    state there.
    """
    is_late, unindexed = APPROVALS.c.moves_at <= now, APPROVALS.c.state.concat("")
    late = [state for state, moved in _LATE.items() if moved in states]
    found = [and_(is_late, unindexed.in_(late))] if late else []
    found += [and_(APPROVALS.c.state == state, ~is_late) for state in sorted(states & _LATE.keys())]
    return [*found, *(APPROVALS.c.state == state for state in sorted(states - _LATE.keys()))]


def _seen(seer: Seer, dialect: str) -> ColumnElement[bool]:
    """By whole names, letter by letter: what is searched for as a pattern would find others."""
    place = _PLACES[dialect]
    by_group = [place(APPROVALS.c.approvers, _lines([group])) > 0 for group in sorted(seer.groups)]
    return or_(place(APPROVALS.c.people, _lines([seer.person])) > 0, *by_group)


def _changed() -> Conflict:
    return Conflict("somebody else changed it meanwhile", hint="read it again, then decide", code="changed-meanwhile")


async def expire_for_ever(store: ApprovalStore, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Write down what time has moved, every few seconds; ends by cancellation.

    A database that is away is tried again: until then every reader sees the right state all the same.
    """
    while True:
        with suppress(SQLAlchemyError, OSError, Conflict):
            await expire_approvals(store)
        await sleep(_SWEEP_S)
