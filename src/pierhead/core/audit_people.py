"""The facts of what people lose and get back, whatever their credentials say. Part of the closed set in `audit`.

Field names are the wire format: add, never rename. Never a credential, nor a part of one.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PersonWithdrawn:
    """A person lost what was issued to them `before` that moment (0: nothing), and these groups until restored."""

    person: str
    issuer: str
    before: float
    groups: tuple[str, ...]
    by: str
    reason: str
    kind: str = "person-withdrawn"


@dataclass(frozen=True, slots=True)
class PersonRestored:
    """Groups that had been withdrawn count again, where the person's sign-in states them."""

    person: str
    issuer: str
    groups: tuple[str, ...]
    by: str
    reason: str
    kind: str = "person-restored"


@dataclass(frozen=True, slots=True)
class TokenExchanged:
    """A person's sign-in was exchanged for a credential of the system behind a server; of the call that asked first."""

    person: str
    server: str
    audience: str
    call_id: str
    kind: str = "token-exchanged"


PeopleFact = PersonWithdrawn | PersonRestored | TokenExchanged
