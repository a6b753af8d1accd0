"""The section `sign_in`: the company's identity provider, or the built-in sign-in where none is named.

A provider is configured whole or not at all: half of it does not start. Not here: reading the layers (`settings`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from pierhead.bootstrap.scope_settings import Scopes, words
from pierhead.bootstrap.weak_secrets import require_strong
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.federation import ClaimMapping
from pierhead.core.scope import ALL
from pierhead.core.workload import Registration, trust_domain_of
from pierhead.usecases.grant_to_programs import Program, Programs

_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_ALGORITHMS: Final = frozenset({"RS256", "ES256"})
_TYPES: Final = frozenset({"at+jwt", "jwt"})
_FOR_CLIENTS: Final = frozenset({"clients", "client_hosts", "consent_days", "interactive_clients", "programs"})
"""What does not depend on where people sign in."""


def _pairs(given: object) -> object:
    """From the environment one `THEIRS=OURS` a line: names may hold everything but the sign between them."""
    if not isinstance(given, str):
        return given
    lines = (line.strip().rpartition("=") for line in given.splitlines() if line.strip())
    return {theirs: ours for theirs, _, ours in lines}


_Words = Annotated[tuple[str, ...], BeforeValidator(words)]
_Pairs = Annotated[dict[str, str], BeforeValidator(_pairs)]


class ClientSettings(BaseModel):
    """A client that the operator registers: a public one, which proves itself by PKCE."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    redirect_uris: tuple[str, ...] = Field(min_length=1)


def _is_workload(given: str) -> str:
    try:
        trust_domain_of(given)
    except Invalid as invalid:
        raise ValueError(f"{invalid.message}; {invalid.hint}") from None
    return given


class ProgramSettings(BaseModel):
    """A program without a person, which proves itself by a secret of which only the digest is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workload: Annotated[str, AfterValidator(_is_workload)] = Field(
        description="the SPIFFE ID that policy knows the program by"
    )
    secret_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of its secret, in hex")
    surface: str = Field("agent", pattern=r"^[a-z][a-z0-9-]{0,31}$", description="surface of every call it makes")


class SignInSettings(BaseModel):
    """Who signs people in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field("", description="the identity provider's issuer URL, exactly; empty: the built-in sign-in")
    client_id: str = Field("", description="as what Pierhead is registered there")
    client_secret: SecretStr = Field(
        SecretStr(""), description="its secret there: `env:NAME` or `file:PATH`, or the secret itself"
    )
    scopes: _Words = Field(("openid", "profile"), description="what is asked for there; openid must be among them")
    subject: str = Field("sub", min_length=1, description="the claim that names a person here; never one that changes")
    groups_claim: str = Field("groups", min_length=1, description="the claim with the groups; dots lead into objects")
    groups: _Pairs = Field(
        default_factory=dict[str, str], description="the provider's groups to ours; empty: they are taken as they are"
    )
    algorithms: _Words = Field(("RS256",), description="how the provider signs: RS256, ES256")
    audience: str = Field("", description="an audience of the provider's tokens that stands for all of Pierhead")
    token_types: _Words = Field(("at+jwt",), description="the types of the provider's access tokens: at+jwt, jwt")
    token_scopes: Scopes = Field(
        (ALL,),
        description="what the provider's plain tokens are good for besides the scopes they name: `mcp` is everything",
    )
    lifetime_s: float = Field(
        43200, ge=60, le=604800, description="seconds after which people sign in again and their groups are read anew"
    )

    reconfirm_s: float = Field(
        300, ge=1, le=86400, description="seconds after which the provider is asked again about who signed in"
    )
    unconfirmed_s: float = Field(
        3600, ge=60, le=86400, description="seconds for which its last word counts while it does not answer"
    )

    exchange: _Pairs = Field(
        default_factory=dict[str, str],
        description="servers, and for what audience the caller's sign-in is exchanged for each (RFC 8693)",
    )
    exchange_subject: Literal["access_token", "id_token", "jwt"] = Field(
        "access_token", description="which of the provider's tokens is exchanged; jwt: its access token, called a JWT"
    )

    clients: dict[str, ClientSettings] = Field(
        default_factory=dict[str, ClientSettings], description="clients by id that need not register themselves"
    )
    programs: dict[str, ProgramSettings] = Field(
        default_factory=dict[str, ProgramSettings], description="programs by client id that get tokens without a person"
    )
    client_hosts: _Words = Field((), description="hosts whose descriptions of clients (https client_id) are fetched")
    consent_days: int = Field(
        90, ge=0, le=365, description="days for which a client that proves itself is not asked for again; 0: each time"
    )
    interactive_clients: _Words = Field(
        (),
        description="clients by id before which a person sits: what is answered in their forms is that person's answer",
    )

    @property
    def is_elsewhere(self) -> bool:
        """Whether people sign in at an identity provider."""
        return bool(self.issuer)

    @property
    def mapping(self) -> ClaimMapping:
        return ClaimMapping(self.subject, self.groups_claim, self.groups)


def known_programs(sign_in: SignInSettings) -> Programs:
    """The programs by client id, as the token endpoint knows them."""
    return {name: Program(each.workload, each.secret_sha256) for name, each in sign_in.programs.items()}


def registered_programs(sign_in: SignInSettings, environment: str) -> dict[str, Registration]:
    """Where each program stands, by its workload: what its token is good for says the token."""
    return {each.workload: Registration(each.surface, environment) for each in sign_in.programs.values()}


def check_sign_in(given: SignInSettings, variables: Mapping[str, str]) -> None:
    """Errors: Misconfigured (`half-secured`, `bad-setting`, `weak-secret`), naming every fault."""
    faults = list(_half(given)) if given.is_elsewhere else [*_without_issuer(given)]
    if faults:
        message = f"the section sign_in is half filled: {'; '.join(faults)}"
        raise Misconfigured(message, hint="fill it, or remove it for the built-in sign-in", code="half-secured")
    if given.is_elsewhere:
        secret_of(given, variables)


def secret_of(given: SignInSettings, variables: Mapping[str, str]) -> str:
    """The client's secret, from where it is kept. Errors: Misconfigured (`half-secured`, `weak-secret`)."""
    written = given.client_secret.get_secret_value()
    kind, _, place = written.partition(":")
    secret = written
    if kind == "env":
        secret = variables.get(place, "")
    elif kind == "file":
        try:
            secret = Path(place).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            secret = ""
    if not secret:
        message = f"sign_in.client_secret is {written}, and nothing can be read there"
        raise Misconfigured(message, hint="put the secret there", code="half-secured")
    require_strong(secret, "sign_in.client_secret")
    return secret


def _without_issuer(given: SignInSettings) -> list[str]:
    """What was filled in though nobody is named whom it is for."""
    filled = sorted(given.model_fields_set - _FOR_CLIENTS)
    return [f"{', '.join(filled)} given, and no issuer"] if filled and filled != ["issuer"] else []


def _half(given: SignInSettings) -> list[str]:
    parts = urlsplit(given.issuer)
    is_plain = parts.scheme == "http" and parts.hostname in _THIS_MACHINE
    checks = {
        "issuer is no https URL without query": bool(parts.hostname)
        and (parts.scheme == "https" or is_plain)
        and not (parts.query or parts.fragment or parts.username),
        "client_id is empty": bool(given.client_id),
        "client_secret is empty": bool(given.client_secret.get_secret_value()),
        "openid is not among scopes": "openid" in given.scopes,
        f"algorithms are not of {', '.join(sorted(_ALGORITHMS))}": _are_of(given.algorithms, _ALGORITHMS),
        f"token_types are not of {', '.join(sorted(_TYPES))}": _are_of(given.token_types, _TYPES),
        "groups maps to a name that is empty": all(given.groups.values()),
        "audience is client_id, which tokens for the sign-in itself have too": not given.audience
        or given.audience != given.client_id,
    }
    return [fault for fault, is_right in checks.items() if not is_right]


def _are_of(given: tuple[str, ...], known: frozenset[str]) -> bool:
    return bool(given) and known.issuperset(given)
