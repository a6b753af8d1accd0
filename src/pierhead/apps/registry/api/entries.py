"""Servers as declared: registering one, and declaring something else of it. Nothing can be called by that alone.

An entry is what stands under one server's name in a fleet file. Who changes it says which state they saw (`If-Match`).
Below: `usecases/register_server`. Not here: versions (`versions`), what callers are shown (`catalogue`).
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final, cast

from pydantic import Field

from pierhead.apps.registry.api.answers import Asked, answer, moment
from pierhead.apps.registry.api.bodies import Name, Strict, read_body
from pierhead.apps.registry.api.sight import entry_seen, no_such_server, reviews
from pierhead.core.definitions import document_digest
from pierhead.core.errors import Invalid
from pierhead.core.json import Json
from pierhead.usecases.entry_shown import masked, shown
from pierhead.usecases.import_server import import_server
from pierhead.usecases.ports_catalogue import Entry
from pierhead.usecases.register_server import change_entry, register_server
from pierhead.usecases.rights import is_owner, person_of

_BODY: Final = 256 * 1024
_TAG: Final = re.compile(r'"([0-9]{1,15})"')
_Document = Annotated[Mapping[str, object], Field(min_length=1, max_length=100)]


class NewServer(Strict):
    """A server that somebody offers: the entry alone, or what only they can say beside another registry's document."""

    name: Name
    entry: _Document
    server_json: Annotated[Mapping[str, object], Field(max_length=100)] | None = None


class ChangedEntry(Strict):
    """What is to be declared of it from now on, whole."""

    entry: _Document


async def register(asked: Asked) -> object:
    """Take in a server.

    Errors: as `register_server` and `import_server`; Invalid.
    """
    asked.query()
    person_of(asked.caller)
    offered = await read_body(NewServer, asked, "register", _BODY)
    _refuse_masks(offered.entry)
    desk, document = asked.site.registry, _json(offered.entry)
    if offered.server_json is not None:
        document = import_server(offered.server_json, document, desk.rights.guests, offered.name).document
    entry = await register_server(offered.name, document, asked.caller, desk)
    headers = {"location": f"/api/v1/servers/{entry.name}", "etag": tag_of(entry)}
    return answer(entry_form(entry), 201, headers)


async def entry(asked: Asked) -> object:
    """What is declared of a server, for its owners, reviewers and auditors.

    Errors: NotFound, alike for what is not there and what is not the caller's to read.
    """
    asked.query()
    found = await entry_seen(asked, str(asked.request.path_params["name"]))
    if not (reviews(asked) or is_owner(found, asked.caller, asked.site.registry.rights)):
        raise no_such_server()
    return answer(entry_form(found), 200, {"etag": tag_of(found)})


async def change(asked: Asked) -> object:
    """Declare something else of a server, if nobody did meanwhile.

    Errors: as `change_entry`; NotFound; Invalid (`precondition-required`, `precondition-failed`).
    """
    asked.query()
    known = await entry_seen(asked, str(asked.request.path_params["name"]))
    lock = _lock(asked)
    offered = await read_body(ChangedEntry, asked, "changeEntry", _BODY)
    if is_owner(known, asked.caller, asked.site.registry.rights) and lock != known.lock:
        raise Invalid(
            "the entry is no longer the one that was read",
            hint="read it again, then decide",
            code="precondition-failed",
        )
    _refuse_masks(offered.entry)
    changed = await change_entry(known.name, _json(offered.entry), lock, asked.caller, asked.site.registry)
    return answer(entry_form(changed), 200, {"etag": tag_of(changed)})


def tag_of(known: Entry) -> str:
    """The entity tag of an entry: the count of its changes."""
    return f'"{known.lock}"'


def entry_form(known: Entry) -> Mapping[str, object]:
    return {
        "name": known.name,
        "entry": shown(known.document),
        "digest": document_digest(known.document),
        "origin": known.origin,
        "registered_by": known.by,
        "registered_at": moment(known.at),
        "current": known.current or None,
    }


def _refuse_masks(document: Mapping[str, object]) -> None:
    """What was shown without its secrets is not to be kept so. Errors: Invalid (`bad-entry`)."""
    members = masked(_json(document))
    if members:
        raise Invalid(
            f"the entry holds *** where a secret belongs: {', '.join(members)}",
            hint="send what is meant; what the registry shows of an entry hides its secrets",
            code="bad-entry",
        )


def _lock(asked: Asked) -> int:
    sent = asked.request.headers.get("if-match")
    if sent is None:
        hint = "send If-Match with the ETag that GET of the entry answered"
        raise Invalid("this change needs If-Match", hint=hint, code="precondition-required")
    found = _TAG.fullmatch(sent)
    if found is None:
        raise Invalid("If-Match is no tag of an entry", hint='send it as it was answered: "7"')
    return int(found[1])


def _json(document: Mapping[str, object]) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", document)
