"""Who asks the API: the bearer of a token that was issued for it, or the person whose browser is signed in.

A token goes before a session, and a bad one is not made good by a session. Whoever comes by session must ask under
our own host name, and from one of our own pages where the method is no GET. Below: the gateway's own verifier.
"""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from pierhead.apps.authenticate import Credentials, Listener
from pierhead.apps.registry.api.answers import RESOURCE
from pierhead.apps.registry.web.safety import check_host, is_from_here
from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.core.errors import Forbidden, Unauthenticated
from pierhead.core.identity import Caller
from pierhead.usecases.record_failed_sign_ins import FailedSignIns

_SAFE: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Callers:
    """How this API finds out who asks. `failed` records tokens that were not accepted."""

    site: Site
    listener: Listener
    failed: FailedSignIns

    async def of(self, request: Request) -> Caller:
        """The caller.

        Errors: Unauthenticated, recorded; Forbidden, for another host's or another page's use of a session.
        """
        authorization = request.headers.get("authorization")
        by_session = self._by_session(request) if authorization is None else None
        return by_session or await bearer(
            authorization, f"{self.site.public_url}{RESOURCE}", self.listener, self.failed
        )

    def _by_session(self, request: Request) -> Caller | None:
        session = self.site.sessions.read(request)
        groups = self.site.tokens.people.groups(session.person) if session else None
        if session is None or groups is None:
            return None
        check_host(request.headers, self.site.public_url)
        if request.method not in _SAFE and not is_from_here(request.headers):
            raise Forbidden("the session is used from another page", hint="send an access token", code="wrong-origin")
        return Viewer(session.person, groups, session).caller(self.site)


async def bearer(authorization: str | None, audience: str, listener: Listener, failed: FailedSignIns) -> Caller:
    """Whoever holds the token that was sent, if it was issued for `audience`.

    Errors: Unauthenticated, recorded.
    """
    presented = None if authorization is None else authorization.encode("latin-1")
    try:
        caller, _ = await listener.caller(Credentials(presented), audience, "")
    except Unauthenticated as refused:
        await failed.record(refused.code, "", "")
        raise
    return caller
