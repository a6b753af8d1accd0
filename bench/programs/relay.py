"""The same relay with governance switched off: the gateway's own parts, less everything that governs.

Kept: header checks, the strict envelope, the header allow-list, pooled connections, watching for the client's
farewell, passing the answer on. Gone: token, decision, assertion, audit, metrics, lanes. The product has no such
switch, and this program is why it needs none. Arguments: as `governed`.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.policy import everyday_snapshot
from bench.programs.governed import bound, uvloop_runner
from pierhead.adapters.upstream import Pools
from pierhead.apps.gateway.asgi import Receive, Scope, Send
from pierhead.apps.gateway.edge import Admission, body_of, check_content, server_of
from pierhead.apps.gateway.envelope import Fault, read
from pierhead.apps.gateway.exchange import Exchange, Inbound
from pierhead.apps.gateway.run import Program
from pierhead.apps.gateway.streams import Attention
from pierhead.apps.probes import Probes, Readiness
from pierhead.core.call import Call, Opaque, Request
from pierhead.core.catalog import Server
from pierhead.core.identity import ANONYMOUS, Caller
from pierhead.core.policy import Permit

_NOBODY = Caller(ANONYMOUS, "", "", "")


class NoIdentity:
    """In place of the assertion."""

    def mint(self, caller: Caller, server: str, call_id: str, body_digest: str, key_id: str = "") -> bytes:
        """Nothing to show."""
        del caller, server, call_id, body_digest, key_id
        return b"-"


class Ungoverned:
    """The ASGI application."""

    def __init__(self, public_url: str, servers: Mapping[str, Server]) -> None:
        self._admission = Admission.of(public_url)
        self._upstreams = Pools()
        self._minter = NoIdentity()
        self._servers = servers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry one flawless POST; the benchmark sends no other."""
        fields = self._admission.fields(scope["headers"])
        server = self._servers[server_of(scope["raw_path"]) or ""]
        check_content(fields)
        body = await body_of(receive, fields)
        found = read(body, fields)
        if isinstance(found, Fault):
            raise found.error
        inbound = Inbound(scope["method"], fields, body, found.digest, found.method, _NOBODY, send)
        exchange = Exchange(inbound, self._upstreams, self._minter, Attention(receive))
        call = Call("", server.name, found.target, Opaque(found.digest, found.size), found.era, found.client)
        await exchange.run(Permit(Request(call, _NOBODY, server, server.tools[found.target], 1), ()))
        await exchange.finish()


def main(folder: Path) -> None:
    """Run until told to stop, as the gateway's own program does."""
    asked = json.loads((folder / "gateway.json").read_text())
    relay = Ungoverned(f"http://127.0.0.1:{asked['port']}", everyday_snapshot(asked["upstream"]).servers)
    program = Program(
        application=relay,
        of_sidecar=relay,
        authz=relay,
        probes=Probes(Readiness({})),
        tick=_nothing,
        stop_listeners=_silence,
        close=_nothing,
    )
    with uvloop_runner() as runner:
        runner.run(program.run(bound(asked["port"]), bound(0)))


async def _nothing() -> None:
    """Nothing to do twice a second, nor at the end."""


def _silence() -> None:
    """Nobody listens."""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
