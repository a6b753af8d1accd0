"""From a writer's journal to the registry: in order, until acknowledged, stored once.

Two ends of one road: `ship_facts` runs beside a journal, `take_facts` in the registry. A registry that is away
loses nothing; a chain that does not fit is refused, and shipping stops there until somebody looks.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pierhead.core.chain import START, Head, Record, follow, read_line
from pierhead.core.errors import Conflict, Invalid, UpstreamUnreachable
from pierhead.usecases.ports_registry import FactSink, FactStore, Spool

Pause = Callable[[float], Awaitable[None]]
_BATCH: Final = 500
_ATTEMPTS: Final = 3


@dataclass(slots=True)
class Shipping:
    """How far it has come. `problem` says why it does not move; empty while it does."""

    acknowledged: int = 0
    problem: str = ""


async def ship_facts(writer: str, spool: Spool, sink: FactSink, pause: Pause, progress: Shipping) -> None:
    """Ship for ever; ends by cancellation."""
    every_s, patience_s, waiting_s = 0.2, 5.0, 0.2
    while True:
        try:
            await ship_once(writer, spool, sink, progress)
        except (UpstreamUnreachable, Invalid) as failed:
            progress.problem = failed.message
            waiting_s = min(waiting_s * 2, patience_s)
        else:
            progress.problem, waiting_s = "", every_s
        await pause(waiting_s)


async def ship_once(writer: str, spool: Spool, sink: FactSink, progress: Shipping) -> None:
    """Ship what is on disk now.

    Errors: UpstreamUnreachable; Invalid, if the registry does not take this chain.
    """
    if progress.acknowledged == 0 and spool.durable:
        progress.acknowledged = await sink.take(writer, ())
    while lines := await spool.after(progress.acknowledged, _BATCH):
        progress.acknowledged = await sink.take(writer, lines)
        await spool.release(progress.acknowledged)


async def take_facts(writer: str, lines: Sequence[bytes], store: FactStore) -> int:
    """Keep what is new of `lines`; the last place kept.

    Errors: Invalid (`record-unreadable`, `chain-gap`, `chain-broken`), and then none of them is kept.
    """
    records = [read_line(line) for line in lines]
    for _ in range(_ATTEMPTS):
        head = await store.head(writer)
        new, end = _new(head, records)
        if not new:
            return end.sequence
        # A conflict is the same writer shipping from two tries at once: read where the chain stands now.
        with suppress(Conflict):
            await store.keep(writer, head, new)
            return end.sequence
    raise Conflict(f"the chain of {writer} keeps moving", hint="ship again")


def _new(head: Head | None, records: Sequence[Record]) -> tuple[list[Record], Head]:
    """The records past `head`, checked to follow it; a writer never seen begins where its journal does."""
    new: list[Record] = []
    end = head
    for record in records:
        if head is not None and record.sequence <= head.sequence:
            _same(head, record)
            continue
        end = follow(end or Head(record.sequence - 1, record.previous), record)
        new.append(record)
    return new, end or START


def _same(head: Head, record: Record) -> None:
    """What was sent before is skipped, but not if the last of it now reads differently: then the chain forked."""
    if record.sequence == head.sequence and record.hash != head.hash:
        message = f"record {record.sequence} is another one than the registry keeps"
        raise Invalid(message, hint="compare the journal with the registry's copy", code="chain-broken")
