"""A workload's JWT-SVID for an access token of ours (RFC 8693): for what speaks OAuth and knows nothing of SPIFFE.

The workload is one that the operator registered; the token names it and no person, is good for no more than its own
proofs, and ends with the SVID at the latest. No secret is kept on either side. Above: `apps/registry/oauth`. Not here:
secrets of programs (`grant_to_programs`), exchanging a person's credential for a server (`exchange_token`).
"""

from dataclasses import dataclass
from typing import Protocol

from pierhead.core.audit_sign_in import SignInFailed
from pierhead.core.errors import Unauthenticated
from pierhead.core.scope import of_both
from pierhead.core.workload import Proven
from pierhead.usecases.grant_to_programs import Named, check_target, issue_to_workload
from pierhead.usecases.grant_tokens import TokenDesk, Tokens, scopes_of, server_of
from pierhead.usecases.register_client import NotGranted


class Svids(Protocol):
    """Verifies JWT-SVIDs of the operator's trust domain."""

    def from_token(self, token: bytes, audience: str) -> Proven:
        """The workload that it names, if it was issued for `audience`. Errors: Unauthenticated."""
        ...


@dataclass(frozen=True, slots=True)
class WorkloadAsks:
    """What a workload presents, and what it asks for."""

    svid: str
    resource: str
    scope: str


def audience_of(issuer: str) -> str:
    """Whom an SVID must be issued for: the token endpoint, so that none that a server was shown can be exchanged."""
    return f"{issuer}/oauth/token"


async def token_for_workload(asked: WorkloadAsks, svids: Svids, at: TokenDesk) -> Tokens:
    """An access token for one server, or the front desk. Recorded before it leaves.

    Errors: NotGranted `invalid_request`, recorded, for an SVID that is not accepted; `invalid_target`;
    `invalid_scope`, also where nothing is left of what was asked.
    """
    try:
        proven = svids.from_token(asked.svid.encode(), audience_of(at.terms.issuer))
    except Unauthenticated as refused:
        await at.audit.record(SignInFailed(refused.code, server_of(asked.resource, at.terms.issuer), ""))
        raise NotGranted(refused.message, hint=refused.hint) from None
    check_target(asked.resource, asked.scope, at)
    wanted = frozenset(scopes_of(asked.scope, asked.resource, at.terms.issuer).split())
    scope = " ".join(sorted(of_both(wanted, proven.registration.scopes)))
    if not scope:
        hint = "the operator says what it is good for: mesh.workloads.scopes"
        raise NotGranted("the workload's proofs are good for nothing of this", hint=hint, code="invalid_scope")
    name = proven.workload.spiffe_id
    lasts = min(at.terms.access_s, int(proven.until - at.clock.now()))
    # a subject that begins as SPIFFE IDs do says that its token is an SVID
    named = Named("workload", name.removeprefix("spiffe://"), name)
    return await issue_to_workload(named, asked.resource, scope, lasts, at)
