"""Puts the approvals of the registry together: their store, who is asked for which server, what an id looks like.

Above: `wire_registry`. Not here: who may decide (`core/approval_record`).
"""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import cast

from pierhead.adapters.db import Database, DatabaseApprovals, expire_for_ever
from pierhead.adapters.system import RandomIds
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ports_approvals import Membership
from pierhead.usecases.ports_catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class EntryApprovers:
    """The groups that a server's entry names; `others` where it names none. An empty list means nobody."""

    catalogue: Catalogue
    others: tuple[str, ...]

    async def of(self, server: str) -> tuple[str, ...]:
        entry = await self.catalogue.entry(server)
        named = entry.document.get("approvers") if entry else None
        return self.others if named is None else tuple(cast("list[str]", named))


def approval_desk(
    database: Database, catalogue: Catalogue, people: Membership, public_url: str, others: tuple[str, ...]
) -> ApprovalDesk:
    """Where approvals are asked for, decided and spent."""
    return ApprovalDesk(
        store=DatabaseApprovals(database),
        ids=RandomIds("apr_"),
        approvers=EntryApprovers(catalogue, others),
        people=people,
        public_url=public_url,
    )


def sweep(database: Database, opened: AsyncExitStack) -> None:
    """Write down what expires, until `opened` closes."""
    sweeping = asyncio.create_task(expire_for_ever(DatabaseApprovals(database), asyncio.sleep))

    async def end() -> None:
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping

    opened.push_async_callback(end)
