"""`POST /oauth/backchannel-logout`: the company's identity provider says that somebody's session is over.

OpenID Connect Back-Channel Logout 1.0: the message is a token that the provider signed for us; nobody is signed in
here, and nothing else proves who sends. Without a provider there is no such route. Below: `reconfirm_people`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pierhead.apps.registry.forms import form_of
from pierhead.core.errors import PierheadError, Unauthenticated
from pierhead.usecases.federate import Federation
from pierhead.usecases.grant_tokens import NotGranted
from pierhead.usecases.reconfirm_people import told_of_logout
from pierhead.usecases.record_failed_sign_ins import FailedSignIns
from pierhead.usecases.withdraw_person import PeopleDesk

_CLIENT: Final = "backchannel-logout"
_NO_STORE: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Logout:
    """Takes the provider's word, and records what was none of it."""

    federation: Federation
    people: PeopleDesk
    failed: FailedSignIns

    def route(self) -> Route:
        return Route("/oauth/backchannel-logout", self.take, methods=["POST"])

    async def take(self, request: Request) -> Response:
        try:
            token = (await form_of(request)).get("logout_token", "")
            await told_of_logout(token, self.federation, self.people)
        except Unauthenticated as refused:
            await self.failed.record(refused.code, "", _CLIENT)
            return _answer({"error": "invalid_request", "error_description": "the logout token was not accepted"}, 400)
        except NotGranted as unread:
            return _answer({"error": unread.code, "error_description": unread.message}, 400)
        except PierheadError as failed:
            return _answer({"error": "temporarily_unavailable", "error_description": failed.message}, 503)
        return Response(status_code=200, headers=_NO_STORE)


def _answer(content: Mapping[str, str], status: int) -> Response:
    return Response(orjson.dumps(content), status, _NO_STORE, media_type="application/json")
