"""What servers ask for to reach their systems as the caller: part of /internal/v1, behind its key.

Below: `usecases/exchange_token`, which says for what. A server that its team runs has no such route: nothing but its
own word would say who calls. Not here: the provider.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from pierhead.apps.registry.internal import Endpoint, body_read, json_answer, members_of, require_own
from pierhead.usecases.exchange_token import ExchangeDesk, Wanted
from pierhead.usecases.ports_exchange import no_exchange


@dataclass(frozen=True, slots=True)
class InternalExchange:
    """The route over one desk; None where people sign in here."""

    desk: ExchangeDesk | None

    def routes(self) -> Mapping[str, Endpoint]:
        return {"POST /exchange": self.exchange}

    async def exchange(self, request: Request) -> Response:
        body = await body_read(request)
        server, issuer, person, call_id = members_of(body, server=str, issuer=str, person=str, call_id=str)
        require_own(request, server)
        if self.desk is None:
            raise no_exchange(server)
        made = await self.desk.exchange(Wanted(server, issuer, person, call_id))
        return json_answer({"authorization": made.authorization, "expires_at": made.expires_at})
