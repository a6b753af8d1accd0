"""A backup's file: a compressed tar whose first member says what the others are, signed by the installation.

`backup.json` names every member with its size and SHA-256; `backup.sig` is Ed25519 over its exact bytes. Secrets are
sealed (AES-256-GCM) under a passphrase (scrypt, RFC 7914). Not here: what the members mean (`bootstrap/wire_backup`).
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, cast

import orjson
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from pierhead.core.errors import Invalid, NotFound
from pierhead.core.json import Json

_ABOUT: Final = "backup.json"
_SIGNATURE: Final = "backup.sig"
_FORMAT: Final = 1
_SALT: Final = 16
_NONCE: Final = 12
_CHUNK: Final = 2**20
_ABOUT_LIMIT: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Archive:
    """A backup that was read and whose signature holds. `about` is what its maker said of it."""

    path: Path
    about: Mapping[str, Json] = field(hash=False)
    members: Mapping[str, Mapping[str, Json]] = field(hash=False)
    signed_by: str

    @contextmanager
    def member(self, name: str) -> Generator[IO[bytes]]:
        """One member's bytes. Errors: Invalid (`bad-backup`), if there is none of that name."""
        with _opened(self.path) as archive:
            found = archive.extractfile(name) if name in self.members else None
            if found is None:
                raise _bad(f"it has no {name}")
            yield found

    def check(self) -> None:
        """Compare every member with what was signed. Errors: Invalid (`bad-backup`), naming the first that differs."""
        seen: set[str] = set()
        with _opened(self.path) as archive:
            for entry in archive:
                content = archive.extractfile(entry)
                if entry.name in {_ABOUT, _SIGNATURE}:
                    continue
                if content is None or entry.name not in self.members or entry.name in seen:
                    raise _bad(f"{entry.name} was not signed")
                if _digest(content) != self.members[entry.name]["sha256"]:
                    raise _bad(f"{entry.name} is not what was signed")
                seen.add(entry.name)
        if missing := sorted(set(self.members) - seen):
            raise _bad(f"it lacks {', '.join(missing)}")


def write_archive(path: Path, about: Mapping[str, Json], files: Mapping[str, Path], key: bytes) -> None:
    """Write and sign it, whole or not at all, for its owner alone. `key` is the 32 raw bytes of an Ed25519 key."""
    members = {name: _told(file) for name, file in files.items()}
    signer = Ed25519PrivateKey.from_private_bytes(key)
    public = signer.public_key().public_bytes_raw().hex()
    text = orjson.dumps(
        {"format": _FORMAT, **about, "signed_by": public, "members": members}, option=orjson.OPT_INDENT_2
    )
    unfinished = path.with_name(f".{path.name}.new")
    descriptor = os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as raw:  # noqa: PTH123 - a descriptor has no path
        with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=5) as archive:
            _add(archive, _ABOUT, text)
            _add(archive, _SIGNATURE, signer.sign(text).hex().encode())
            for name, file in files.items():
                archive.add(file, name, recursive=False, filter=_anonymous)
        raw.flush()
        os.fsync(raw.fileno())
    unfinished.rename(path)


def read_archive(path: Path, trusted: bytes | None) -> Archive:
    """Read what it says of itself, and check the signature under that.

    `trusted` is the public key it must be signed with (32 raw bytes); None takes the one it names, which proves that
    nothing was damaged, not who made it. Errors: Invalid (`bad-backup`).
    """
    with _opened(path) as archive:
        text, signature = _small(archive, _ABOUT), _small(archive, _SIGNATURE)
    try:
        about = cast("dict[str, Json]", orjson.loads(text))
        public = trusted or bytes.fromhex(str(about["signed_by"]))
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature.decode()), text)
        members = cast("dict[str, dict[str, Json]]", about["members"])
    except InvalidSignature:
        raise _bad("its signature is not that of this installation" if trusted else "its signature is wrong") from None
    except (ValueError, KeyError, TypeError):
        raise _bad("it does not say what it holds") from None
    if about.get("format") != _FORMAT:
        raise _bad(f"it has format {about.get('format')}, this program reads {_FORMAT}")
    return Archive(path, about, members, public.hex())


def seal(content: bytes, passphrase: str) -> bytes:
    """Encrypt under a passphrase: salt, nonce, ciphertext."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    return salt + nonce + AESGCM(_key(passphrase, salt)).encrypt(nonce, content, None)


def unseal(sealed: bytes, passphrase: str) -> bytes:
    """Errors: Invalid (`bad-backup`), for another passphrase or damage."""
    salt, nonce, rest = sealed[:_SALT], sealed[_SALT : _SALT + _NONCE], sealed[_SALT + _NONCE :]
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, rest, None)
    except (InvalidTag, ValueError):
        raise _bad("the passphrase does not open its secrets") from None


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode())


def _told(path: Path) -> dict[str, Json]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": _digest(file)}


def _digest(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whose files they were on that machine is nobody's business."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry


def _small(archive: tarfile.TarFile, name: str) -> bytes:
    try:
        content = archive.extractfile(name)
    except KeyError:
        content = None
    if content is None:
        raise _bad(f"it has no {name}")
    return content.read(_ABOUT_LIMIT)


@contextmanager
def _opened(path: Path) -> Generator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:gz") as archive:
            yield archive
    except FileNotFoundError:
        raise NotFound(f"no backup at {path}", hint="name a file that pierhead backup create made") from None
    except (tarfile.TarError, EOFError, OSError) as failed:
        raise _bad(str(failed) or type(failed).__name__) from None


def _bad(why: str) -> Invalid:
    return Invalid(f"the backup cannot be used: {why}", hint="use another copy of it", code="bad-backup")
