"""What owners change through the official API, and what callers ask of it: publish, statuses, "may I use this".

Each asks for a token first, and for one that is good for it. Steps and rights are those of every other door:
`usecases/set_status`, `usecases/publish_detail`. A server that the caller neither reaches nor owns reads as absent.
Above: `routes`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pierhead.apps.registry.api.answers import moment, reasons_of
from pierhead.apps.registry.forms import body_of, query_of
from pierhead.apps.registry.official.answers import Answer
from pierhead.apps.registry.official.asking import Asked
from pierhead.apps.registry.official.reading import absent
from pierhead.core.errors import Forbidden, Invalid, NotFound
from pierhead.core.json import Json
from pierhead.core.scope import READ, WRITE
from pierhead.usecases.explain_decision import explain_to_caller
from pierhead.usecases.official_forms import Words, server_form
from pierhead.usecases.official_listing import Item
from pierhead.usecases.ports_catalogue import Version
from pierhead.usecases.ports_official import Standing
from pierhead.usecases.publish_detail import Published, publish_detail
from pierhead.usecases.set_status import StatusAsked, set_status

_VALID_S: Final = 30.0


class StatusUpdate(BaseModel):
    """`StatusUpdateRequest` of the contract; what it does not know is passed over."""

    model_config = ConfigDict(strict=True, frozen=True)

    status: str
    statusMessage: str = Field("", max_length=500)  # noqa: N815 - the contract's name


async def publish(asked: Asked) -> Answer:
    """Register a server of our namespace. Errors: as `publish_detail`."""
    caller = await asked.eyes.caller(asked.request, WRITE)
    detail = _object(await body_of(asked.request))
    published = await publish_detail(detail, caller, asked.eyes.place, asked.desk)
    return _unkept(_published(asked, published))


async def version_status(asked: Asked) -> Answer:
    """Another status for one version. Errors: as `set_status`."""
    (item,) = await _changed(asked, asked.values["version"])
    return Answer(item.body, is_private=True, is_kept=False)


async def status(asked: Asked) -> Answer:
    """Another status for every version, or for none. Errors: as `set_status`."""
    items = await _changed(asked, "")
    bodies = b",".join(item.body for item in items)
    body = b'{"updatedCount":%d,"servers":[%b]}' % (len(items), bodies)
    return Answer(body, is_private=True, is_kept=False)


async def can_use(asked: Asked) -> Answer:
    """Whether the caller may reach a server, or use one of its tools: what a call would be told.

    Errors: NotFound, alike for what is not there and what is not the caller's to know.
    """
    caller = await asked.eyes.caller(asked.request, READ)
    query, place, site = query_of(asked.request), asked.eyes.place, asked.eyes.site
    if asked.values["namespace"] != place.namespace:
        raise NotFound("no such extension", hint=f"it is /v0.1/x/{place.namespace}/can-use")
    named = query.get("server", "")
    server = place.server_of(named) if "/" in named else named
    try:
        explained = explain_to_caller(caller, server, query.get("tool", ""), site.snapshots)
    except NotFound:
        raise absent() from None
    members: dict[str, object] = {"decision": explained.decision}
    if explained.decision == "approval":
        members["approval"] = {"class": explained.approval}
    return _unkept(
        {
            **members,
            "reasons": reasons_of(explained),
            "policy_version": explained.revision,
            "valid_until": moment(site.now() + _VALID_S),
        }
    )


async def _changed(asked: Asked, version: str) -> Sequence[Item]:
    """The items of the versions that moved, as the list now has them."""
    caller = await asked.eyes.caller(asked.request, WRITE)
    update = _update(await body_of(asked.request))
    if not asked.server:
        raise absent()
    try:
        moved = await set_status(
            StatusAsked(asked.server, version, update.status, update.statusMessage), caller, asked.desk
        )
    except NotFound:
        raise absent() from None
    except Forbidden:
        if not asked.eyes.may_reach(caller, asked.server, asked.current):
            raise absent() from None
        raise
    return await _items(asked, moved)


async def _items(asked: Asked, versions: Sequence[Version]) -> Sequence[Item]:
    current = await asked.eyes.listings.anew()
    names = {version.version for version in versions}
    items = current.listing.of_server.get(asked.server, ())
    return [item for item in items if item.standing.version in names]


def _published(asked: Asked, published: Published) -> Mapping[str, object]:
    """A `ServerResponse`; without the official block, which has no word for a version that nobody signed yet."""
    imported, place, now = published.imported, asked.eyes.place, asked.eyes.site.now()
    document = imported.document
    words = Words(str(document.get("title", "")), str(document.get("description", "")))
    standing = Standing(
        imported.name,
        published.version,
        published.stage,
        now,
        now,
        now,
        "",
        "",
        "",
        None,
        document=document,
        conditions=(),
    )
    record = {"slug": imported.name, "stage": published.stage, "notes": published.notes}
    return {
        "server": server_form(standing, words, place),
        "_meta": {f"{place.namespace}/registry": record},
    }


def _update(body: bytes) -> StatusUpdate:
    try:
        return StatusUpdate.model_validate(_object(body))
    except ValidationError as wrong:
        members = ", ".join(sorted({str(fault["loc"][0]) for fault in wrong.errors()}))
        hint = "send status (active, deprecated or deleted), and statusMessage of at most 500 characters"
        raise Invalid(f"the body cannot be read: {members}", hint=hint) from None


def _object(body: bytes) -> Mapping[str, Json]:
    """One JSON object that every parser reads alike."""
    try:
        value: object = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Invalid("the body is no JSON object, each member once", hint="see docs/reference/registry-api.md")
    return value  # pyright: ignore[reportUnknownVariableType] - JSON, by its parser


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def _unkept(content: object) -> Answer:
    return Answer(orjson.dumps(content), is_private=True, is_kept=False)
