"""The facts of people and programs signing in: part of the closed set of `audit`, with its wire format.

Above: `audit`, which has the whole set. Not here: when each is recorded (`usecases/grant_tokens`, `federate`).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignInSucceeded:
    person: str
    client: str
    kind: str = "sign-in-succeeded"


@dataclass(frozen=True, slots=True)
class SignInFailed:
    """A token, code or credential was not accepted. `reason` is a code, never the credential.

    `count` is how many alike this fact stands for: a flood is counted, so that it cannot fill the disk.
    """

    reason: str
    server: str
    client: str
    count: int = 1
    kind: str = "sign-in-failed"


@dataclass(frozen=True, slots=True)
class TokenIssued:
    token_id: str
    person: str
    client: str
    audience: str
    scope: str = ""
    kind: str = "token-issued"


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    token_id: str
    person: str
    reason: str
    kind: str = "token-revoked"
