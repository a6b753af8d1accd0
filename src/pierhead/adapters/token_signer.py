"""The registry's signing key: access tokens out, and the public half of it as JWKS.

Fills `usecases.ports_sign_in.TokenSigner`. Not here: checking other parties' tokens (`adapters/oidc`).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

_ALGORITHM: Final = "RS256"
_TYPE: Final = "at+jwt"


class JoseSigner:
    """Signs with one RSA key, given as JSON text; `kid` is the key's own, or its RFC 7638 thumbprint."""

    def __init__(self, private_jwk: str) -> None:
        key = RSAKey.import_key(json.loads(private_jwk))
        if not key.is_private:
            raise ValueError("the token key holds no private part")
        self._key = key
        self._header = {"alg": _ALGORITHM, "typ": _TYPE, "kid": key.kid or key.thumbprint()}

    def sign(self, claims: Mapping[str, object]) -> str:
        return jwt.encode(self._header, dict(claims), self._key, algorithms=[_ALGORITHM])

    def read(self, token: str) -> Mapping[str, object] | None:
        try:
            found = jwt.decode(token, self._key, algorithms=[_ALGORITHM])
        except (JoseError, ValueError):
            return None
        return found.claims if found.header.get("typ") == _TYPE else None

    def public_keys(self) -> Mapping[str, object]:
        public: dict[str, Any] = dict(self._key.as_dict(private=False))
        return {"keys": [{**public, "kid": self._header["kid"], "alg": _ALGORITHM, "use": "sig"}]}
