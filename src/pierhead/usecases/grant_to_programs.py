"""Tokens for programs without a person (OAuth `client_credentials`): a secret of the operator's for a workload's name.

A program is registered by the operator, by its workload and the digest of its secret; it never registers itself, and
its token names that workload and no person, so it may do what policy opens to workloads. No refresh token: the secret
is one. Above: `apps/registry/oauth`. Not here: tokens of people (`grant_tokens`).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest

from pierhead.core.audit_sign_in import SignInFailed, TokenIssued
from pierhead.core.scope import TOOLS
from pierhead.usecases.grant_tokens import TokenDesk, Tokens, check_scope, is_resource, scopes_of, server_of
from pierhead.usecases.register_client import NotGranted, fingerprint


@dataclass(frozen=True, slots=True)
class Program:
    """A program that the operator registered. `secret_digest` is the SHA-256 of its secret, in hex."""

    workload: str
    secret_digest: str


Programs = Mapping[str, Program]
"""By client id."""


@dataclass(frozen=True, slots=True)
class ProgramAsks:
    """What a program presents, and what it asks for."""

    client_id: str
    secret: str
    resource: str
    scope: str


async def token_for_program(asked: ProgramAsks, programs: Programs, at: TokenDesk) -> Tokens:
    """An access token for one server, or the front desk. Recorded before it leaves.

    Errors: NotGranted `invalid_client`, recorded, alike for an id that nobody has and for a wrong secret;
    `invalid_target`; `invalid_scope`.
    """
    program = programs.get(asked.client_id)
    if program is None or not compare_digest(fingerprint(asked.secret), program.secret_digest):
        await at.audit.record(
            SignInFailed("program-unknown", server_of(asked.resource, at.terms.issuer), asked.client_id[:80])
        )
        raise NotGranted(
            "the program is not known or not authenticated", hint="see sign_in.programs", code="invalid_client"
        )
    check_target(asked.resource, asked.scope, at)
    scope = scopes_of(asked.scope, asked.resource, at.terms.issuer)
    named = Named("program", asked.client_id, program.workload)
    return await issue_to_workload(named, asked.resource, scope, at.terms.access_s, at)


def check_target(resource: str, scope: str, at: TokenDesk) -> None:
    """Errors: NotGranted `invalid_scope`; `invalid_target`, for all but servers and the front desk."""
    check_scope(scope)
    if not is_resource(resource, at.terms.issuer) or not resource.startswith(at.terms.issuer + TOOLS):
        hint = f"send resource={at.terms.issuer}/mcp/NAME (RFC 8707)"
        raise NotGranted("resource must name one server of this platform", hint=hint, code="invalid_target")


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a token is for: `kind` begins its id, `client_id` is who asked, `workload` the SPIFFE ID that it names."""

    kind: str
    client_id: str
    workload: str


async def issue_to_workload(named: Named, resource: str, scope: str, lasts_s: int, at: TokenDesk) -> Tokens:
    """A token of a workload without a person, for so many seconds. Recorded before it leaves; no refresh token."""
    now, token_id = int(at.clock.now()), f"{named.kind}.{secrets.token_urlsafe(16)}"
    claims: dict[str, object] = {
        "iss": at.terms.issuer,
        "aud": resource,
        "sub": named.client_id,
        "wl": named.workload,
        "client_id": named.client_id,
        "iat": now,
        "exp": now + lasts_s,
        "jti": token_id,
        "scope": scope,
    }
    await at.audit.record(TokenIssued(token_id, named.workload, named.client_id, resource, scope))
    return Tokens(at.signer.sign(claims), lasts_s, "", scope)
