"""What clients read: the list, the versions of one server, and one version.

Items are sent as the bytes they were built as; only a personal view adds to them. What is not the view's to show reads
as absent. Below: `listings`, `views`, `personal`.
"""

from collections.abc import Mapping, Sequence

import orjson

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.official.answers import Answer
from pierhead.apps.registry.official.asking import Asked, includes_deleted, wanted_of
from pierhead.apps.registry.official.personal import more_of, with_record
from pierhead.apps.registry.official.views import View
from pierhead.core.errors import NotFound
from pierhead.usecases.official_cursor import Cursor, opened, sealed
from pierhead.usecases.official_forms import DELETED
from pierhead.usecases.official_listing import Item, page_of, version_of


async def servers(asked: Asked) -> Answer:
    """One page of the list.

    Errors: Invalid; `bad-cursor`, for a cursor that this view did not give.
    """
    wanted = wanted_of(asked.request)
    view = await _view(asked)
    filters, after = wanted.filters, None
    if wanted.cursor:
        place = opened(wanted.cursor, view.name, asked.key)
        filters, after = place.filters, place.after
    page = page_of(asked.current.listing, view.shows, filters, after, wanted.limit)
    following = sealed(Cursor(view.name, filters, page.last), asked.key) if page.last else ""
    return _listed(asked, view, page.items, following)


async def versions(asked: Asked) -> Answer:
    """Every version of one server, newest first. Errors: NotFound."""
    shows_deleted = includes_deleted(query_of(asked.request))
    view = await _view(asked)
    items = [item for item in _items(asked, view) if shows_deleted or item.status != DELETED]
    if not items:
        raise absent()
    return _listed(asked, view, items, "")


async def version(asked: Asked) -> Answer:
    """One version of one server; `latest` is the latest one. Errors: NotFound."""
    shows_deleted = includes_deleted(query_of(asked.request))
    view = await _view(asked)
    item = version_of(_items(asked, view), asked.values["version"], includes_deleted=shows_deleted)
    if item is None:
        raise absent()
    more = await more_of(asked, view.caller, item) if view.caller is not None else None
    return Answer(_body(asked, view, item, more), is_private=view.caller is not None)


def absent() -> NotFound:
    """One text for what is not there and what is not to be seen."""
    return NotFound("no such server or version, or not yours to see", hint="GET /v0.1/servers lists what is")


async def _view(asked: Asked) -> View:
    return await asked.eyes.view(asked.view, asked.current, asked.request)


def _items(asked: Asked, view: View) -> Sequence[Item]:
    items = asked.current.listing.of_server.get(asked.server, ())
    return [item for item in items if view.shows(item)]


def _listed(asked: Asked, view: View, items: Sequence[Item], following: str) -> Answer:
    metadata: dict[str, object] = {"count": len(items)}
    if following:
        metadata["nextCursor"] = following
    bodies = b",".join(_body(asked, view, item, None) for item in items)
    body = b'{"servers":[' + bodies + b'],"metadata":' + orjson.dumps(metadata) + b"}"
    return Answer(body, is_private=view.caller is not None)


def _body(asked: Asked, view: View, item: Item, more: Mapping[str, object] | None) -> bytes:
    if view.caller is None:
        return item.body
    return orjson.dumps(with_record(asked, view.caller, item, more))
