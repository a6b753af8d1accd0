"""The database's own clock: the only one that approvals and plans go by, whichever process asks."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import ColumnElement, Double, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

CLOCKS: Final[Mapping[str, ColumnElement[float]]] = {
    "sqlite": literal_column("((julianday('now') - 2440587.5) * 86400.0)", Double),
    "postgresql": literal_column("extract(epoch FROM clock_timestamp())::double precision", Double),
}
"""Seconds since 1970-01-01 UTC, by dialect."""


async def now_of(connection: AsyncConnection) -> float:
    """What it says now, in the middle of a transaction, too."""
    return float((await connection.execute(select(CLOCKS[connection.dialect.name]))).scalar_one())
