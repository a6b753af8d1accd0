"""The files of AI clients on this machine: read whole, edited in place, replaced whole, with a backup beside.

A file that cannot be read as what it is, is refused with its line and left alone. Not here: which file, and what goes
in (`usecases/connect_client`).
"""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pierhead.adapters.client_files.texts import broken, edited, parsed
from pierhead.core.ai_client import Format
from pierhead.core.errors import Conflict, Invalid
from pierhead.usecases.ports_clients import Edit, KeptFile

_LARGEST: Final = 50_000_000


@dataclass(frozen=True, slots=True)
class DiskClientFiles:
    """The port `ClientFiles` on the disk."""

    def read(self, path: str, written_as: Format) -> KeptFile:
        """The file as it stands; one that is not there is empty.

        Errors: Invalid (`client-file-broken`), naming file and line.
        """
        content = _content(Path(path))
        try:
            text = content.decode("utf-8") if content else ""
        except UnicodeDecodeError as wrong:
            line = content.count(b"\n", 0, wrong.start) + 1 if content else 1
            raise broken(path, line, "no UTF-8") from None
        return KeptFile(path, written_as, text, parsed(path, written_as, text), is_there=content is not None)

    def edited(self, kept: KeptFile, edits: Sequence[Edit]) -> str:
        """The text with those entries, all else as it was. Errors: Invalid, if that cannot be done in place."""
        text = kept.text
        for edit in edits:
            text = edited(kept.path, kept.written_as, text, edit)
        return text

    def replace(self, kept: KeptFile, text: str) -> str:
        """Put the text in the file's place, whole or not at all; where the former one is now kept, if there was one.

        A link is followed, so that a file kept elsewhere stays there. Errors: Conflict, if the file changed since it
        was read; Invalid, if it cannot be written.
        """
        target = Path(os.path.realpath(kept.path))
        if ((_content(target) or b"").decode("utf-8", "replace")) != kept.text:
            message = f"{kept.path} changed while it was being edited"
            raise Conflict(message, hint="run the command again", code="client-file-changed")
        try:
            return _replaced(target, text, is_there=kept.is_there)
        except OSError as failed:
            raise _unusable(kept.path, failed, "written") from None


def _content(path: Path) -> bytes | None:
    """What is in it; nothing where it is not there."""
    try:
        if path.stat().st_size > _LARGEST:
            raise broken(str(path), 1, f"more than {_LARGEST:,} bytes")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as failed:
        raise _unusable(str(path), failed, "read") from None


def _replaced(target: Path, text: str, *, is_there: bool) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(target.stat().st_mode & 0o7777 if is_there else 0o600)
        backup = _backed_up(target) if is_there else ""
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return backup


def _backed_up(target: Path) -> str:
    """A copy beside it, under the first name that is free, with the same mode."""
    for number in range(1, 10_000):
        backup = target.with_name(f"{target.name}.bak{'' if number == 1 else number}")
        try:
            handle = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "wb") as file:
            file.write(target.read_bytes())
        backup.chmod(target.stat().st_mode & 0o7777)
        return str(backup)
    raise FileExistsError(f"{target} has 9,999 backups")


def _unusable(path: str, failed: OSError, done: str) -> Invalid:
    said = failed.strerror or json.dumps(str(failed))
    return Invalid(
        f"{path} cannot be {done}: {said}", hint="see who may use it, or add --print", code="client-file-broken"
    )
