"""Every version that clients may be told of, in one order, ready to be sent; and pages of it.

Built once for a policy revision and a state of the catalogue, then read by every view: a view only chooses servers.
Pure but for the bytes it is given to make. Above: `apps/registry/official`. Below: `official_forms`. Not here:
cursors as texts (`official_cursor`), who may see which server.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pierhead.core.semver import is_release, precedence
from pierhead.core.snapshot import Snapshot
from pierhead.usecases.official_forms import (
    ACTIVE,
    DELETED,
    LATEST,
    OFFICIAL,
    STATUS,
    Form,
    Place,
    Words,
    faults,
    integrity_form,
    official_form,
    server_form,
    updated_at,
)
from pierhead.usecases.ports_official import Standing

Encode = Callable[[Form], bytes]


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """The order of a list: by full name, newest publication first. `newest` is the negated time."""

    name: str
    newest: float
    version: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What a client asked for. Empty texts and None ask for nothing in particular."""

    search: str = ""
    version: str = ""
    updated_since: float | None = None
    includes_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One version of one server: its `server.json`, the blocks beside it by key, and all of it as JSON text."""

    key: Key
    standing: Standing
    status: str
    is_latest: bool
    updated_at: float
    text: str
    server: Form = field(hash=False)
    meta: Mapping[str, Form] = field(hash=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dropped:
    """One version that was left out, because a client would refuse the page it stands on."""

    server: str
    version: str
    fault: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Every item in the order of its key, the same by server, and what was left out."""

    items: Sequence[Item]
    of_server: Mapping[str, Sequence[Item]] = field(hash=False)
    dropped: Sequence[Dropped]
    keys: Sequence[Key]


@dataclass(frozen=True, slots=True)
class Page:
    """Some items, and the key of the last one if there are more."""

    items: Sequence[Item]
    last: Key | None


def build_listing(known: Iterable[Standing], snapshot: Snapshot, place: Place, encode: Encode) -> Listing:
    """The list of everything that `known` holds, as this place shows it."""
    good: list[tuple[Standing, Form]] = []
    dropped: list[Dropped] = []
    for standing in known:
        server = server_form(standing, _words(standing, snapshot), place)
        wrong = faults(server)
        if wrong:
            dropped.append(Dropped(standing.server, standing.version, "; ".join(wrong)))
        else:
            good.append((standing, server))
    latest = latest_versions(standing for standing, _ in good)
    items = [_item(standing, _blocks(standing, latest, place), server, encode) for standing, server in good]
    items.sort(key=lambda item: item.key)
    of_server: dict[str, list[Item]] = {}
    for item in items:
        of_server.setdefault(item.standing.server, []).append(item)
    return Listing(items, of_server, dropped, [item.key for item in items])


def latest_versions(standings: Iterable[Standing]) -> Mapping[str, str]:
    """Of each server the one version that is the latest.

    The highest release among the deployed, else the highest of them. Where none is deployed: the same among the
    deprecated, then among all.
    """
    best: dict[str, Standing] = {}
    for standing in standings:
        known = best.get(standing.server)
        if known is None or _rank(standing) > _rank(known):
            best[standing.server] = standing
    return {server: standing.version for server, standing in best.items()}


def _rank(standing: Standing) -> tuple[object, ...]:
    status = STATUS[standing.stage]
    order = precedence(standing.version)
    return status == ACTIVE, status != DELETED, is_release(standing.version), order, standing.published_at


def page_of(listing: Listing, shows: Callable[[Item], bool], filters: Filters, after: Key | None, limit: int) -> Page:
    """At most `limit` items behind `after`, that `shows` lets through."""
    found: list[Item] = []
    begin = bisect_right(listing.keys, after) if after else 0
    for item in islice(listing.items, begin, None):
        if not _is_wanted(item, filters) or not shows(item):
            continue
        if len(found) == limit:
            return Page(found, found[-1].key)
        found.append(item)
    return Page(found, None)


def _is_wanted(item: Item, filters: Filters) -> bool:
    since = filters.updated_since
    if item.status == DELETED and not filters.includes_deleted and since is None:
        return False
    if filters.version and not _is_version(item, filters.version):
        return False
    return filters.search in item.text and (since is None or item.updated_at >= since)


def version_of(items: Iterable[Item], version: str, *, includes_deleted: bool) -> Item | None:
    """The item of that version; `latest` is the latest one."""
    return next(
        (item for item in items if _is_version(item, version) and (includes_deleted or item.status != DELETED)), None
    )


def _is_version(item: Item, version: str) -> bool:
    return item.is_latest if version == LATEST else item.standing.version == version


def _blocks(standing: Standing, latest: Mapping[str, str], place: Place) -> dict[str, Form]:
    """What stands beside a `server.json`, by key: the registry's own block, and the digests."""
    official = official_form(standing, is_latest=latest[standing.server] == standing.version)
    digests = {place.integrity: integrity_form(standing.binding)} if standing.binding else {}
    return {OFFICIAL: official, **digests}


def _item(standing: Standing, meta: Mapping[str, Form], server: Form, encode: Encode) -> Item:
    name = str(server["name"])
    return Item(
        key=Key(name, -standing.published_at, standing.version),
        standing=standing,
        status=STATUS[standing.stage],
        is_latest=bool(meta[OFFICIAL]["isLatest"]),
        updated_at=updated_at(standing),
        text=searched(f"{name}\n{server['description']}"),
        server=server,
        meta=meta,
        body=encode({"server": server, "_meta": meta}),
    )


def searched(text: str) -> str:
    """A text as it is compared in a search: without case."""
    return text.casefold()


def _words(standing: Standing, snapshot: Snapshot) -> Words:
    """What was signed of the owner's words; where they are silent, what the policy in force holds of the server."""
    document, live = standing.document, snapshot.servers.get(standing.server)
    title, description = str(document.get("title") or ""), str(document.get("description") or "")
    return Words(title or (live.title if live else ""), description or (live.description if live else ""))
