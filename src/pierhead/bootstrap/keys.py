"""The platform's keys: files in DIR/keys, made at the first start, read by the programs that need them.

Every key is chance from the system, none is derived but a server's: it can check assertions made for itself alone.
Files are 0600 in a directory that is 0700; looser ones are refused. Not here: rotation (a later issue).
"""

import hashlib
import hmac
import json
import secrets
import stat
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pierhead.core.errors import Misconfigured

_MASTER: Final = "assertion.key"
VALUES: Final = "values.key"
"""What servers make digests of values with: each has its own, derived from it."""
PUSH: Final = "push.key"
"""What messages to browsers are signed with: 32 bytes, in base64url, as tools for web push write it (RFC 8292)."""

_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """The key files of one data directory."""

    directory: Path

    @classmethod
    def at(cls, data: Path) -> "Keys":
        return cls(data / "keys")

    def ensure(self, servers: tuple[str, ...]) -> None:
        """Make what is missing; keep what is there. Errors: Misconfigured for files others can read."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, make in _MAKERS.items():
            if not (self.directory / name).exists():
                self._write(name, make())
        if not (self.directory / "snapshot.pub").exists():
            self._write("snapshot.pub", _public_half(self.read("snapshot.key")))
        for server in servers:
            self.ensure_server(server)

    def ensure_lightly(self, servers: tuple[str, ...]) -> None:
        """The same as `ensure`, with what is missing made in a process of its own, as far as that can.

        What makes key pairs weighs some 16 MB, which the platform would hold for life.
        """
        if not all((self.directory / name).exists() for name in _MAKERS):
            maker = [sys.executable, "-m", "pierhead.bootstrap.keys", str(self.directory)]
            subprocess.run(maker, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - ours
        self.ensure(servers)

    def ensure_server(self, server: str) -> None:
        """Make what one server checks assertions with; the gateway derives the same from its own key."""
        self._write(f"assertion-{server}.key", derived(self.read(_MASTER), server))

    def forget_server(self, server: str) -> None:
        """Take away what one server checks assertions with: without it no process of that name starts or answers."""
        (self.directory / f"assertion-{server}.key").unlink(missing_ok=True)

    def replace(self, contents: Mapping[str, bytes]) -> None:
        """Put these in place of what is there: keys that come back from a backup. Names with a folder are refused."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in contents.items():
            if Path(name).name != name:
                raise Misconfigured(f"{name!r} is no key", hint="use another backup", code="bad-key")
            self._write(name, content)

    def made(self, name: str) -> bytes:
        """One key of a name that `ensure` knows, made if it is not there yet. Errors: Misconfigured."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.directory / name).exists():
            self._write(name, _MAKERS[name]())
        return self.read(name)

    def read(self, name: str) -> bytes:
        """The content of one key file. Errors: Misconfigured."""
        path = self.directory / name
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            content = path.read_bytes()
        except OSError as failed:
            message = f"cannot read key {path}: {failed.strerror}"
            raise Misconfigured(message, hint="pierhead up makes the keys", code="bad-key") from None
        if mode & 0o077:
            message = f"key {path} can be read by others (mode {mode:o})"
            raise Misconfigured(message, hint=f"chmod 600 {path}", code="bad-key")
        if not content:
            raise Misconfigured(f"key {path} is empty", hint="remove it; pierhead up makes a new one", code="bad-key")
        return content

    def server_key(self, server: str) -> bytes:
        """What one server checks assertions with."""
        return self.read(f"assertion-{server}.key")

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all: a key cut short by a crash would be a weak key."""
        unfinished = self.directory / f".{name}.new"
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(content)
        unfinished.rename(self.directory / name)


def derived(master: bytes, server: str) -> bytes:
    """The key of one server, from the gateway's; of one that runs elsewhere, by its label (`core/server_key`)."""
    return hmac.new(master, b"server:" + server.encode(), hashlib.sha256).digest()


def _bearer() -> bytes:
    return secrets.token_hex(_LENGTH).encode()


def _random() -> bytes:
    return secrets.token_bytes(_LENGTH)


def _token_key() -> bytes:
    from joserfc.jwk import RSAKey  # noqa: PLC0415 - only the first start needs it

    key = RSAKey.generate_key(2048, private=True, auto_kid=True)
    return json.dumps({**key.as_dict(private=True), "use": "sig", "alg": "RS256"}).encode()


def _signing_key() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - first start

    return Ed25519PrivateKey.generate().private_bytes_raw()


def _push_key() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key  # noqa: PLC0415 - as above

    number = generate_private_key(SECP256R1()).private_numbers().private_value
    return urlsafe_b64encode(number.to_bytes(_LENGTH)).rstrip(b"=")


def _public_half(private: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - first start

    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


_MAKERS: Final[Mapping[str, Callable[[], bytes]]] = {
    "internal.key": _bearer,
    _MASTER: _random,
    "token.jwk": _token_key,
    "snapshot.key": _signing_key,
    "session.key": _random,
    VALUES: _random,
    "cursor.key": _random,
    "people.key": _random,
    PUSH: _push_key,
}


if __name__ == "__main__":
    Keys(Path(sys.argv[1])).ensure(())
