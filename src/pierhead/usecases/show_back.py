"""Who a server's results cost what, by team: for those who answer for it, and those who see every call.

Below: `core/showback`, which says what is told. Above: the API and the server's page. Not here: what all calls cost
together, which everyone is told (`record_figures`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pierhead.core.identity import Caller
from pierhead.core.showback import TeamCost, showback
from pierhead.usecases.ports_catalogue import Catalogue
from pierhead.usecases.ports_records import Records
from pierhead.usecases.rights import Rights, is_owner


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks. `sees_all` is for those who are shown other people's calls."""

    caller: Caller
    rights: Rights
    sees_all: bool


@dataclass(frozen=True, slots=True)
class Books:
    """Where callers are kept, and which groups are teams: the first that somebody is in is theirs."""

    catalogue: Catalogue
    records: Records
    teams: Sequence[str]


async def show_back(server: str, since: float, reader: Reader, books: Books) -> tuple[TeamCost, ...] | None:
    """What each team cost since then; None where no group is a team, or it is not the reader's to see."""
    if not books.teams or not await _may_see(server, reader, books.catalogue):
        return None
    return showback(await books.records.callers_of(server, since), books.teams)


async def _may_see(server: str, reader: Reader, catalogue: Catalogue) -> bool:
    entry = await catalogue.entry(server)
    return reader.sees_all or (entry is not None and is_owner(entry, reader.caller, reader.rights))
