"""What a running registry follows of its fleet file: the company's policies, and the files that hold them.

Looked at every second, and read once they have stood still for a look, so that half a file is never taken. What cannot
be read, names what is not there, or fails a case that the fleet file names is refused, with file, line and column, in
the log and in the record; the policies that were in force stay. Not here: the servers that the file declares
(`pierhead server publish`), and what policies mean (`adapters/cedar`).
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pierhead.adapters.db import DatabaseAudit
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.company_policies import declared_policies
from pierhead.bootstrap.declared_policy import judged_fleet
from pierhead.bootstrap.policy_cases import require_good
from pierhead.bootstrap.wire_registry import RegistryAdapters
from pierhead.core.audit_policy import PolicyRefused
from pierhead.core.errors import PierheadError
from pierhead.core.snapshot import CompanyPolicies, Snapshot
from pierhead.usecases.ports import Audit
from pierhead.usecases.publish_policy import PolicySource, declare_policies

_LOOK_S: Final = 1.0
_BY: Final = "fleet"
_LOG: Final = logging.getLogger(__name__)

_Marks = Mapping[Path, tuple[int, int, int] | None]


async def follow_policies(adapters: RegistryAdapters) -> None:
    """Until cancelled; at once over, where the registry was started without a file to follow."""
    setting = adapters.setting
    if setting.fleet_file is None:
        return
    audit = DatabaseAudit(adapters.database, adapters.clock)
    named = tuple(text.name for text in setting.fleet.policies)
    followed = FollowedPolicies(setting.fleet_file, setting.data, adapters.registry.source, audit, named)
    while True:
        try:
            await followed.look()
        except PierheadError as failed:
            _LOG.warning("the company's policies are looked at again: %s: %s", failed.message, failed.hint)
        await asyncio.sleep(_LOOK_S)


@dataclass(slots=True)
class FollowedPolicies:
    """The files of one registry: the fleet file and those that it `named` when it could last be read.

    `_judged` is what they were when they were last judged, good or not.
    """

    fleet: Path
    data: Path
    source: PolicySource
    audit: Audit
    named: tuple[str, ...]
    _judged: _Marks | None = None
    _seen: _Marks | None = None

    async def look(self) -> None:
        """Put in force what has changed since it was last judged, once it has not changed since the last look."""
        marks = self._marks()
        if self._judged is None:
            self._judged = marks  # what the registry was started with
        is_still, self._seen = marks == self._seen, marks
        if is_still and any(self._judged.get(path) != mark for path, mark in marks.items()):
            await self._judge()
            # Of what was marked, the marks from before: what changed while it was judged is judged again.
            self._judged = {**self._marks(), **marks}

    async def _judge(self) -> None:
        now = self.source.served.current()
        try:
            company = await asyncio.to_thread(self._changed, now)
            if company is None:
                return
            revision = await declare_policies(company, self.source, _BY)
        except PierheadError as fault:
            _LOG.warning("the company's policies stay as they were: %s: %s", fault.message, fault.hint)
            await self.audit.record(PolicyRefused(now.revision, fault.code, fault.message, _BY))
        else:
            _LOG.warning("the company's policies changed: revision %s", revision.number)

    def _changed(self, now: Snapshot) -> CompanyPolicies | None:
        """The policies of the file; None, if they are those in force. Errors: Misconfigured; Invalid."""
        fleet = fleet_file.load(self.fleet, self.data)
        self.named = tuple(text.name for text in fleet.policies)
        if fleet.policies == now.policies.texts:
            return None
        known = {**dict.fromkeys(fleet.servers, ()), **{name: server.tools for name, server in now.servers.items()}}
        company = declared_policies(fleet.policies, known)
        if fleet.tests:
            require_good(judged_fleet(fleet))
        return company

    def _marks(self) -> _Marks:
        """What changes whenever a file is replaced or written."""
        return {path: _mark(path) for path in (self.fleet, *(self.fleet.parent / name for name in self.named))}


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
