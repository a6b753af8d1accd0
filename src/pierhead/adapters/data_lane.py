"""The gateway's data lane, asked over HTTP like any client: fills the port DataLane.

It brings no identity of its own: a question carries its person's token. Below: httpx2. Above: the registry's pages.
"""

from dataclasses import dataclass, field
from typing import Final

import httpx2

from pierhead.core.errors import UpstreamUnreachable
from pierhead.usecases.ports_data import DataAnswer, DataQuestion

_ANSWER_S: Final = 75.0
_ACCEPTED: Final = "application/vnd.pierhead.page+json, application/json"


@dataclass(frozen=True, slots=True)
class GatewayData:
    """One gateway's data lane. Close it when done."""

    client: httpx2.AsyncClient = field(repr=False)

    @classmethod
    def at(cls, public_url: str) -> "GatewayData":
        headers = {"accept": _ACCEPTED, "user-agent": "pierhead-web", "accept-encoding": "identity"}
        timeout = httpx2.Timeout(_ANSWER_S, connect=2.0)
        return cls(httpx2.AsyncClient(base_url=public_url, headers=headers, timeout=timeout, trust_env=False))

    async def close(self) -> None:
        await self.client.aclose()

    async def ask(self, question: DataQuestion) -> DataAnswer:
        headers = {"authorization": f"Bearer {question.token}"}
        if question.body:
            headers["content-type"] = "application/json"
        method = "POST" if question.body else "GET"
        address = f"/data/{question.server}{question.target}"
        try:
            answer = await self.client.request(method, address, headers=headers, content=question.body or None)
        except httpx2.TransportError as failed:
            message = f"the gateway does not answer: {type(failed).__name__}"
            raise UpstreamUnreachable(message, hint="is it running? see: pierhead doctor") from None
        return DataAnswer(answer.status_code, answer.content)
