"""What is known of a program before it asks: how a SPIFFE ID reads, and the place each one was registered for.

A workload without a registration is nobody here: surface and environment are never taken from what a request says.
Not here: how an identity is proved (`adapters/spiffe`), and what it may do (`policy`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pierhead.core.errors import Invalid
from pierhead.core.identity import Caller, Workload

_LONGEST: Final = 2048
_DOMAIN: Final = r"[a-z0-9._-]{1,255}"
_SPIFFE_ID: Final = re.compile(rf"spiffe://({_DOMAIN})((?:/[A-Za-z0-9._-]+)+)")
_TRUST_DOMAIN: Final = re.compile(_DOMAIN)


CHATS: Final = frozenset({"chat", "channel"})
"""Surfaces whose workloads may say in which channel a person speaks."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Where a workload stands: the surface and environment of every call that comes through it.

    `interactive` says that a person sits before it, who can answer a question in their own name. `scopes` are those of
    its own proofs (`core/scope`), which hold back also a person who comes through it.
    """

    surface: str
    environment: str
    interactive: bool = False
    scopes: frozenset[str] = frozenset()


Registered = Mapping[str, Registration]
"""SPIFFE ID to where it stands."""

NOWHERE: Final = Registration("", "")
"""Where a workload stands that nobody registered: whatever is open in some place only is closed to it."""


def standing(caller: Caller, registered: Registered) -> Caller:
    """The caller where their calls come from: through a workload, that is where it is registered."""
    program = caller.workload
    if program is None:
        return caller
    place = registered.get(program.spiffe_id, NOWHERE)
    return replace(caller, surface=place.surface, environment=place.environment)


@dataclass(frozen=True, slots=True)
class Proven:
    """A workload that proved itself, where it stands, and until when that is known (seconds since 1970-01-01 UTC)."""

    workload: Workload
    registration: Registration
    until: float


def trust_domain_of(spiffe_id: str) -> str:
    """The trust domain of a workload's SPIFFE ID, in its one spelling.

    Errors: Invalid (`bad-spiffe-id`), also for the ID of a trust domain itself, which names no workload.
    Source: the SPIFFE ID standard, section 2.
    """
    found = _SPIFFE_ID.fullmatch(spiffe_id) if len(spiffe_id) <= _LONGEST else None
    if found is None or not {".", ".."}.isdisjoint(found[2].split("/")):
        message = f"{spiffe_id[:128]!r} is no SPIFFE ID of a workload"
        raise Invalid(message, hint="write spiffe://TRUST-DOMAIN/PATH", code="bad-spiffe-id")
    return found[1]


def is_trust_domain(text: str) -> bool:
    """Whether `text` can name a trust domain."""
    return _TRUST_DOMAIN.fullmatch(text) is not None
