"""The part of an identity provider that a test of signing in never asks for, and is told if it did."""

from pierhead.usecases.ports_exchange import Credential
from pierhead.usecases.ports_sign_in import Vouched


class SignInOnly:
    """What is left of `ports_sign_in.IdentityProvider`: each a fault, if anybody asks."""

    async def again(self, grant: str, subject: str) -> Vouched:
        raise AssertionError("nobody gave a grant")

    async def logged_out(self, token: str) -> str:
        raise AssertionError("nobody logs out")

    async def exchanged(self, token: str, audience: str) -> Credential:
        raise AssertionError("nobody exchanges")

    def name_of(self, subject: str) -> str:
        raise AssertionError("nobody logs out")
