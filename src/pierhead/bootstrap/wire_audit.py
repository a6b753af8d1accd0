"""Checking every chain of one data directory: the journals, and the registry's copy. Needs no running platform.

Above: `pierhead audit verify`. Not here: searching and exporting (the internal API does, while the registry runs).
"""

from dataclasses import dataclass
from pathlib import Path

from pierhead.adapters.journal import Report, verify_all
from pierhead.core.errors import NotFound
from pierhead.usecases.ports_records import ChainState


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of all chains found. `registry` is None where the directory holds no database."""

    journals: tuple[Report, ...]
    registry: ChainState | None

    @property
    def broken(self) -> str:
        """The first broken record, by name; empty when every chain is whole."""
        faults = [report.broken for report in self.journals if report.broken]
        if self.registry is not None and self.registry.broken:
            faults.append(f"registry's copy: {self.registry.broken}")
        return faults[0] if faults else ""

    @property
    def records(self) -> int:
        return sum(report.records for report in self.journals) + (self.registry.records if self.registry else 0)


async def verify(data: Path) -> Verified:
    """Recompute every hash under `data`.

    Errors: NotFound, if there is nothing to check: that must not read as whole; Misconfigured, for a database
    that cannot be opened.
    """
    journals = verify_all(data / "journal")
    file = data / "pierhead.db"
    if not journals and not file.exists():
        raise NotFound(f"{data} holds no record", hint="give the data directory of a platform that has run")
    return Verified(journals, await _registry(file) if file.exists() else None)


async def _registry(file: Path) -> ChainState:
    from pierhead.adapters.db import DatabaseRecords, open_database  # noqa: PLC0415 - an extra, which `serve` goes without

    database = await open_database(f"sqlite:///{file}")
    try:
        return await DatabaseRecords(database).chain()
    finally:
        await database.close()
