"""What a version's packet says, and whether its signature holds today, by a key that the operator pins today.

Reads only. A signature counts if it is over something that this version is bound to: its tools, its entry, or the file
that an administrator pinned its program to. Above: the review page, the API. Not here: handing in (`keep_packet`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from pierhead.core.errors import NotFound
from pierhead.core.packet import Part, PartKind, packet_key
from pierhead.core.packet_reading import read_envelope
from pierhead.usecases.check_guest import artefact_of
from pierhead.usecases.ports_catalogue import Version
from pierhead.usecases.registry_desk import RegistryDesk

_PIN: Final = "@sha256:"


@dataclass(frozen=True, slots=True)
class Signed:
    """What became of a signature: the pinned `key` that made it, and what it is over; or `why_not`."""

    key: str
    over: tuple[str, ...]
    why_not: str

    @property
    def is_verified(self) -> bool:
        return not self.why_not


@dataclass(frozen=True, slots=True)
class Packet:
    """The parts that were handed in, by kind; `signed` is None where there is no signature."""

    parts: tuple[Part, ...]
    signed: Signed | None

    def part(self, kind: PartKind) -> Part | None:
        return next((part for part in self.parts if part.kind is kind), None)


async def packet_of(version: Version, desk: RegistryDesk) -> Packet:
    """The packet of exactly that version, its signature asked again."""
    key = packet_key(version.binding)
    parts = tuple(await desk.catalogue.packet(key))
    envelope = await desk.catalogue.part(key, PartKind.SIGNATURE)
    return Packet(parts, _signed(envelope, version, desk) if envelope is not None else None)


async def part_of(version: Version, kind: PartKind, desk: RegistryDesk) -> bytes:
    """The very bytes of a part. Errors: NotFound."""
    content = await desk.catalogue.part(packet_key(version.binding), kind)
    if content is None:
        message = f"{version.server} {version.version} has no {kind} in its packet"
        raise NotFound(message, hint=f"its owner hands it in: pierhead server publish {version.server} --{kind} FILE")
    return content


def _signed(content: bytes, version: Version, desk: RegistryDesk) -> Signed:
    envelope = read_envelope(content)  # it was read when it was taken in
    named = bound_digests(version, desk)
    over = tuple(named[digest] for digest in envelope.statement.subjects if digest in named)
    if not desk.signatures.are_there():
        return Signed("", over, "no key is pinned here")
    key = desk.signatures.signer(envelope.message, envelope.signatures)
    if not key:
        return Signed("", over, "no pinned key made it")
    return Signed(key, over, "" if over else "it is over something else than this version")


def bound_digests(version: Version, desk: RegistryDesk) -> Mapping[str, str]:
    """What of a version can be signed, by digest."""
    found = {version.binding.tools_digest: "tools", version.binding.manifest_digest: "entry"}
    command = version.document.get("command")
    if isinstance(command, list):
        words = [str(word) for word in cast("Sequence[object]", command)]
        artefact = artefact_of(words, desk.rights.guests)
        pinned = artefact.pin.partition(_PIN)[2] if artefact else ""
        found |= {pinned: "program"} if pinned else {}
    return found
