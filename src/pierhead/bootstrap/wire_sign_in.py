"""Whose tokens are accepted and where people sign in, from the settings: for the registry and the gateway alike."""

from collections.abc import Awaitable, Callable
from typing import Final

from pierhead.adapters.oidc import CompanyProvider, Issuer, Registered, keys_of
from pierhead.bootstrap.settings import client_secret
from pierhead.bootstrap.sign_in_settings import SignInSettings
from pierhead.usecases.ports import Clock

_OWN_ALGORITHMS: Final = frozenset({"RS256"})


def own_issuer(public_url: str, sign_in: SignInSettings, fetch_keys: Callable[[], Awaitable[bytes]]) -> Issuer:
    """Pierhead's authorization server, which vouches for the provider's people where there is a provider."""
    return Issuer(public_url, _OWN_ALGORITHMS, fetch_keys, people=sign_in.issuer)


def company_issuer(sign_in: SignInSettings, clock: Clock) -> Issuer | None:
    """The identity provider, whose plain access tokens are accepted too."""
    if not sign_in.is_elsewhere:
        return None
    return Issuer(
        name=sign_in.issuer,
        algorithms=frozenset(sign_in.algorithms),
        fetch_keys=keys_of(sign_in.issuer, clock),
        mapping=sign_in.mapping,
        types=frozenset(sign_in.token_types) | {f"application/{kind}" for kind in sign_in.token_types},
        audience=sign_in.audience,
        scopes=frozenset(sign_in.token_scopes),
    )


def identity_provider(sign_in: SignInSettings, clock: Clock) -> CompanyProvider:
    """Where people sign in. Errors: Misconfigured, if the secret cannot be read any more."""
    registered = Registered(
        issuer=sign_in.issuer,
        client_id=sign_in.client_id,
        client_secret=client_secret(sign_in),
        scopes=" ".join(sign_in.scopes),
        algorithms=frozenset(sign_in.algorithms),
        mapping=sign_in.mapping,
        exchanges=sign_in.exchange_subject,
    )
    return CompanyProvider(registered, clock)
