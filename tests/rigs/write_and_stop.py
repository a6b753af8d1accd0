"""A process that writes one row with an idempotency key, and stops at a point of its choice until it is killed.

python -m tests.rigs.write_and_stop LEDGER KEYS before-commit|after-commit
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.integration.sql_ledgers import CALLER, Governed, SqliteLedger

from pierhead.sdk.governed.engine import Engine, Limits, Rows, Values
from pierhead.sdk.governed.transactions import Transaction
from pierhead.sdk.sqlguard import GovernedQuery, GovernedWrite, View
from pierhead.servers.sql.engines.sqlite import SqliteEngine
from pierhead.servers.sql.idempotency import FileKeys, OwnKey
from pierhead.servers.sql.writes import InsertRequest, WriteOptions


async def _stop() -> None:
    print("here", flush=True)
    await asyncio.Event().wait()


class Stopping:
    """A transaction that never gets to its commit."""

    def __init__(self, begun: Transaction) -> None:
        self._begun = begun

    async def execute(self, statement: GovernedQuery | GovernedWrite, values: Values) -> Rows:
        return await self._begun.execute(statement, values)

    async def commit(self) -> None:
        await _stop()


class StoppingEngine(SqliteEngine):
    stopping: type[Stopping] = Stopping

    @asynccontextmanager
    async def transaction(self, view: View, limits: Limits) -> AsyncGenerator[Transaction]:
        async with super().transaction(view, limits) as begun:
            yield self.stopping(begun)


class _StoppingLedger(SqliteLedger):
    def engine(self) -> Engine:
        return StoppingEngine(self.file)


class _StoppingKeys(FileKeys):
    async def finish(self, own: OwnKey, answer: bytes) -> None:
        del own, answer
        await _stop()


def request() -> InsertRequest:
    options = WriteOptions(returning=True, idempotency_key="crash-1")
    return InsertRequest("lines", [{"account": 5, "line": 5, "note": "once"}], options=options)


async def _main(file: str, keys: str, where: str) -> None:
    before = where == "before-commit"
    ledger: Any = _StoppingLedger(Path(file)) if before else SqliteLedger(Path(file))
    kept = FileKeys(Path(keys)) if before else _StoppingKeys(Path(keys))
    async with Governed(ledger, keys=kept) as governed:
        await governed.insert(CALLER, request())


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
