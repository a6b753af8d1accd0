"""OpenID Connect, from the side that trusts a provider: its keys, its access tokens, its sign-in.

`keys` and `reading` are shared; `tokens` verifies what callers present; `provider` signs people in at the company's
own identity provider. Filled ports: `apps/authenticate.Tokens`, `usecases.ports_sign_in.IdentityProvider`.
"""

from pierhead.adapters.oidc.documents import keys_of
from pierhead.adapters.oidc.provider import CompanyProvider, Registered
from pierhead.adapters.oidc.tokens import Identity, Issuer, Tokens

__all__ = ["CompanyProvider", "Identity", "Issuer", "Registered", "Tokens", "keys_of"]
