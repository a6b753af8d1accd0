"""Clients that a person let in, for programs that people use: shown, and taken back.

Not here: what a consent covers (`core/consent`), asking for one (`web/page_authorize`).
"""

from collections.abc import Mapping

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.core.consent import Consent
from pierhead.core.errors import Forbidden
from pierhead.core.identity import User
from pierhead.usecases.remember_consent import consents_of, revoke_consent
from pierhead.usecases.rights import person_of


async def consents(asked: Asked) -> object:
    """The caller's own. Errors: Forbidden (`person-needed`)."""
    asked.query()
    return await _consents(asked)


async def revoke(asked: Asked) -> object:
    """Errors: as `revoke_consent`; Forbidden (`person-needed`)."""
    asked.query()
    person_of(asked.caller)
    await revoke_consent(str(asked.request.path_params["id"]), _person(asked), asked.site.people.consents)
    return await _consents(asked)


async def _consents(asked: Asked) -> Mapping[str, object]:
    return {"consents": [_shown(each) for each in await consents_of(_person(asked), asked.site.people.consents)]}


def _person(asked: Asked) -> User:
    who = asked.caller.person
    if who is None:
        raise Forbidden("this is for a person to do", hint="sign in yourself", code="person-needed")
    return who


def _shown(each: Consent) -> Mapping[str, object]:
    names = ("id", "client_id", "client", "returns_to", "uses")
    times = ("given_at", "asked_again_at", "expires_at")
    told = {name: getattr(each, name) for name in names}
    return {**told, **{name: moment(getattr(each, name)) for name in times}}
