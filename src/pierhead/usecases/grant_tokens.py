"""From a person's yes to tokens: codes, access tokens, refresh families, and what ends them.

OAuth 2.1 as MCP needs it, without HTTP: PKCE S256 always, one resource a token (RFC 8707), codes spent once,
refresh tokens that rotate and betray their theft. A second use of a code, or of a refresh token after its grace,
ends the whole family. An access token lives minutes and is not recalled; ending its family ends what follows.
Below: `register_client`. Above: `apps/registry/oauth`, `apps/registry/internal` (for `pierhead token`).
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from hashlib import sha256
from math import ceil
from typing import Final

from pierhead.core.audit_sign_in import SignInFailed, TokenIssued, TokenRevoked
from pierhead.core.claims import claims_form
from pierhead.core.errors import NotFound
from pierhead.core.scope import granted, is_within
from pierhead.usecases.ports import Audit, Clock
from pierhead.usecases.ports_sign_in import (
    Client,
    ClientBook,
    Code,
    People,
    RefreshToken,
    SignInStore,
    SpentRefreshToken,
    TokenSigner,
)
from pierhead.usecases.register_client import NotGranted, fingerprint, is_registered_redirect

_RESOURCE: Final = re.compile(r"/mcp(/[a-z0-9][a-z0-9_-]{0,62})?|/api/v1|/r/me")
_LONGEST_SCOPE: Final = 2048
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class Terms:
    """How long things live, in seconds. `issuer` is the platform's public URL, without a trailing slash."""

    issuer: str
    code_s: float = 60
    access_s: int = 600
    family_s: float = 30 * 24 * 3600
    grace_s: float = 60
    """How long a spent refresh token still answers: clients refresh in parallel."""
    consent_s: float = 90 * 24 * 3600
    """How long a yes to a client that proves itself stands in for the next question; 0: each is asked."""
    provider: str = ""
    """The issuer whose people sign in here; empty: the built-in sign-in's own."""

    @property
    def people_of(self) -> str:
        """Whose people a token is about: with the subject that is the identity, however somebody comes."""
        return self.provider or self.issuer

    def digest(self, secret: str) -> str:
        """What is kept of a code or refresh token. Those granted to people of another sign-in are not known again."""
        return fingerprint(f"{self.provider} {secret}" if self.provider else secret)


@dataclass(frozen=True, slots=True)
class TokenDesk:
    """Everything granting a token needs."""

    store: SignInStore
    clients: ClientBook
    """The clients of the store, and those that are known otherwise."""
    signer: TokenSigner
    people: People
    audit: Audit
    clock: Clock
    terms: Terms


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a client asks a person's yes for."""

    client: Client
    redirect_uri: str
    challenge: str
    resource: str
    state: str
    scope: str = ""
    """As the client asked for it; what that grants is `scopes_of`."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client receives. `refresh` is never kept here in the clear."""

    access: str
    expires_in: int
    refresh: str
    scope: str = ""


def is_resource(resource: str, issuer: str) -> bool:
    """Whether `resource` could be one of ours; existing and unknown servers read alike."""
    return resource.startswith(issuer) and _RESOURCE.fullmatch(resource, len(issuer)) is not None


def server_of(resource: str, issuer: str) -> str:
    """The server that `resource` is, or an empty text."""
    return resource.removeprefix(f"{issuer}/mcp/") if resource.startswith(f"{issuer}/mcp/") else ""


def scopes_of(asked: str, resource: str, issuer: str) -> str:
    """What a client that asks for these scopes of `resource` is granted; the least where it asks for none."""
    return granted(asked, resource.removeprefix(issuer))


def check_request(asked: AuthorizationRequest, challenge_method: str, issuer: str) -> None:
    """The rules of an authorization request whose client and redirect are already known to be good.

    Errors: NotGranted, `invalid_request`, `invalid_target` or `invalid_scope`.
    """
    if challenge_method != "S256" or not _CHALLENGE.fullmatch(asked.challenge):
        raise NotGranted(
            "code_challenge with code_challenge_method=S256 is required", hint="use PKCE with S256 (RFC 7636)"
        )
    check_scope(asked.scope)
    if not is_resource(asked.resource, issuer):
        raise NotGranted(
            "resource must name one server of this platform",
            hint=f"send resource={issuer}/mcp/NAME (RFC 8707)",
            code="invalid_target",
        )


def check_scope(asked: str) -> None:
    """Errors: NotGranted `invalid_scope`, for more words than anybody needs at once."""
    if len(asked) > _LONGEST_SCOPE:
        raise NotGranted("scope is too long", hint="ask for what you need first", code="invalid_scope")


async def grant_code(asked: AuthorizationRequest, person: str, at: TokenDesk, proved_at: float = 0.0) -> str:
    """A code for what `person` just agreed to, who proved who they are at `proved_at`; 0 where nobody knows."""
    code = secrets.token_urlsafe(32)
    await at.store.add_code(
        Code(
            digest=at.terms.digest(code),
            family=secrets.token_urlsafe(16),
            client_id=asked.client.id,
            redirect_uri=asked.redirect_uri,
            challenge=asked.challenge,
            person=person,
            resource=asked.resource,
            expires_at=at.clock.now() + at.terms.code_s,
            scope=scopes_of(asked.scope, asked.resource, at.terms.issuer),
            proved_at=proved_at,
        )
    )
    return code


@dataclass(frozen=True, slots=True)
class CodeExchange:
    """A code as a client presents it. `resource` may be empty: then it is that of the code."""

    code: str
    verifier: str
    redirect_uri: str
    resource: str


async def exchange_code(presented: CodeExchange, client: Client, at: TokenDesk) -> Tokens:
    """Tokens for a code.

    The code is spent by the attempt, whatever comes of it; a second attempt ends its family.
    Errors: NotGranted `invalid_grant` or `invalid_target`, recorded.
    """
    spent = await at.store.spend_code(at.terms.digest(presented.code), at.clock.now())
    if spent is None:
        raise await _not_granted("code-unknown", client, "", at)
    code, server = spent.code, server_of(spent.code.resource, at.terms.issuer)
    if spent.again:
        await end_family(code.family, code.person, "code-replayed", at)
        raise await _not_granted("code-replayed", client, server, at)
    fault = _code_fault(code, presented, client, at.clock.now())
    if fault:
        raise await _not_granted(fault, client, server, at)
    _same_resource(presented.resource, code.resource)
    ends = at.clock.now() + at.terms.family_s
    family = RefreshToken("", code.family, client.id, code.person, code.resource, ends, code.scope, code.proved_at)
    return await _tokens(family, family.scope, client, at)


def _code_fault(code: Code, presented: CodeExchange, client: Client, now: float) -> str:
    """Why a code is not accepted, or an empty text."""
    if code.client_id != client.id:
        return "code-of-another-client"
    if code.expires_at <= now:
        return "code-expired"
    if code.redirect_uri != presented.redirect_uri or not is_registered_redirect(presented.redirect_uri, client):
        return "redirect-mismatch"
    return "" if _proves(presented.verifier, code.challenge) else "pkce-mismatch"


def _proves(verifier: str, challenge: str) -> bool:
    """RFC 7636, section 4.6, S256."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    proof = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(proof, challenge.encode())


async def refresh(token: str, resource: str, client: Client, at: TokenDesk, scope: str = "") -> Tokens:
    """The next tokens of a family; the access token for fewer scopes, if fewer are asked for.

    Errors: NotGranted `invalid_grant`, `invalid_target` or `invalid_scope`, recorded but for the last two; reuse after
    the grace ends the family.
    """
    spent = await at.store.spend_refresh_token(at.terms.digest(token), at.clock.now())
    if spent is None or spent.token.client_id != client.id:
        raise await _not_granted("refresh-token-unknown", client, "", at)
    fault = _refresh_fault(spent, at.clock.now(), at.terms)
    if fault == "refresh-token-reused":
        await end_family(spent.token.family, spent.token.person, fault, at)
    if fault:
        raise await _not_granted(fault, client, server_of(spent.token.resource, at.terms.issuer), at)
    _same_resource(resource, spent.token.resource)
    return await _tokens(spent.token, _no_more(scope, spent.token, at.terms.issuer), client, at)


def _no_more(asked: str, family: RefreshToken, issuer: str) -> str:
    """The scopes of the next access token: those that are asked for, if the family has them (RFC 6749, section 6)."""
    had = scopes_of(family.scope, family.resource, issuer)  # of a family from before scopes: as if it asked for none
    if not asked:
        return had
    wanted = scopes_of(asked, family.resource, issuer)
    if not is_within(wanted, had):
        raise NotGranted("scope is wider than what was granted", hint="sign in again for more", code="invalid_scope")
    return wanted


def _refresh_fault(spent: SpentRefreshToken, now: float, terms: Terms) -> str:
    if spent.is_revoked:
        return "family-revoked"
    if spent.token.expires_at <= now:
        return "refresh-token-expired"
    return "refresh-token-reused" if now - spent.first_spent_at > terms.grace_s else ""


async def revoke(token: str, client: Client, at: TokenDesk) -> None:
    """End the family that `token`, access or refresh, belongs to; silent for what is unknown (RFC 7009)."""
    claims = at.signer.read(token)
    if claims is not None:
        if claims.get("client_id") == client.id:
            await end_family(str(claims["jti"]).partition(".")[0], str(claims["sub"]), "revoked-by-client", at)
        return
    spent = await at.store.spend_refresh_token(at.terms.digest(token), at.clock.now())
    if spent is not None and spent.token.client_id == client.id:
        await end_family(spent.token.family, spent.token.person, "revoked-by-client", at)


async def end_family(family: str, person: str, reason: str, at: TokenDesk) -> None:
    """Nothing of this family is refreshed again. Recorded once."""
    if await at.store.revoke_family(family, at.clock.now()):
        await at.audit.record(TokenRevoked(token_id=family, person=person, reason=reason))


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token says: whose, for which resource (several: a space between), through which client."""

    person: str
    resource: str
    client_id: str
    family: str
    ttl_s: int
    scope: str = ""
    """Space-separated; empty is the least."""
    proved_at: float = 0.0
    """When the person proved who they are: stays what it was, however often the token is renewed."""


async def issue(grant: Grant, at: TokenDesk) -> tuple[str, float]:
    """A signed access token and when it expires. Recorded before it leaves.

    Errors: NotFound, for a person who is not (any more) known here.
    """
    groups = at.people.groups(grant.person)
    if groups is None:
        raise NotFound(f"nobody here is called {grant.person!r}", hint=f"known: {', '.join(at.people.names())}")
    now = int(at.clock.now())
    issued = max(now, ceil(at.people.void_before(grant.person)))  # made after that moment, though in the same second
    token_id = f"{grant.family}.{secrets.token_urlsafe(8)}"
    claims: dict[str, object] = {
        "iss": at.terms.issuer,
        "aud": grant.resource if " " not in grant.resource else grant.resource.split(" "),
        "sub": grant.person,
        "groups": sorted(groups),
        "client_id": grant.client_id,
        "iat": issued,
        "exp": now + grant.ttl_s,
        "jti": token_id,
    }
    if at.terms.provider:
        claims["sub_iss"] = at.terms.provider
    if grant.scope:
        claims["scope"] = grant.scope
    if grant.proved_at:
        claims["auth_time"] = int(grant.proved_at)
    if stated := at.people.claims(grant.person):
        claims["claims"] = claims_form(stated)
    await at.audit.record(TokenIssued(token_id, grant.person, grant.client_id, grant.resource, grant.scope))
    return at.signer.sign(claims), float(now + grant.ttl_s)


async def _tokens(family: RefreshToken, scope: str, client: Client, at: TokenDesk) -> Tokens:
    """An access token for `scope`, and the family's next refresh token for all that the family has."""
    life_s, proved_at = at.terms.access_s, family.proved_at
    grant = Grant(family.person, family.resource, client.id, family.family, life_s, scope, proved_at)
    try:
        access, _ = await issue(grant, at)
    except NotFound:
        raise await _not_granted("person-unknown", client, "", at) from None
    following = secrets.token_urlsafe(32)
    await at.store.add_refresh_token(replace(family, digest=at.terms.digest(following)))
    return Tokens(access, at.terms.access_s, following, scope)


def _same_resource(asked: str, granted: str) -> None:
    if asked not in {"", granted}:
        raise NotGranted(
            "resource differs from the one that was granted", hint="ask for the other anew", code="invalid_target"
        )


async def _not_granted(reason: str, client: Client, server: str, at: TokenDesk) -> NotGranted:
    """Recorded with its reason; the client reads no more than that it is not valid."""
    await at.audit.record(SignInFailed(reason=reason, server=server, client=client.id))
    return NotGranted("the code or refresh token is not valid", hint="sign in again", code="invalid_grant")
