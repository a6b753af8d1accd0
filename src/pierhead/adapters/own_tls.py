"""TLS that Pierhead terminates itself: its certificate, the bundle that clients' certificates are trusted by, rotation.

The files are looked at again when somebody connects, at most once a second, and new ones serve from then on: nothing is
started anew, and what cannot be read changes nothing. Whoever shows a certificate must show one that the bundle signed
and that has not expired; who shows none is nobody yet. Not here: which workload that is (`spiffe`).
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pierhead.core.errors import Misconfigured
from pierhead.usecases.ports import Clock

_LOOK_S: Final = 1.0
_Seen = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where certificate (with its chain), key and trust bundle are, as PEM. Without a bundle none is asked for."""

    certificate: Path
    key: Path
    bundle: Path | None


@dataclass(slots=True)
class OwnTls:
    """One listener's TLS. `problem` says why the newest files are not in use."""

    files: TlsFiles
    clock: Clock
    problem: str = ""
    _context: ssl.SSLContext | None = None
    _seen: _Seen = ()
    _looked_at: float = field(default=float("-inf"))

    def listening(self) -> ssl.SSLContext:
        """What a listener is given: each connection gets the context of its moment. Errors: Misconfigured."""
        self._look()
        if self._context is None:
            message = f"tls: the certificate or the bundle cannot be used: {self.problem}"
            raise Misconfigured(message, hint="see docs/how-to/terminate-tls.md", code="bad-setting")
        context = _context_of(self.files)
        context.sni_callback = self._choose
        return context

    def _choose(self, connection: ssl.SSLObject, name: str | None, listening: ssl.SSLContext) -> None:
        """Called in each handshake, whether or not the client names a host."""
        del name, listening
        self._look()
        if self._context is not None:  # never: a listener began with one
            connection.context = self._context

    def _look(self) -> None:
        now = self.clock.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        try:
            seen = _seen(self.files)
            if seen != self._seen:
                self._context, self._seen, self.problem = _context_of(self.files), seen, ""
        except OSError as failed:  # of which ssl.SSLError is one: half of a new pair, or no certificate at all
            self.problem = str(failed)


def _seen(files: TlsFiles) -> _Seen:
    """What tells the files of one moment from those of another. Errors: OSError."""
    paths = [path for path in (files.certificate, files.key, files.bundle) if path is not None]
    return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in (path.stat() for path in paths))


def _context_of(files: TlsFiles) -> ssl.SSLContext:
    """Errors: OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0  # each connection is judged anew: nobody resumes what an older bundle had let in
    context.load_cert_chain(files.certificate, files.key)
    if files.bundle is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(files.bundle)
    return context
