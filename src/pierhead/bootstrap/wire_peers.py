"""TLS between the platform's own programs, put together for one of them.

Every program has its certificate, and knows the roles of the others by their SPIFFE IDs. Above: `wire_gateway`,
`wire_shared`, and the programs, which hold `PeersOnly` before what they serve.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pierhead.adapters.own_tls import OwnTls, PeerTls, TlsFiles
from pierhead.adapters.spiffe import Certificates, Peers
from pierhead.adapters.system import SystemClock
from pierhead.bootstrap.peer_settings import peer_ids
from pierhead.bootstrap.settings import LOOPBACK, Settings
from pierhead.core.errors import Misconfigured, Unauthenticated
from pierhead.core.peer import GATEWAY, REGISTRY, server_in
from pierhead.usecases.ports import Clock

_HINT: Final = "see docs/how-to/spread-over-machines.md"


@dataclass(frozen=True, slots=True)
class Secured:
    """One program's TLS with the others. Fills `upstream.Secured`."""

    files: TlsFiles
    peers: Peers
    clock: Clock
    _towards: PeerTls

    @classmethod
    def of(cls, files: TlsFiles, peers: Peers, clock: Clock) -> "Secured":
        return cls(files, peers, clock, PeerTls(files, clock))

    def listening(self) -> ssl.SSLContext:
        """For a listener of ours. Errors: Misconfigured."""
        return OwnTls(self.files, self.clock).listening()

    def context(self) -> ssl.SSLContext:
        """For a connection whose other end is judged by `is_role` before anything is sent. Errors: Misconfigured."""
        return self._towards.context()

    def is_role(self, certificate: bytes, role: str) -> bool:
        return self.peers.is_role(certificate, role)

    def towards_registry(self) -> Callable[[], ssl.SSLContext]:
        """For clients that judge nothing themselves: the handshake fails with all but the registry."""
        tls = PeerTls(self.files, self.clock, lambda shown: self.peers.is_role(shown, REGISTRY))
        return tls.context

    def role(self, certificate: bytes) -> str:
        """Errors: Unauthenticated."""
        return self.peers.role(certificate)


def secured(settings: Settings, role: str) -> Secured | None:
    """The TLS of the program of this role; None where the programs stay on one machine.

    Errors: Misconfigured, also for a certificate that is another program's.
    """
    peers = settings.peers
    if peers.certificate is None or peers.key is None:
        return None
    files, clock = TlsFiles(peers.certificate, peers.key, peers.bundle), SystemClock()
    made = Secured.of(files, peers_by(settings, clock), clock)
    made.listening()
    _require_own(peers.certificate, made.peers, role)
    return made


def peers_by(settings: Settings, clock: Clock) -> Peers:
    """Who is who, by the settings."""
    return Peers(peer_ids(settings.peers, settings.mesh), Certificates(settings.mesh.svid_life_s), clock)


def require_secured_url(url: str, secured: Secured | None) -> None:
    """That what opens the registry goes over no network in the clear. Errors: Misconfigured (`half-secured`)."""
    parts = urlsplit(url)
    if secured is not None and parts.scheme != "https":
        message = f"the section peers is set, and --registry {url} is no https URL"
        raise Misconfigured(message, hint=_HINT, code="half-secured")
    if secured is None and (parts.scheme != "http" or parts.hostname not in LOOPBACK):
        message = f"--registry {url} is not on this machine, and the section peers is not set"
        raise Misconfigured(message, hint=_HINT, code="half-secured")


def require_secured_host(host: str, secured: Secured | None) -> None:
    """Errors: Misconfigured (`half-secured`), for an address that others reach in the clear."""
    if secured is None and host not in LOOPBACK:
        message = f"--host {host} is not this machine's alone, and the section peers is not set"
        raise Misconfigured(message, hint=_HINT, code="half-secured")


def may_ask_registry(role: str) -> bool:
    """Gateways and servers."""
    return role == GATEWAY or bool(server_in(role))


def may_call_servers(role: str) -> bool:
    return role == GATEWAY


def _require_own(certificate: Path, peers: Peers, role: str) -> None:
    shown = ssl.PEM_cert_to_DER_cert(_first(certificate))
    wanted = peers.ids.id_of(role)
    try:
        named, _ = peers.certificates.named(shown, peers.clock.now())
    except Unauthenticated as refused:
        message = f"peers.certificate: {refused.message}"
        raise Misconfigured(message, hint=_HINT, code="half-secured") from None
    if named != wanted:
        message = f"peers.certificate names {named}, and this program is {wanted}"
        raise Misconfigured(message, hint="give each program its own SVID", code="half-secured")


def _first(certificate: Path) -> str:
    """The leaf: the first of the chain."""
    text, end = certificate.read_text("ascii"), "-----END CERTIFICATE-----"
    return text[text.index("-----BEGIN CERTIFICATE-----") : text.index(end) + len(end)]
