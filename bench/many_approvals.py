"""A registry with 10,000 approvals as they stand in life, and a server whose deletions need one.

Half of them wait, half are closed; 300 people asked for them on 50 servers, and 20 groups are asked. Processes as
`pierhead run` starts them: a registry, two gateways, one server. Not here: what is measured of it (`approvals`).
"""

import asyncio
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sqlalchemy import insert

from bench.large_fleet import Place, Running, role, running, token
from bench.processes import free_port
from pierhead.adapters.db.approvals import row_of
from pierhead.adapters.db.schema import APPROVALS
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.wire_registry import RegistrySetting, registry_adapters
from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Decided, Proposal, proposed

KEPT: Final = 10_000
ROWS: Final = 5_000
#: Who asks: a run may have three approvals open, so that many calls in turn need many people.
CLERKS: Final = 40
#: Whose groups are asked for a twentieth of them, for all of them, and for none.
FEW, ALL, NONE = "tina", "frank", "bob"
_FLEET: Final = """
people:
{clerks}
  tina: {{groups: [team-4]}}
  frank: {{groups: [platform-admin, {teams}]}}
  bob: {{groups: [ads]}}
servers:
  shop:
    kind: sql
    url: sqlite:///shop.db
    owner: data-platform
    support: "#data-help"
    access: {{groups: [clerks]}}
    approvers: [platform-admin]
    roles:
      clerk: {{groups: [clerks], tables: {{orders: {{operations: [read, delete]}}}}}}
"""


@dataclass(frozen=True, slots=True)
class Inbox:
    """One running registry; `tokens` of its place are by person and audience."""

    at: Running

    @property
    def place(self) -> Place:
        return self.at.place


def filled(folder: Path, database_url: str) -> Place:
    """A new one in `folder`; an empty `database_url` is SQLite there."""
    folder.mkdir()
    clerks = "\n".join(f"  clerk-{number}: {{groups: [clerks]}}" for number in range(CLERKS))
    teams = ", ".join(f"team-{number}" for number in range(20))
    (folder / "fleet.yaml").write_text(_FLEET.format(clerks=clerks, teams=teams))
    with closing(sqlite3.connect(folder / "shop.db")) as shop:
        shop.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount INTEGER)")
        shop.executemany("INSERT INTO orders VALUES (?, ?)", [(number, number) for number in range(ROWS)])
        shop.commit()
    return asyncio.run(_filled(Place(folder, database_url, free_port(), "", {})))


@contextmanager
def serving(place: Place) -> Generator[Inbox]:
    """Registry, gateways and the server. Errors: NotStarted."""
    with running(place) as at:
        port, registry = free_port(), f"http://127.0.0.1:{at.registry.port}"
        where = ("--fleet", place.folder / "fleet.yaml", "--registry", registry, "--port", str(port))
        command = ("server", "shop", *where, "--data", place.folder, "--public-url", place.url)
        with role(place, "server", port, command):
            yield Inbox(at)


async def _filled(place: Place) -> Place:
    keys, fleet = Keys.at(place.folder), fleet_file.load(place.folder / "fleet.yaml", place.folder)
    keys.ensure(tuple(fleet.servers))
    async with AsyncExitStack() as opened:
        setting = RegistrySetting(place.folder, fleet, place.url, "ide", "local", place.database_url)
        adapters = await registry_adapters(setting, opened)
        rows = [row_of(record) for record in _records(adapters.clock.now())]
        async with adapters.database.writing() as connection:
            for start in range(0, KEPT, 500):
                await connection.execute(insert(APPROVALS), rows[start : start + 500])
        return replace(place, tokens={name: await token(adapters, place.url, *name) for name in _bearers()})


def _bearers() -> Iterator[tuple[str, str]]:
    yield from ((person, "/api/v1") for person in (FEW, ALL, NONE))
    yield from ((f"clerk-{number}", "/mcp/shop") for number in range(CLERKS))


def _records(now: float) -> Iterator[ApprovalRecord]:
    """Each asked a second before the one before; of those that are closed, nine of ten were used."""
    for number in range(KEPT):
        made = replace(proposed(f"apr_{number:08}", _proposal(number), (f"team-{number % 20}",), now - number), lock=1)
        if number % 2 == 0:
            yield replace(made, expires_at=now + 7200)
            continue
        state = ApprovalState.DENIED if number % 20 == 1 else ApprovalState.CONSUMED
        verdict = "deny" if state is ApprovalState.DENIED else "approve"
        yield replace(made, state=state, decisions=(Decided("gina", "web", now - number, verdict, "looks right"),))


def _proposal(number: int) -> Proposal:
    statement = f"DELETE FROM orders WHERE customer = {number} AND placed < '2020-01-01'"  # noqa: S608 - shown, never run
    return Proposal(
        call_key=f"call-{number}",
        digest=f"{number:064x}",
        server=f"server-{number % 50}",
        version="1.0.0",
        tool="delete_rows",
        effect="destructive",
        shown={"table": "orders", "sql": statement, "reason": "The customer asked for it, see the ticket."},
        arguments_digest=f"{number:064x}",
        environment="local",
        surface="ide",
        client="bench 1",
        requester=f"person-{number % 300}",
        issuer="https://bench.example",
        person=f"person-{number % 300}",
        run=f"run-{number}",
        approval=Approval.APPROVE,
        revision=1,
        reasons=("delete_rows is destructive and declared to need approve",),
        summary=f"run delete_rows of server-{number % 50} in local",
        timeout_s=30.0,
    )
