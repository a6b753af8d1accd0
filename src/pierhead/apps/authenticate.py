"""Credentials to a Caller; and which inbound headers claim an identity, so that they can be dropped.

Identity comes from a verified token, or from the certificate that the sidecar saw, and from nothing else a client
sends. Surface and environment are those of the workload's registration, or of the listener where nobody stands
between. Not here: how a proof is verified (adapters, behind `Tokens` and `Workloads`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from pierhead.core.errors import Invalid, Unauthenticated
from pierhead.core.identity import Both, Caller, User, Workload
from pierhead.core.scope import of_both
from pierhead.core.workload import CHATS, Proven, Registered, Registration


class Identity(Protocol):
    """What a verified token says."""

    @property
    def principal(self) -> User | Workload: ...
    @property
    def client(self) -> str: ...
    @property
    def expires_at(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    @property
    def scopes(self) -> frozenset[str]: ...

    @property
    def proved_at(self) -> float:
        """When the person proved who they are, in seconds since 1970-01-01 UTC; 0 where the token does not say."""
        ...


class Tokens(Protocol):
    """Verifies access tokens."""

    async def verify(self, token: bytes, audience: str) -> Identity:
        """Raises Unauthenticated unless `token` is good and was issued for `audience`."""
        ...


class Workloads(Protocol):
    """Verifies what proves a workload. Errors: Unauthenticated."""

    def is_token(self, token: bytes) -> bool:
        """Whether a bearer token says that it is a workload's, and so goes to this verifier."""
        ...

    def from_token(self, token: bytes, audience: str) -> Proven: ...
    def from_sidecar(self, header: bytes) -> Proven: ...
    def from_certificate(self, certificate: bytes) -> Proven: ...


class NoWorkloads:
    """A listener without a mesh: no workload is anybody."""

    def is_token(self, token: bytes) -> bool:
        del token
        return False

    def from_token(self, token: bytes, audience: str) -> Proven:
        del token, audience
        raise _no_mesh()

    def from_sidecar(self, header: bytes) -> Proven:
        del header
        raise _no_mesh()

    def from_certificate(self, certificate: bytes) -> Proven:
        del certificate
        raise _no_mesh()


def _no_mesh() -> Unauthenticated:
    hint = "the operator sets mesh.trust_domain and mesh.workloads"
    return Unauthenticated("workloads are not taken here", hint=hint, code="unknown-workload")


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Whose word on a client's certificate is taken: nobody's, unless it is said here."""

    addresses: frozenset[str] = frozenset()
    owns_listener: bool = False
    """All who arrive are the sidecar: it has the listener for itself, a Unix socket."""

    def sent(self, scope: Mapping[str, Any]) -> bool:
        """Whether this request comes from the sidecar, by its connection and by nothing it says."""
        peer = scope.get("client")
        return self.owns_listener or (peer is not None and peer[0] in self.addresses)


_FORWARDED: Final = (b"x-forwarded", b"forwarded", b"x-real-", b"x-original-", b"x-envoy-", b"x-client-")
_IDENTITY: Final = (b"x-user", b"x-remote-", b"remote-", b"x-auth-", b"x-ssl-", b"ssl-", b"pierhead-", b"x-pierhead-")
_CLAIMS: Final = _FORWARDED + _IDENTITY


def claims_identity(header: bytes) -> bool:
    """Whether a header by that (lower-case) name could be taken for proof of who, or from where, a request is."""
    return header.startswith(_CLAIMS) or b"_" in header


_WORKLOAD_TOKEN: Final = b"pierhead-workload-token"
_FORWARDED_CERTIFICATE: Final = b"x-forwarded-client-cert"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brings as proof. `certificate` is what the sidecar saw, and None from everybody else."""

    authorization: bytes | None
    workload_token: bytes | None = None
    certificate: bytes | None = None
    shown: bytes | None = None
    """The certificate (DER) that the client showed to our own TLS on this very connection."""

    @classmethod
    def of(cls, fields: Mapping[bytes, bytes], *, from_sidecar: bool, shown: bytes | None = None) -> "Credentials":
        """From the headers by lower-case name: each has one spelling, and all others are no proof."""
        certificate = fields.get(_FORWARDED_CERTIFICATE) if from_sidecar else None
        return cls(fields.get(b"authorization"), fields.get(_WORKLOAD_TOKEN), certificate, shown)


NO_WORKLOADS: Final = NoWorkloads()


@dataclass(frozen=True, slots=True)
class Listener:
    """One place where callers arrive, and what is known of all who arrive there."""

    tokens: Tokens
    surface: str
    environment: str
    workloads: Workloads = NO_WORKLOADS
    interactive: frozenset[str] = frozenset()
    """The clients, by id, before which a person sits who answers in their own name."""
    programs: Registered = field(default_factory=dict[str, Registration])
    """Where the programs stand that have tokens without a person, by workload; all others are nobody."""

    async def caller(self, credentials: Credentials, audience: str, correlation_id: str) -> tuple[Caller, float]:
        """Who sent these, and until when that is known (seconds since 1970-01-01 UTC).

        A person and a workload are both; a proof that fails is never left out, it refuses the whole.
        Errors: Unauthenticated, its code a reason fit for the record.
        """
        token = _bearer(credentials.authorization) if credentials.authorization is not None else None
        is_workload = token is not None and self.workloads.is_token(token)
        proven = self._workload(credentials, token if is_workload else None, audience)
        if proven is None:
            identity = await self.tokens.verify(token or _bearer(None), audience)
            if isinstance(identity.principal, Workload):
                return self._program(identity.principal, identity, correlation_id), identity.expires_at
            caller = Caller(
                identity.principal,
                self.surface,
                self.environment,
                correlation_id,
                scopes=identity.scopes,
                interactive=identity.client in self.interactive,
                proved_at=identity.proved_at,
                client=identity.client,
            )
            return caller, identity.expires_at
        place = proven.registration
        if token is None or is_workload:
            caller = Caller(proven.workload, place.surface, place.environment, correlation_id, scopes=place.scopes)
            return caller, proven.until
        identity = await self.tokens.verify(token, audience)
        if isinstance(identity.principal, Workload):
            hint = "send the one proof or the other"
            raise Unauthenticated("two workloads claim this request", hint=hint, code="two-workloads")
        both = Both(identity.principal, proven.workload)
        until = min(identity.expires_at, proven.until)
        caller = Caller(
            both,
            place.surface,
            place.environment,
            correlation_id,
            scopes=of_both(identity.scopes, place.scopes),
            interactive=place.interactive and identity.client in self.interactive,
            proved_at=identity.proved_at,
            client=identity.client,
        )
        return caller, until

    def _program(self, program: Workload, identity: Identity, correlation_id: str) -> Caller:
        place = self.programs.get(program.spiffe_id)
        if place is None:
            hint = "the operator registers it in sign_in.programs"
            raise Unauthenticated("nobody registered this program", hint=hint, code="unknown-workload")
        return Caller(program, place.surface, place.environment, correlation_id, scopes=identity.scopes)

    def _workload(self, credentials: Credentials, bearer: bytes | None, audience: str) -> Proven | None:
        """The one workload that all proofs name, or None where there is no proof of any."""
        tokens = [token for token in (bearer, credentials.workload_token) if token is not None]
        proven = [self.workloads.from_token(token, audience) for token in tokens]
        if credentials.certificate is not None:
            proven.append(self.workloads.from_sidecar(credentials.certificate))
        if credentials.shown is not None:
            proven.append(self.workloads.from_certificate(credentials.shown))
        if len({each.workload for each in proven}) > 1:
            hint = "a request comes through one workload: send one proof"
            raise Unauthenticated("two workloads claim this request", hint=hint, code="two-workloads")
        return min(proven, key=lambda each: each.until, default=None)


_CHANNEL: Final = re.compile(rb"[A-Za-z0-9_.@:/#-]{1,256}")


def in_channel(caller: Caller, claimed: bytes | None) -> Caller:
    """The caller in the channel that their chat surface tells of; anybody else's word on it is dropped.

    A chat surface is a verified workload whose registration says that it is one. A listener's own surface proves
    nothing of who sends, so it does not count.
    Errors: Invalid, for a channel that no name can be.
    """
    if claimed is None or caller.workload is None or caller.surface not in CHATS:
        return caller
    if _CHANNEL.fullmatch(claimed) is None:
        raise Invalid("pierhead-channel is no name of a channel", hint="send the channel's id", code="bad-headers")
    return replace(caller, channel=claimed.decode("ascii"))


def _bearer(authorization: bytes | None) -> bytes:
    if authorization is None:
        raise Unauthenticated("nobody is signed in", hint="send an access token", code="no-credentials")
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise Unauthenticated("the credentials are no bearer token", hint="send an access token", code="not-bearer")
    return token
