"""A part of a version's packet, handed in: read once, kept whole, bound to exactly that version.

While nobody reviews the version its packet may grow; what reviewers have before them does not change under their eyes.
Above: the API, and with it the command line. Below: `registry_desk`. Not here: what the whole packet says
(`read_packet`).
"""

import hashlib
from typing import Final

from pierhead.core.audit_reviews import PacketPartKept
from pierhead.core.catalog import Stage
from pierhead.core.errors import Conflict
from pierhead.core.identity import Caller
from pierhead.core.packet import Part, PartKind, packet_key
from pierhead.core.packet_reading import read_part
from pierhead.usecases.ports_catalogue import Change
from pierhead.usecases.registry_desk import RegistryDesk, commit, entry_of, version_of
from pierhead.usecases.rights import is_owner, person_of, require

_OPEN: Final = frozenset({Stage.REGISTERED, Stage.REJECTED})


async def keep_part(
    server: str, version: str, kind: PartKind, content: bytes, caller: Caller, desk: RegistryDesk
) -> Part:
    """Keep it, in place of an earlier one of its kind.

    Errors: NotFound; Forbidden (`not-yours`, `person-needed`); Invalid (`unreadable-part`, `part-too-large`); Conflict
    (`packet-closed`, `changed-meanwhile`).
    """
    by = person_of(caller)
    entry, known = await entry_of(server, desk), await version_of(server, version, desk)
    require("" if is_owner(entry, caller, desk.rights) else f"the packet of {server} is its owner's to hand in")
    if known.stage not in _OPEN:
        raise Conflict(
            f"{server} {version} is {known.stage}: its packet is as its reviewers have it",
            hint="withdraw it, hand in the part, and submit it again",
            code="packet-closed",
        )
    told, digest = read_part(kind, content), hashlib.sha256(content).hexdigest()
    key, now = packet_key(known.binding), desk.clock.now()
    part = Part(key, server, version, kind, digest, len(content), told, by, now)
    fact = PacketPartKept(server, version, str(kind), digest, len(content), by)
    # the version goes with it, so that whoever submits it meanwhile meets a conflict
    await commit(Change((fact,), versions=(known,), parts=((part, content),)), desk)
    return part
