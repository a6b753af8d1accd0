"""What vouches for a version: its digests, the program it is pinned to, its signature, and the last look at it.

Reads only. Above: the record in the API and in the personal view. Below: `read_packet`. Not here: what each digest is
over (`registry_desk.binding`), withholding what is not as signed (`compose_policy`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pierhead.core.health import Health
from pierhead.core.packet import PartKind
from pierhead.core.review import Binding
from pierhead.usecases.check_guest import artefact_of
from pierhead.usecases.ports_catalogue import Version
from pierhead.usecases.read_packet import Signed, packet_of
from pierhead.usecases.registry_desk import RegistryDesk


@dataclass(frozen=True, slots=True)
class Integrity:
    """Of one version. `artefact` is what an administrator pinned its program to, `bill` the digest (SHA-256) of its
    bill of materials; each is empty for none. `checked_at` is in seconds since 1970-01-01 UTC, zero for never.
    """

    binding: Binding
    artefact: str
    bill: str
    signed: Signed | None
    checked_at: float
    is_as_signed: bool | None
    """Whether the last look found the very definitions of `binding`; None where nobody looked at this version."""


async def integrity_of(version: Version, known: Health | None, desk: RegistryDesk) -> Integrity:
    """What vouches for it now; `known` is its server's health."""
    packet, look = await packet_of(version, desk), known.last if known else None
    bill = packet.part(PartKind.SBOM)
    is_seen = look is not None and look.version == version.manifest.version and bool(look.tools_digest)
    return Integrity(
        binding=version.binding,
        artefact=_pin(version, desk),
        bill=bill.digest if bill else "",
        signed=packet.signed,
        checked_at=look.at if look and is_seen else 0.0,
        is_as_signed=look.tools_digest == version.binding.tools_digest if look and is_seen else None,
    )


def _pin(version: Version, desk: RegistryDesk) -> str:
    command = version.document.get("command")
    words = [str(word) for word in cast("Sequence[object]", command)] if isinstance(command, list) else []
    artefact = artefact_of(words, desk.rights.guests)
    return artefact.pin if artefact else ""
