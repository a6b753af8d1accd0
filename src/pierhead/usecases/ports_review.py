"""Who else has a say in what is taken in: the keys that an operator pinned, and a program of the company that may veto.

Filled by `adapters/packet_keys` and `adapters/foreign/vetting`; by `NO_KEYS` and `NOBODY` where nothing is set up. Not
here: what is signed (`read_packet`), when the program is asked (`vet_offer`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pierhead.core.json import Json


class SignatureKeys(Protocol):
    """The public keys that an operator pinned, by name."""

    def are_there(self) -> bool:
        """Whether any is pinned."""
        ...

    def signer(self, message: bytes, signatures: Sequence[bytes]) -> str:
        """The name of a pinned key that made one of these signatures over exactly that message; empty for none."""
        ...


@dataclass(frozen=True, slots=True)
class NoKeys:
    """Fills `SignatureKeys` where none is pinned: nothing is verified."""

    def are_there(self) -> bool:
        return False

    def signer(self, message: bytes, signatures: Sequence[bytes]) -> str:
        del message, signatures
        return ""


NO_KEYS: Final = NoKeys()


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody wants taken in. `event` is register or submit; `content` is what the program is told of it."""

    id: str
    event: str
    server: str
    version: str
    by: str
    content: Mapping[str, Json] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Vetted:
    """What the program said; `reason` is its own text, shown to who offered."""

    allows: bool
    reason: str


class Vetting(Protocol):
    """The company's own word on what is registered and submitted."""

    def is_asked(self) -> bool:
        """Whether there is anybody to ask."""
        ...

    async def ask(self, offer: Offer, now: float) -> Vetted:
        """Errors: UpstreamUnreachable (`vetting-failed`), for everything but a clear answer in time."""
        ...


@dataclass(frozen=True, slots=True)
class Nobody:
    """Fills `Vetting` where no program is set up: it is never asked."""

    def is_asked(self) -> bool:
        return False

    async def ask(self, offer: Offer, now: float) -> Vetted:
        del offer, now
        return Vetted(allows=False, reason="nobody is set up to be asked")


NOBODY: Final = Nobody()
