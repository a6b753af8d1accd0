"""The platform in its parts, each with a certificate: registry, gateway and a database server speak mTLS.

Real processes on loopback, made by `parts.nursery_in`. `authority` is SPIRE's stand-in; whatever it signs is put in
place as SPIRE's helper does. Not here: what a test shows at a listener that it should not.
"""

import http.client
import json
import os
import signal
import sqlite3
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.rigs.gateway import WallClock
from tests.rigs.parts import META, Nursery

from pierhead.adapters.local_authority import Authority, Svid, replace_file
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.running import free_ports
from pierhead.core.peer import PeerIds, role_of_server

DOMAIN: Final = "corp.example"
IDS: Final = PeerIds(
    f"spiffe://{DOMAIN}/pierhead/registry",
    f"spiffe://{DOMAIN}/pierhead/gateway",
    f"spiffe://{DOMAIN}/pierhead/server/{{server}}",
)
ROLES: Final = ("registry", "gateway", role_of_server("shop"))
WITHIN_S: Final = 60.0
_POLL_S: Final = 0.02


@dataclass
class Peered:
    """One platform. `alice` may read the shop."""

    folder: Path
    nursery: Nursery
    ports: Mapping[str, int]
    diagnostics: int
    authority: Authority
    alive: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def public_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['gateway']}"

    def issue(self, authority: Authority, *bundles: Authority) -> None:
        """A new SVID for every role, and a bundle of these authorities (first, as a helper does it)."""
        self.trust(*(bundles or (authority,)))
        for role in ROLES:
            put(self.folder / role.replace("/", "-"), authority.svid(IDS.id_of(role)))

    def trust(self, *authorities: Authority) -> None:
        for role in ROLES:
            folder = self.folder / role.replace("/", "-")
            folder.mkdir(exist_ok=True)
            replace_file(folder / "bundle.pem", "".join(each.bundle for each in authorities))

    def settings(self, role: str) -> dict[str, str]:
        folder = self.folder / role.replace("/", "-")
        return {
            "PIERHEAD__MESH__TRUST_DOMAIN": DOMAIN,
            "PIERHEAD__MESH__GATEWAY_ID": IDS.gateway,
            "PIERHEAD__PEERS__REGISTRY_ID": IDS.registry,
            "PIERHEAD__PEERS__SERVER_ID": IDS.servers,
            "PIERHEAD__PEERS__CERTIFICATE": str(folder / "svid.pem"),
            "PIERHEAD__PEERS__KEY": str(folder / "svid.key"),
            "PIERHEAD__PEERS__BUNDLE": str(folder / "bundle.pem"),
        }

    def words(self, role: str) -> tuple[str, ...]:
        """The command of this role."""
        port = ("--port", str(self.ports[role]), "--data", str(self.folder / "data"), "--public-url", self.public_url)
        fleet = ("--fleet", str(self.folder / "fleet.yaml"))
        registry = ("--registry", f"https://127.0.0.1:{self.ports['registry']}")
        match role:
            case "registry":
                return ("run", "registry", *fleet, *port)
            case "gateway":
                return ("run", "gateway", *registry, *port, "--diagnostics-port", str(self.diagnostics))
            case _:
                return ("run", "server", "shop", *fleet, *registry, *port)

    def start(self, role: str) -> None:
        log = self.folder / f"{role.replace('/', '-')}.log"
        self.alive[role] = self.nursery.bear(self.words(role), self.settings(role), str(log))
        until(lambda: self._answers(role), lambda: f"{role}: {log.read_text()[-2000:] if log.exists() else ''}")

    def ask(
        self, role: str, shown: Svid | None, path: str, body: object = None, *, bearer: bool = True
    ) -> tuple[int, Any]:
        """One request at a listener, with that certificate and the internal key. Errors: OSError."""
        headers = {"content-type": "application/json"}
        if bearer:
            headers["authorization"] = f"Bearer {(self.folder / 'data/keys/internal.key').read_text()}"
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.ports[role], timeout=WITHIN_S, context=self.client(shown)
        )
        try:
            connection.request(
                "GET" if body is None else "POST", path, None if body is None else json.dumps(body), headers
            )
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(content) if content[:1] in {b"{", b"["} else content.decode()

    def client(self, shown: Svid | None) -> ssl.SSLContext:
        """A client that looks at nobody's certificate, and shows this one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if shown is not None:
            put(self.folder / "shown", shown)
            context.load_cert_chain(self.folder / "shown/svid.pem", self.folder / "shown/svid.key")
        return context

    def presented(self, role: str) -> bytes:
        """The certificate (DER) that a listener presents now."""
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", self.ports[role])))

    def token(self, person: str = "alice") -> str:
        body = {"person": person, "server": "shop", "ttl_s": 600}
        status, answer = self.ask("registry", self.authority.svid(IDS.gateway), "/internal/v1/tokens", body)
        assert status == 200, answer
        return str(answer["token"])

    def query(self, token: str, sql: str = "SELECT count(*) AS orders FROM orders") -> tuple[int, Any]:
        """One call of the shop, through the gateway."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["gateway"], timeout=WITHIN_S)
        params = {"name": "run_query", "arguments": {"sql": sql}, "_meta": META}
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call",
            "mcp-name": "run_query",
        }
        try:
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            connection.request("POST", "/mcp/shop", json.dumps(message), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def _answers(self, role: str) -> bool:
        try:
            if role == "gateway":
                with closing(http.client.HTTPConnection("127.0.0.1", self.diagnostics, timeout=WITHIN_S)) as asking:
                    asking.request("GET", "/readyz")
                    return asking.getresponse().status == 200
            return self.ask(role, None, "/healthz", bearer=False)[0] == 200
        except (OSError, http.client.HTTPException):
            return False


def put(folder: Path, svid: Svid) -> None:
    """Key and certificate in place, each by rename."""
    folder.mkdir(exist_ok=True)
    replace_file(folder / "svid.key", svid.key)
    replace_file(folder / "svid.pem", svid.certificate)


def until(is_so: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < deadline, f"not within {WITHIN_S:g} s: {what()}"
        time.sleep(_POLL_S)


@contextmanager
def peered(folder: Path, nursery: Nursery) -> Generator[Peered]:
    """A running platform in `folder`."""
    (folder / "data").mkdir(parents=True)
    shop = folder / "shop.db"
    with sqlite3.connect(shop) as database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        database.executemany("INSERT INTO orders VALUES (?)", [(number,) for number in range(7)])
    database.close()
    (folder / "fleet.yaml").write_text(_FLEET.format(shop=shop))
    Keys.at(folder / "data").ensure(("shop",))
    *listeners, diagnostics = free_ports(len(ROLES) + 1)
    made = Peered(
        folder, nursery, dict(zip(ROLES, listeners, strict=True)), diagnostics, Authority.new(DOMAIN, WallClock())
    )
    made.issue(made.authority)
    try:
        for role in ("registry", role_of_server("shop"), "gateway"):
            made.start(role)
        yield made
    finally:
        for left in made.alive.values():
            os.kill(left, signal.SIGKILL)


_FLEET: Final = """
people:
  alice: {{groups: [clerks]}}
servers:
  shop:
    kind: sql
    url: sqlite:///{shop}
    owner: books
    support: "#books"
    access: {{groups: [clerks]}}
    roles: {{clerk: {{tables: [orders], operations: [read]}}}}
"""
