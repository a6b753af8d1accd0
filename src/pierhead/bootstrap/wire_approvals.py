"""Puts the approvals of the registry together: their store, who is asked for which server, what an id looks like.

Above: `wire_registry`. Not here: who may decide (`core/approval_record`).
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import cast

from pierhead.adapters.db import (
    Database,
    DatabaseAbsences,
    DatabaseApprovals,
    DatabaseChoices,
    DatabaseDecisionNews,
    DatabaseInboxNews,
    expire_for_ever,
)
from pierhead.adapters.system import RandomIds, SystemClock, SystemIds
from pierhead.bootstrap.approval_settings import ApprovalSettings
from pierhead.core.json import Json
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.count_approvals import ApprovalCounts
from pierhead.usecases.declare_absence import DutyDesk
from pierhead.usecases.ports_approvals import ApprovalLimits, ApprovalStore, Membership
from pierhead.usecases.ports_catalogue import Catalogue, Origin
from pierhead.usecases.ports_notices import tell_nobody
from pierhead.usecases.remember_choice import ChoiceBook
from pierhead.usecases.tell_approvals import ApprovalNews


@dataclass(frozen=True, slots=True)
class EntryApprovers:
    """The groups that a server's entry names; `others` where it names none. An empty list means nobody.

    What was declared since somebody signed takes groups away at once, and adds none before it is signed as well. An
    operator who vouches for their fleet file has signed what stands there.
    """

    catalogue: Catalogue
    others: tuple[str, ...]
    trusts_fleet: bool = False

    async def of(self, server: str) -> tuple[str, ...]:
        entry = await self.catalogue.entry(server)
        if entry is None:
            return self.others
        declared = self._named(entry.document)
        if not entry.current or (self.trusts_fleet and entry.origin is Origin.FLEET):
            return declared
        versions = await self.catalogue.versions(server)
        signed = next((self._named(each.document) for each in versions if each.version == entry.current), declared)
        return declared if set(declared) <= set(signed) else signed

    def _named(self, document: Mapping[str, Json]) -> tuple[str, ...]:
        named = document.get("approvers")
        return self.others if named is None else tuple(cast("list[str]", named))


@dataclass(frozen=True, slots=True)
class ApprovalSetting:
    """What operators set of approvals. `others` are the groups asked for servers whose entries name none."""

    public_url: str
    others: tuple[str, ...]
    tells_people: bool
    alarmed: tuple[str, ...]
    approvals: ApprovalSettings
    counts: ApprovalCounts
    trusts_fleet: bool = False
    """Whether the operator's fleet file is signed by standing there."""


def duty_desk(database: Database, people: Membership, setting: ApprovalSetting) -> DutyDesk:
    """Who is away, and who stands in. Errors: Misconfigured (`bad-setting`)."""
    return DutyDesk(
        DatabaseAbsences(database), people, setting.approvals.who_stands_in, SystemClock(), RandomIds("abs_")
    )


def approval_desk(database: Database, catalogue: Catalogue, duty: DutyDesk, setting: ApprovalSetting) -> ApprovalDesk:
    """Where approvals are asked for, decided and spent."""
    news = ApprovalNews(SystemIds(), setting.public_url, setting.alarmed) if setting.tells_people else tell_nobody
    return ApprovalDesk(
        store=DatabaseApprovals(database, setting.counts.counting(news)),
        ids=RandomIds("apr_"),
        approvers=EntryApprovers(catalogue, setting.others, setting.trusts_fleet),
        people=duty.people,
        public_url=setting.public_url,
        limits=ApprovalLimits(
            reauthenticate_s=setting.approvals.reauthenticate_s, break_glass=frozenset(setting.approvals.break_glass)
        ),
        duties=duty,
        choices=ChoiceBook(DatabaseChoices(database), SystemClock(), RandomIds("cho_")),
    )


def decision_news(database: Database, opened: AsyncExitStack) -> DatabaseDecisionNews:
    """Where servers wait for decisions, until `opened` closes."""
    news = DatabaseDecisionNews(database)
    opened.push_async_callback(news.close)
    return news


def inbox_news(database: Database, opened: AsyncExitStack) -> DatabaseInboxNews:
    """Where pages hear that approvals changed, until `opened` closes."""
    news = DatabaseInboxNews(database)
    opened.push_async_callback(news.close)
    return news


def sweep(store: ApprovalStore, opened: AsyncExitStack) -> None:
    """Write down what expires, until `opened` closes."""
    sweeping = asyncio.create_task(expire_for_ever(store, asyncio.sleep))

    async def end() -> None:
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping

    opened.push_async_callback(end)
