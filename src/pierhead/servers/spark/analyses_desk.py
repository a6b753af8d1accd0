"""Past analyses of failures: found, drafted, published. A draft counts for nothing until a person publishes it.

What a record cites is held to the evidence that this server gave, as far as it knows it. Not here: the store and the
form of a record, which other servers use as well (`sdk/analyses`, `sdk/root_cause`).
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
from pydantic import ValidationError

from pierhead.sdk import Caller, Invalid
from pierhead.sdk.analyses import Analyses as Store
from pierhead.sdk.analyses import Analysis
from pierhead.sdk.envelope import Envelope, Page, summed_up
from pierhead.sdk.root_cause import RootCause, held_to
from pierhead.servers.spark.answers import Analyses, FoundAnalysis, Recorded
from pierhead.servers.spark.diagnosis import moment

Data = TypeVar("Data")

_MOST_EVIDENCE: Final = 500
_LONGEST_CAUSE: Final = 400


class AnalysesDesk:
    """Over one store, which it opens, and the evidence that this process gave lately."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._store: Store | None = None
        self._ledger: OrderedDict[str, str] = OrderedDict()

    def open(self, folder: Path | None) -> None:
        """Open the store in `folder`; in memory without one."""
        self._store = Store(folder)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    @property
    def store(self) -> Store:
        if self._store is None:
            raise RuntimeError("the desk is not open")
        return self._store

    def kept(self, answer: Envelope[Data]) -> Envelope[Data]:
        """The same answer; its text is kept under its evidence, so that a record can be held to it."""
        if answer.evidence is not None:
            self._ledger[answer.evidence.id] = _plain(answer)
            while len(self._ledger) > _MOST_EVIDENCE:
                self._ledger.popitem(last=False)
        return answer

    async def similar(self, fingerprint: str) -> list[str]:
        """Past analyses of the same failure, each in a line."""
        found = await self.store.search(fingerprint=fingerprint, limit=3) if fingerprint else []
        return [f"{each.id} ({each.state}): {each.record.title}" for each in found]

    async def search(self, query: str, fingerprint: str, limit: int) -> Envelope[Analyses]:
        found = await self.store.search(query, fingerprint, limit)
        rows = [_row(each) for each in found]
        summary = "; ".join(each.title for each in rows) or "no analysis fits"
        return self.kept(
            Envelope(summary=summed_up(summary), data=Analyses(analyses=rows), page=Page(returned=len(rows))).observed(
                "analyses of this server", self._now()
            )
        )

    async def record(self, app: str, report: RootCause, key: str, caller: Caller) -> Envelope[Recorded]:
        """Errors: Invalid (`false-citation`); Conflict (`key-reused`)."""
        held = held_to(report, self._ledger, is_whole=False)
        notes = ["`confirmed` became `likely`: no quote of its evidence bears it"] if held != report else []
        kept = await self.store.draft(app, held, key, caller)
        data = Recorded(id=kept.id, state=kept.state, notes=notes)
        return Envelope(summary=f"{kept.id} is a {kept.state}; a person publishes it", data=data)

    async def publish(self, analysis: str, caller: Caller) -> Envelope[Recorded]:
        """Errors: NotFound (`no-such-analysis`)."""
        kept = await self.store.publish(analysis, caller)
        return Envelope(summary=f"{kept.id} is {kept.state}", data=Recorded(id=kept.id, state=kept.state))


def read_report(report: Mapping[str, Any]) -> RootCause:
    """Errors: Invalid (`bad-report`), naming each member that is wrong."""
    try:
        return RootCause.model_validate_json(orjson.dumps(report))
    except ValidationError as invalid:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in invalid.errors()[:5])
        raise Invalid(
            f"this is no report: {faults}"[:600], hint="see the tool's description", code="bad-report"
        ) from None


def _plain(answer: Envelope[Data]) -> str:
    """The text that quotes are looked for in: values as they are, not as JSON writes them."""
    return "\n".join(_texts(answer.model_dump(mode="json", include={"data"})))


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - any JSON
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - any JSON
    return [str(value)]


def _row(each: Analysis) -> FoundAnalysis:
    return FoundAnalysis(
        id=each.id,
        app=each.subject,
        title=each.record.title,
        state=each.state,
        cause=each.record.root_cause.claim[:_LONGEST_CAUSE],
        confidence=each.record.root_cause.confidence,
        fingerprints=list(each.record.fingerprints),
        recorded=moment(each.recorded),
        by=each.author,
    )
