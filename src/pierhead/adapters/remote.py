"""The registry, seen from a gateway, a server or the command line: its internal API over one kept connection.

Fills the ports SnapshotSource, FactSink, Approvals and Plans. A registry that is away is UpstreamUnreachable and
nothing else; what it refuses comes back with its own code. A bearer key opens the internal API.
"""

import contextlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, cast
from urllib.parse import quote

import httpx2
import orjson

from pierhead.core.approval import FormAnswer, Ticket
from pierhead.core.approval_record import fingerprint, proposal_of
from pierhead.core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    LimitExceeded,
    NotFound,
    PierheadError,
    Unauthenticated,
    UpstreamUnreachable,
)
from pierhead.core.identity import Caller
from pierhead.core.policy import ApprovalNeeded
from pierhead.usecases.approval_forms import proposal_to_form, ticket_from_form
from pierhead.usecases.own_approvals import Asker
from pierhead.usecases.plan_forms import kept_from_form, plan_to_form
from pierhead.usecases.ports_exchange import Credential, no_exchange
from pierhead.usecases.ports_plans import KeptPlan, NewPlan
from pierhead.usecases.ports_registry import Envelope, Held
from pierhead.usecases.wire_forms import Manifest, manifest_to_form

_PREFIX: Final = "/internal/v1"
ENROLLED: Final = "/enrolled/v1"
_ANSWER_S: Final = 10.0
#: What runs under the certificate before this one may finish.
_WAYS: Final = 2
_KINDS: Final[Mapping[int, type[PierheadError]]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Unauthenticated,
    404: NotFound,
    409: Conflict,
    429: LimitExceeded,
}


@dataclass(frozen=True, slots=True)
class Registry:
    """One registry's internal API. Close it when done."""

    client: httpx2.AsyncClient = field(repr=False)

    @classmethod
    def at(
        cls, url: str, key: bytes, prefix: str = _PREFIX, tls: Callable[[], ssl.SSLContext] | None = None
    ) -> "Registry":
        """`prefix` is where the same is asked with another key: a server that its team runs has one of its own.

        `tls` is our TLS of each moment, which speaks with the registry alone; None for what every client has.
        """
        headers = {"authorization": f"Bearer {key.decode()}", "content-type": "application/json"}
        timeout = httpx2.Timeout(_ANSWER_S, connect=1.0)
        way = None if tls is None else _Renewed(tls)
        return cls(
            httpx2.AsyncClient(base_url=url + prefix, headers=headers, timeout=timeout, trust_env=False, transport=way)
        )

    async def close(self) -> None:
        await self.client.aclose()

    async def snapshot(self, held: Held, wait_s: float) -> Envelope:
        query = f"after={held.revision}&base={held.base}&people={held.people}&wait_s={wait_s:g}"
        answer = await self._send("GET", f"/snapshot?{query}", wait_s=wait_s)
        return Envelope(payload=answer["payload"], signature=answer["signature"])

    async def take(self, writer: str, lines: Sequence[bytes]) -> int:
        body = {"writer": writer, "records": [line.decode() for line in lines]}
        return int((await self._send("POST", "/facts", body))["acknowledged"])

    async def publish_manifest(self, server: str, manifest: Manifest) -> None:
        """Tell what a server offers and where it listens. Errors: UpstreamUnreachable, Invalid, NotFound."""
        await self._send("POST", f"/servers/{server}/manifest", manifest_to_form(manifest))

    async def report_state(self, server: str, state: str, reason: str) -> None:
        """Tell what became of a server's process. Errors: UpstreamUnreachable."""
        await self._send("POST", f"/servers/{server}/state", {"state": state, "reason": reason})

    async def ask(self, needed: ApprovalNeeded) -> Ticket:
        """Fills `ports.Approvals`, with `spend` and `finish`."""
        return ticket_from_form(await self._send("POST", "/approvals", proposal_to_form(proposal_of(needed))))

    async def spend(self, needed: ApprovalNeeded, ticket: Ticket) -> None:
        body = {"digest": fingerprint(needed), "call_id": needed.request.call.id}
        await self._send("POST", f"/approvals/{ticket.id}/spend", body)

    async def finish(self, approval: str, call_id: str, ended: str) -> None:
        await self._send("POST", f"/approvals/{approval}/finish", {"call_id": call_id, "ended": ended})

    async def exchanged(self, server: str, caller: Caller) -> Credential:
        """Fills `ports_exchange.Exchanges`."""
        if caller.person is None:
            raise no_exchange(server)
        who = {"issuer": caller.person.issuer, "person": caller.person.subject}
        try:
            made = await self._send("POST", "/exchange", {"server": server, **who, "call_id": caller.correlation_id})
        except Unauthenticated as refused:  # it is the caller's sign-in that is not good for it, and not our key
            raise Forbidden(refused.message, hint=refused.hint, code=refused.code) from None
        return Credential(made["authorization"], made["expires_at"])

    async def keep_plan(self, plan: NewPlan) -> KeptPlan:
        """Fills `ports_plans.Plans`, with `plan` and `use_plan`."""
        return kept_from_form(await self._send("POST", "/plans", plan_to_form(plan)))

    async def plan(self, plan_id: str) -> KeptPlan | None:
        try:
            return kept_from_form(await self._send("GET", f"/plans/{quote(plan_id, safe='')}"))
        except NotFound:
            return None

    async def use_plan(self, plan_id: str) -> bool:
        return bool((await self._send("POST", f"/plans/{quote(plan_id, safe='')}/use", {}))["is_used"])

    async def confirm(self, ticket: Ticket, answer: FormAnswer, caller: Caller) -> Ticket:
        """Fills `ports.ServerApprovals`, with `wait`, `mine` and `cancel`."""
        body = {**_asker(caller), "verdict": answer.verdict, "digest": answer.digest}
        return ticket_from_form(await self._send("POST", f"/approvals/{quote(ticket.id, safe='')}/confirm", body))

    async def wait(self, approval: str, caller: Caller, within_s: float) -> Ticket:
        body = {**_asker(caller), "wait_s": float(within_s)}
        path = f"/approvals/{quote(approval, safe='')}/wait"
        return ticket_from_form(await self._send("POST", path, body, within_s))

    async def mine(self, caller: Caller, server: str) -> Sequence[Ticket]:
        answer = await self._send("POST", "/approvals/mine", {**_asker(caller), "server": server})
        return [ticket_from_form(ticket) for ticket in answer["tickets"]]

    async def cancel(self, approval: str, caller: Caller) -> Ticket:
        path = f"/approvals/{quote(approval, safe='')}/cancel"
        return ticket_from_form(await self._send("POST", path, _asker(caller)))

    async def _send(self, method: str, path: str, body: object = None, wait_s: float = 0.0) -> dict[str, Any]:
        content = None if body is None else orjson.dumps(body)
        try:
            answer = await self.client.request(method, path, content=content, timeout=_ANSWER_S + wait_s)
        except httpx2.TransportError as failed:
            message = f"the registry does not answer: {type(failed).__name__}"
            raise UpstreamUnreachable(message, hint="is it running? see: pierhead doctor") from None
        if not answer.is_success:
            raise _refusal(answer)
        return cast("dict[str, Any]", orjson.loads(answer.content)) if answer.content else {}


class _Renewed(httpx2.AsyncBaseTransport):
    """Connections under the certificate of now. Those under an older one finish what they carry, and carry no more."""

    def __init__(self, tls: Callable[[], ssl.SSLContext]) -> None:
        self._tls = tls
        self._under: ssl.SSLContext | None = None
        self._ways: list[httpx2.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        now = self._tls()
        if now is not self._under:
            self._under = now
            self._ways.append(httpx2.AsyncHTTPTransport(verify=now, trust_env=False))
        way = self._ways[-1]
        while len(self._ways) > _WAYS:
            await self._ways.pop(0).aclose()
        return await way.handle_async_request(request)

    async def aclose(self) -> None:
        ways, self._ways, self._under = self._ways, [], None
        for way in ways:
            await way.aclose()


def _asker(caller: Caller) -> dict[str, object]:
    return {"asker": asdict(Asker.of(caller))}


def _refusal(answer: httpx2.Response) -> PierheadError:
    """What the registry said, as the error it meant; a failing registry is one that is away."""
    kind = _KINDS.get(answer.status_code)
    if kind is None:
        return UpstreamUnreachable(f"the registry failed with {answer.status_code}", hint="see its log")
    said: dict[str, object] = {}
    with contextlib.suppress(orjson.JSONDecodeError):
        said = cast("dict[str, object]", orjson.loads(answer.content))
    return kind(str(said.get("message", "refused")), hint=str(said.get("hint", "")), code=str(said.get("code", "")))
