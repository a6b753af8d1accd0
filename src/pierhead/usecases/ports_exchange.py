"""What a server needs to reach its system as the caller: a credential made for that system out of the caller's sign-in.

Never the client's token, and nothing that could be sent anywhere else. Filled by `adapters/remote` and, where nobody
exchanges, by `NoExchanges`. Above: `sdk/server`. Not here: how it is made (`exchange_token`).
"""

from dataclasses import dataclass, field
from typing import Protocol

from pierhead.core.errors import Forbidden
from pierhead.core.identity import Caller


@dataclass(frozen=True, slots=True)
class Credential:
    """Of one person, for one system. Ask anew for each call: what was withdrawn meanwhile is not given again."""

    authorization: str = field(repr=False)
    """The value of the header `Authorization`."""
    expires_at: float
    """Seconds since 1970-01-01 UTC."""


class Exchanges(Protocol):
    """Makes credentials of callers."""

    async def exchanged(self, server: str, caller: Caller) -> Credential:
        """Errors: Forbidden (`no-exchange`, `exchange-refused`); UpstreamUnreachable."""
        ...


class NoExchanges:
    """Where nobody makes any."""

    async def exchanged(self, server: str, caller: Caller) -> Credential:
        del caller
        raise no_exchange(server)


def no_exchange(server: str) -> Forbidden:
    return Forbidden(
        f"{server} reaches its system with no credential of the caller",
        hint="the operator names what it is exchanged for in sign_in.exchange",
        code="no-exchange",
    )
