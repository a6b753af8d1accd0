"""What is handed in with a version: its packet, one part at a time; and each part as it came.

For who answers for the server, reviewers and auditors; to others it reads as absent: a scan tells where something is
weak. A part is answered as a file to keep, never as something a browser would show. Below: `keep_packet`,
`read_packet`. Not here: what reviewers decide (`review_desk`).
"""

from collections.abc import Mapping
from dataclasses import asdict

from starlette.responses import Response

from pierhead.apps.registry.api.answers import HEADERS, Asked, answer, moment
from pierhead.apps.registry.api.figures import signed_form
from pierhead.apps.registry.api.sight import entry_seen, no_such_server, reviews, version_in, versions_seen
from pierhead.apps.registry.forms import body_of
from pierhead.apps.registry.packet_files import file_headers
from pierhead.core.errors import Invalid, NotFound
from pierhead.core.packet import Part, PartKind, largest
from pierhead.usecases.keep_packet import keep_part
from pierhead.usecases.ports_catalogue import Version
from pierhead.usecases.read_packet import Packet, packet_of, part_of
from pierhead.usecases.register_client import NotGranted
from pierhead.usecases.rights import is_owner, person_of


async def packet(asked: Asked) -> object:
    """What was handed in with a version, and what it says. Errors: NotFound."""
    asked.query()
    return packet_form(await packet_of(await _version(asked), asked.site.registry))


async def part(asked: Asked) -> object:
    """One part, byte for byte. Errors: NotFound."""
    asked.query()
    version, kind = await _version(asked), _kind(asked)
    content = await part_of(version, kind, asked.site.registry)
    return Response(content, 200, {**HEADERS, **file_headers(version, kind)})


async def keep(asked: Asked) -> object:
    """Hand in one part. Errors: as `keep_part`; NotFound; Invalid (`part-too-large`)."""
    asked.query()
    person_of(asked.caller)
    version, kind = await _version(asked), _kind(asked)
    try:
        content = await body_of(asked.request, largest(kind))
    except NotGranted:
        message = f"the {kind} has more than {largest(kind)} bytes"
        raise Invalid(message, hint="hand in a shorter one", code="part-too-large") from None
    kept = await keep_part(version.server, version.version, kind, content, asked.caller, asked.site.registry)
    return answer(_part(kept))


def packet_form(known: Packet) -> Mapping[str, object]:
    parts = {str(kind): known.part(kind) for kind in PartKind}
    return {
        "parts": {kind: _part(each) if each else None for kind, each in parts.items()},
        "signature": signed_form(known.signed) if known.signed else None,
    }


def _part(each: Part) -> Mapping[str, object]:
    return {
        "part": each.kind,
        "digest": each.digest,
        "size": each.size,
        "told": asdict(each.told),
        "by": each.by,
        "at": moment(each.at),
    }


async def _version(asked: Asked) -> Version:
    """The version of the address, for whom its packet is. Errors: NotFound."""
    entry = await entry_seen(asked, str(asked.request.path_params["name"]))
    if not (reviews(asked) or is_owner(entry, asked.caller, asked.site.registry.rights)):
        raise no_such_server()
    return version_in(await versions_seen(asked, entry), str(asked.request.path_params["version"]))


def _kind(asked: Asked) -> PartKind:
    """Errors: NotFound."""
    wanted = str(asked.request.path_params["part"])
    if wanted not in set(PartKind):
        raise NotFound("a packet has no such part", hint=f"one of {', '.join(PartKind)}")
    return PartKind(wanted)
