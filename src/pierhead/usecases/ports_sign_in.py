"""What signing people and their clients in needs from outside: a store, a signer, the people.

Secrets never reach the store: codes, refresh tokens and client secrets are kept as SHA-256 digests.
Above: `usecases/grant_tokens`, `usecases/federate`. Filled by `adapters/db/oauth`, `adapters/db/people`,
`adapters/token_signer`, `adapters/oidc` and, in tests, by `usecases/memory_sign_in`.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from pierhead.core.audit_people import PersonRestored, PersonWithdrawn
from pierhead.core.claims import Claims
from pierhead.core.federation import Stated
from pierhead.core.withdrawal import Withdrawal, Withdrawals
from pierhead.usecases.ports_exchange import Credential


@dataclass(frozen=True, slots=True)
class Client:
    """A program that registered itself. `name` is what it says of itself: shown as such, never trusted."""

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    authentication: str
    """`none`, `client_secret_post` or `client_secret_basic`."""
    secret_digest: str
    """Empty exactly where `authentication` is `none`."""
    registered_at: float


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code: one person's yes to one client for one resource, to be spent once."""

    digest: str
    family: str
    client_id: str
    redirect_uri: str
    challenge: str
    person: str
    resource: str
    expires_at: float
    scope: str = ""
    """Space-separated, as `core/scope` grants them; empty is the least."""
    proved_at: float = 0.0
    """When the person had proved who they are; 0 where nobody knows."""


@dataclass(frozen=True, slots=True)
class SpentCode:
    """A code that was just presented; `again` if it had been presented before."""

    code: Code
    again: bool


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One link of a family: all tokens that come from one sign-in. `expires_at` is that of the family."""

    digest: str
    family: str
    client_id: str
    person: str
    resource: str
    expires_at: float
    scope: str = ""
    proved_at: float = 0.0


@dataclass(frozen=True, slots=True)
class SpentRefreshToken:
    """A refresh token that was just presented, when it first was, and whether its family still stands."""

    token: RefreshToken
    first_spent_at: float
    is_revoked: bool


class SignInStore(Protocol):
    """Clients, codes and refresh tokens. Spending is one compare-and-set: two at once never both come first."""

    async def add_client(self, client: Client) -> None: ...

    async def client(self, client_id: str) -> Client | None: ...

    async def drop_idle_clients(self, registered_before: float) -> int:
        """Forget clients registered before that which no code or refresh token belongs to; how many."""
        ...

    async def add_code(self, code: Code) -> None: ...

    async def spend_code(self, digest: str, now: float) -> SpentCode | None:
        """Mark it spent; None where there is no such code. The row stays until it is long expired."""
        ...

    async def add_refresh_token(self, token: RefreshToken) -> None: ...

    async def spend_refresh_token(self, digest: str, now: float) -> SpentRefreshToken | None:
        """Mark it spent if it was not; None where there is no such token. `first_spent_at` is `now` the first time."""
        ...

    async def revoke_family(self, family: str, now: float) -> bool:
        """No token of this family is refreshed again, also one added later; False if that was so already."""
        ...

    async def families_of(self, person: str) -> Sequence[str]:
        """Every family of that person that still stands; and no code of theirs is good any more."""
        ...


class ClientBook(Protocol):
    """Who the clients are."""

    async def client(self, client_id: str) -> Client | None: ...


@dataclass(frozen=True, slots=True)
class ClientDocument:
    """What a client's own address says of it, and for how many seconds that may be kept."""

    content: Mapping[str, object]
    fresh_s: float


class ClientDocuments(Protocol):
    """Reads what stands at a stranger's address."""

    async def read(self, address: str) -> ClientDocument:
        """Errors: UpstreamUnreachable, LimitExceeded."""
        ...


class TokenSigner(Protocol):
    """The registry's key for access tokens."""

    def sign(self, claims: Mapping[str, object]) -> str:
        """A compact JWT, typ `at+jwt`, RS256, with `kid`."""
        ...

    def read(self, token: str) -> Mapping[str, object] | None:
        """The claims of a token that this key signed, expired or not; None for anything else."""
        ...

    def public_keys(self) -> Mapping[str, object]:
        """The JWKS document: public members alone."""
        ...


class People(Protocol):
    """Who may sign in here, and what groups they belong to."""

    def names(self) -> tuple[str, ...]: ...

    def groups(self, person: str) -> frozenset[str] | None:
        """The groups, maybe none; None where nobody has that name."""
        ...

    def claims(self, person: str) -> Claims:
        """What else is vouched for about that person; empty where nobody has that name."""
        ...

    def void_before(self, person: str) -> float:
        """What was issued to that person before this moment counts for nothing any more; 0 where all of it does."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a browser to sign in at the identity provider: what is asked, and what the answer must repeat."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    is_fresh: bool = False
    """Whether they must be asked anew, however long the provider remembers them."""

    @property
    def challenge(self) -> str:
        """RFC 7636, section 4.2, S256."""
        return urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the provider vouches for now: what it calls them itself, and what to ask it again with (maybe nothing)."""

    stated: Stated
    subject: str
    grant: str = field(repr=False)
    proved_at: float = 0.0
    """When they proved to the provider who they are (`auth_time`); 0 where it does not say."""
    token: str = field(default="", repr=False)
    """What can be exchanged for credentials of other systems, until `token_until`; maybe nothing."""
    token_until: float = 0.0


class Seal(Protocol):
    """Keeps small secrets so that only this installation reads them, each bound to what it is about."""

    def closed(self, secret: str, about: str) -> str: ...

    def opened(self, sealed: str, about: str) -> str | None:
        """None for what was not sealed here, or about something else."""
        ...


class IdentityProvider(Protocol):
    """The company's own sign-in."""

    @property
    def issuer(self) -> str: ...

    async def question(self, attempt: Attempt) -> str:
        """The address at the provider to send the browser to. Errors: UpstreamUnreachable."""
        ...

    async def states_issuer(self) -> bool:
        """Whether every answer of this provider names it. Errors: UpstreamUnreachable."""
        ...

    async def person(self, code: str, attempt: Attempt) -> Vouched:
        """Whom the provider signed in. Errors: Unauthenticated, UpstreamUnreachable."""
        ...

    async def again(self, grant: str, subject: str) -> Vouched:
        """What it says of that person now. Errors: Unauthenticated, if it no longer vouches; UpstreamUnreachable."""
        ...

    async def logged_out(self, token: str) -> str:
        """What the provider calls the person whose session it ended. Errors: Unauthenticated, UpstreamUnreachable."""
        ...

    async def exchanged(self, token: str, audience: str) -> Credential:
        """A credential for `audience` (RFC 8693). Errors: Unauthenticated, if it is refused; UpstreamUnreachable."""
        ...

    def name_of(self, subject: str) -> str:
        """What that person is called here, where that can be told of the subject alone; else an empty text."""
        ...


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person as their provider stated them at their last sign-in, at `at` (seconds since 1970-01-01 UTC)."""

    name: str
    issuer: str
    groups: frozenset[str]
    at: float
    subject: str = ""
    """What the provider itself calls them (`sub`), whatever claim names them here."""
    grant: str = field(default="", repr=False)
    """What the provider is asked about them again with, sealed; empty where it gave nothing of the kind."""
    confirmed_at: float = 0.0
    """When the provider last said so: at the sign-in, or when it was asked again."""
    asked_at: float = 0.0
    """When somebody last began to ask it again."""


class PeopleStore(Protocol):
    """Who signed in at an identity provider. Several registries share one: each change has a number of its own."""

    async def keep(self, person: SignedIn, since: float) -> None:
        """In place of what was known of that name, and forget whoever signed in before `since`."""
        ...

    async def change(self, before: SignedIn, after: SignedIn) -> bool:
        """Put one in place of the other, unless another registry asked or kept something else meanwhile."""
        ...

    async def forget(self, issuer: str, name: str) -> None:
        """They must sign in again before anything is known of them; no error where nothing was."""
        ...

    async def signed_in(self, issuer: str, after: int) -> tuple[int, Sequence[SignedIn]]:
        """The number of the last change, and everyone changed past the number `after`: once forgotten, at moment 0."""
        ...


class WithdrawalStore(Protocol):
    """What people no longer have. Every change has a higher number than all before it, also after a restore."""

    async def version(self) -> int:
        """The number of the last change."""
        ...

    async def withdraw(self, more: Withdrawal, at: float, fact: PersonWithdrawn) -> None:
        """Add to what that person has no more, together with its fact."""
        ...

    async def restore(self, person: tuple[str, str], groups: frozenset[str], at: float, fact: PersonRestored) -> bool:
        """Let these groups count again, together with its fact; False, and no fact, where none was withdrawn."""
        ...

    async def withdrawals(self, since: float) -> Withdrawals:
        """All of them, under the number of the last change, but for moments before `since`."""
        ...
