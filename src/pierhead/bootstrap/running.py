"""The running platform on this machine: its lock, and the note that says where it stands.

`pierhead up` holds the lock and writes the note when it is ready; the other commands find the platform by it. The lock
passes on to every child, so that it is free only when the last of them has ended. Not here: processes.
"""

import errno
import fcntl
import json
import os
import socket
import ssl
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import SystemRandom
from typing import Final

from pierhead.adapters.processes import end_with_parent
from pierhead.core.errors import Misconfigured, UpstreamUnreachable

__all__ = [
    "Running",
    "announce",
    "bound",
    "bound_path",
    "end_with_parent",
    "find_running",
    "free_ports",
    "hold",
    "prepare_directory",
    "require_directory",
    "trusted",
    "withdraw",
]


_WAITING: Final = 2048
_NEVER_EPHEMERAL: Final = range(10_240, 32_768)
"""Below what Linux (32768 to 60999) and IANA (49152 and on) take for outgoing connections: one of those could take the
port of a server between the choice and its start, or while it is down."""


@dataclass(frozen=True, slots=True)
class Running:
    """Where a platform stands. Written with mode 0600."""

    public_url: str
    registry_url: str
    diagnostics_url: str
    fleet: str
    pid: int
    trust: str = ""
    """The file that its public address is trusted by, where it has an authority of its own."""


def trusted(running: Running) -> ssl.SSLContext | bool:
    """How a client of ours speaks TLS with that platform: True for the usual way."""
    return ssl.create_default_context(cafile=running.trust) if running.trust else True


def note_of(data: Path) -> Path:
    return data / "run" / "platform.json"


def find_running(data: Path) -> Running:
    """The platform that runs on this data directory. Errors: UpstreamUnreachable."""
    note = note_of(data)
    try:
        running = Running(**json.loads(note.read_text("utf-8")))
        os.kill(running.pid, 0)
    except (OSError, ValueError, TypeError):
        message = f"no platform is running on {data}"
        raise UpstreamUnreachable(message, hint="start it: pierhead up; or name another --data") from None
    return running


def announce(data: Path, running: Running) -> None:
    """Write the note, whole or not at all."""
    note = note_of(data)
    unfinished = note.with_suffix(".new")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(asdict(running)), "utf-8")
    unfinished.rename(note)


def withdraw(data: Path) -> None:
    note_of(data).unlink(missing_ok=True)


def prepare_directory(data: Path) -> None:
    """Make the data directory and see that it can be written. Errors: Misconfigured."""
    try:
        for directory in (data, data / "run", data / "logs"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_directory(data)
    except OSError as failed:
        message = f"cannot make the data directory {data}: {failed.strerror}"
        raise Misconfigured(message, hint="choose another: --data DIR or PIERHEAD_DATA") from None


def require_directory(data: Path) -> None:
    """Errors: Misconfigured, if it is not there or cannot be written."""
    try:
        with tempfile.TemporaryFile(dir=data):
            pass
    except OSError as failed:
        message = f"cannot write the data directory {data}: {failed.strerror}"
        raise Misconfigured(message, hint="choose another: --data DIR or PIERHEAD_DATA") from None


def hold(data: Path) -> int:
    """Lock the data directory; the descriptor to keep open. Errors: Misconfigured (`in-use`)."""
    lock = os.open(data / "run" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 32, 0).decode(errors="replace") or "unknown"
        os.close(lock)
        message = f"a platform already runs on {data} (process {holder})"
        raise Misconfigured(
            message, hint="use that one, stop it, or choose another --data DIR", code="in-use"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def bound(host: str, port: int) -> socket.socket:
    """A socket to serve on. Errors: Misconfigured (`in-use`)."""
    listener = socket.socket(_family(host))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as failed:
        listener.close()
        message = f"port {port} on {host} cannot be used: {failed.strerror}"
        raise Misconfigured(
            message, hint="stop what listens there, or choose another: --port, --diagnostics-port", code="in-use"
        ) from None
    return listener


def bound_path(path: Path) -> socket.socket:
    """A Unix socket to serve on, for this account and its group alone. Errors: Misconfigured (`in-use`)."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        if path.is_socket():
            _refuse_if_served(path)
            path.unlink()
        listener.bind(str(path))
        path.chmod(0o660)
        listener.listen(_WAITING)
    except OSError as failed:
        listener.close()
        message = f"the socket {path} cannot be used: {failed.strerror or failed}"
        raise Misconfigured(message, hint="stop what listens there, or name another path", code="in-use") from None
    return listener


def _refuse_if_served(path: Path) -> None:
    """A socket that a program left behind may be replaced, one that is served may not. Errors: OSError."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        if probe.connect_ex(str(path)) == 0:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody uses now, and that no system hands out by itself before their users bind them.

    Errors: Misconfigured (`in-use`), if there are not so many.
    """
    found: list[int] = []
    for port in SystemRandom().sample(_NEVER_EPHEMERAL, len(_NEVER_EPHEMERAL)):
        if len(found) == count:
            return found
        if _is_free(port):
            found.append(port)
    raise Misconfigured("no port is free", hint="end some of the programs that listen on this machine", code="in-use")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
