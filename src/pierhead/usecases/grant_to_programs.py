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
    check_scope(asked.scope)
    if not is_resource(asked.resource, at.terms.issuer) or not asked.resource.startswith(at.terms.issuer + TOOLS):
        hint = f"send resource={at.terms.issuer}/mcp/NAME (RFC 8707)"
        raise NotGranted("resource must name one server of this platform", hint=hint, code="invalid_target")
    return await _issued(asked, program, at)


async def _issued(asked: ProgramAsks, program: Program, at: TokenDesk) -> Tokens:
    now, scope = int(at.clock.now()), scopes_of(asked.scope, asked.resource, at.terms.issuer)
    token_id = f"program.{secrets.token_urlsafe(16)}"
    claims: dict[str, object] = {
        "iss": at.terms.issuer,
        "aud": asked.resource,
        "sub": asked.client_id,
        "wl": program.workload,
        "client_id": asked.client_id,
        "iat": now,
        "exp": now + at.terms.access_s,
        "jti": token_id,
        "scope": scope,
    }
    await at.audit.record(TokenIssued(token_id, program.workload, asked.client_id, asked.resource, scope))
    return Tokens(at.signer.sign(claims), at.terms.access_s, "", scope)
