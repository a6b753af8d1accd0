"""A person who let a client in is not asked about it for every server; and changes their mind.

A yes stands in for the next question only where something proves that the same client asks: it has a secret, or its
answer goes to its own host by https. Any program on a machine can listen on a loopback address, or claim the name of an
editor, so for those a person is asked each time (RFC 8252, section 8.6), and the yes is kept only to be shown and taken
back. Each use is on record. Below: `core/consent`, the port `Consents`. Above: the consent page, `/you`, the API.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pierhead.core.consent import (
    Consent,
    ConsentEnded,
    ConsentGiven,
    ConsentReused,
    consent_id,
    stands_in,
    uses_of,
    with_more,
)
from pierhead.core.errors import Conflict, NotFound
from pierhead.core.identity import User
from pierhead.usecases.grant_tokens import AuthorizationRequest, TokenDesk, scopes_of
from pierhead.usecases.ports_consents import Consents
from pierhead.usecases.ports_sign_in import Client
from pierhead.usecases.register_client import fingerprint, is_assured, place_of


@dataclass(frozen=True, slots=True)
class ConsentDesk:
    """Where consents are kept, and where tokens come from."""

    consents: Consents
    tokens: TokenDesk


async def known_consent(asked: AuthorizationRequest, person: str, desk: ConsentDesk) -> Consent | None:
    """What that person said of this client before, whether or not it still stands in for a question."""
    key = consent_id(desk.tokens.terms.people_of, person, asked.client.id, place_of(asked.redirect_uri))
    return await desk.consents.one(key, desk.tokens.clock.now())


async def reuse_consent(asked: AuthorizationRequest, person: str, desk: ConsentDesk) -> bool:
    """Whether the person need not be asked; then it is on record that they were not."""
    now, terms = desk.tokens.clock.now(), desk.tokens.terms
    known = await known_consent(asked, person, desk)
    if known is None or not is_assured(asked.redirect_uri, asked.client):
        return False
    if not stands_in(known, _described(asked.client), uses_asked(asked, terms.issuer), now):
        return False
    fact = ConsentReused(known.id, person, known.client_id, asked.resource, _scopes(asked, terms.issuer))
    await desk.consents.keep(replace(known, expires_at=max(known.expires_at, now + terms.family_s)), fact, now)
    return True


async def give_consent(asked: AuthorizationRequest, person: str, desk: ConsentDesk) -> Consent:
    """Keep the yes of `person`, with what an earlier one covers; on record before any token."""
    now, terms = desk.tokens.clock.now(), desk.tokens.terms
    again_at = now + (terms.consent_s if is_assured(asked.redirect_uri, asked.client) else 0.0)
    made = Consent(
        id=consent_id(terms.people_of, person, asked.client.id, place_of(asked.redirect_uri)),
        issuer=terms.people_of,
        person=person,
        client_id=asked.client.id,
        client=asked.client.name,
        returns_to=place_of(asked.redirect_uri),
        described=_described(asked.client),
        uses=uses_asked(asked, terms.issuer),
        given_at=now,
        asked_again_at=again_at,
        expires_at=max(again_at, now + terms.family_s),
    )
    whole = with_more(made, await known_consent(asked, person, desk), now)
    await desk.consents.keep(whole, ConsentGiven.of(whole), now)
    return whole


async def consents_of(who: User, desk: ConsentDesk) -> Sequence[Consent]:
    """The clients that this person let in, the latest first; nobody else's."""
    return await desk.consents.of(who.issuer, who.subject, desk.tokens.clock.now())


async def revoke_consent(one: str, who: User, desk: ConsentDesk) -> None:
    """Let that client in no more: it is asked for again, and what it has is not renewed.

    Errors: NotFound, also for a consent of others; Conflict (`consent-over`).
    """
    mine = {each.id: each for each in await consents_of(who, desk)}
    if one not in mine:
        raise NotFound("no such consent, or not yours", hint="see: pierhead consents list")
    if not await _end(mine[one], who.subject, "revoked", desk):
        raise Conflict("this consent is over", hint="nothing to do", code="consent-over")


async def end_consents(person: str, by: str, reason: str, desk: ConsentDesk) -> None:
    """No client of that person is let in without being asked for again."""
    for each in await desk.consents.of(desk.tokens.terms.people_of, person, desk.tokens.clock.now()):
        await _end(each, by, reason, desk)


async def _end(consent: Consent, by: str, reason: str, desk: ConsentDesk) -> bool:
    fact = ConsentEnded(consent.id, consent.person, consent.client_id, reason, by)
    return await desk.consents.end(consent, fact, desk.tokens.clock.now())


def uses_asked(asked: AuthorizationRequest, issuer: str) -> tuple[str, ...]:
    """The kinds of use that the client asks for."""
    return uses_of(_scopes(asked, issuer).split(), asked.resource.removeprefix(issuer))


def _scopes(asked: AuthorizationRequest, issuer: str) -> str:
    return scopes_of(asked.scope, asked.resource, issuer)


def _described(client: Client) -> str:
    """What the person was shown of it, and how it proves itself."""
    return fingerprint("\n".join((client.name, client.authentication, client.secret_digest, *client.redirect_uris)))
