"""TLS that Pierhead speaks itself: its certificate, the bundle that others' certificates are trusted by, rotation.

The files are looked at again when somebody connects, at most once a second, and new ones serve from then on: nothing is
started anew, and what cannot be read changes nothing. Whoever shows a certificate must show one that the bundle signed
and that has not expired; who shows none to a listener is nobody yet. Not here: which workload that is (`spiffe`).
"""

import ssl
from collections.abc import Callable
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
class _Followed:
    """The context that `make` makes of the newest files that can be used. `problem` says why newer ones are not."""

    files: TlsFiles
    clock: Clock
    make: Callable[[TlsFiles], ssl.SSLContext]
    problem: str = ""
    _context: ssl.SSLContext | None = None
    _seen: _Seen = ()
    _looked_at: float = field(default=float("-inf"))

    def current(self) -> ssl.SSLContext:
        """Errors: Misconfigured, as long as there have been no files that can be used."""
        self._look()
        if self._context is None:
            message = f"tls: the certificate or the bundle cannot be used: {self.problem}"
            raise Misconfigured(message, hint="see docs/how-to/terminate-tls.md", code="bad-setting")
        return self._context

    def _look(self) -> None:
        now = self.clock.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        try:
            seen = _seen(self.files)
            if seen != self._seen:
                self._context, self._seen, self.problem = self.make(self.files), seen, ""
        except OSError as failed:  # of which ssl.SSLError is one: half of a new pair, or no certificate at all
            self.problem = str(failed)


class OwnTls:
    """One listener's TLS."""

    __slots__ = ("followed",)

    def __init__(self, files: TlsFiles, clock: Clock) -> None:
        self.followed = _Followed(files, clock, _listening)

    @property
    def problem(self) -> str:
        """Why the newest files are not in use."""
        return self.followed.problem

    def listening(self) -> ssl.SSLContext:
        """What a listener is given: each connection gets the context of its moment. Errors: Misconfigured."""
        self.followed.current()
        context = _listening(self.followed.files)
        context.sni_callback = self._choose
        return context

    def _choose(self, connection: ssl.SSLObject, name: str | None, listening: ssl.SSLContext) -> None:
        """Called in each handshake, whether or not the client names a host."""
        del name, listening
        connection.context = self.followed.current()


class PeerTls:
    """TLS towards peers that the bundle vouches for: our certificate is shown, theirs is asked for.

    `is_expected` judges the certificate (DER) of whoever answered, before a byte is sent to it; without it, whoever
    connects has to (`adapters/upstream`). Names of hosts prove nothing here: a peer is its SPIFFE ID.
    """

    __slots__ = ("followed",)

    def __init__(self, files: TlsFiles, clock: Clock, is_expected: Callable[[bytes], bool] | None = None) -> None:
        def make(files: TlsFiles) -> ssl.SSLContext:
            context = _connecting(files)
            return context if is_expected is None else _checked(context, is_expected)

        self.followed = _Followed(files, clock, make)

    @property
    def problem(self) -> str:
        """Why the newest files are not in use."""
        return self.followed.problem

    def context(self) -> ssl.SSLContext:
        """That of this moment; another one once the files are others. Errors: Misconfigured."""
        return self.followed.current()


def _seen(files: TlsFiles) -> _Seen:
    """What tells the files of one moment from those of another. Errors: OSError."""
    paths = [path for path in (files.certificate, files.key, files.bundle) if path is not None]
    return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in (path.stat() for path in paths))


def _listening(files: TlsFiles) -> ssl.SSLContext:
    """Errors: OSError."""
    context = _begun(ssl.PROTOCOL_TLS_SERVER, files)
    context.num_tickets = 0  # each connection is judged anew: nobody resumes what an older bundle had let in
    if files.bundle is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(files.bundle)
    return context


def _connecting(files: TlsFiles) -> ssl.SSLContext:
    """Errors: OSError."""
    context = _begun(ssl.PROTOCOL_TLS_CLIENT, files)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if files.bundle is not None:
        context.load_verify_locations(files.bundle)
    return context


def _begun(protocol: int, files: TlsFiles) -> ssl.SSLContext:
    """Errors: OSError."""
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(files.certificate, files.key)
    return context


def _checked(context: ssl.SSLContext, is_expected: Callable[[bytes], bool]) -> ssl.SSLContext:
    """Whatever client library connects with it: the handshake fails with whoever is not expected."""

    def check(shown: bytes | None) -> None:
        if shown is None or not is_expected(shown):
            raise ssl.SSLCertVerificationError("whoever answers is not the peer that was meant")

    class Connection(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            check(self.getpeercert(binary_form=True))

    class BlockingConnection(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            check(self.getpeercert(binary_form=True))

    context.sslobject_class, context.sslsocket_class = Connection, BlockingConnection
    return context
