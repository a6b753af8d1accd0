"""The last-known snapshot on this disk: a restart without the registry still has a policy. Port SnapshotFile.

Two files: the last whole revision, and what changed since. A change that belongs to another whole revision says so
itself, so a crash between the two leaves nothing that could be misread.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import orjson

from pierhead.usecases.ports_registry import Envelope


@dataclass(frozen=True, slots=True)
class SnapshotOnDisk:
    """One role's files; `path` is that of the whole revision."""

    path: Path

    def load(self) -> Sequence[Envelope]:
        """What was kept: an unreadable file is as good as none, for its signature is checked anyway."""
        whole, change = _read(self.path), _read(self._change)
        return [] if whole is None else [whole] if change is None else [whole, change]

    def keep(self, envelope: Envelope) -> None:
        _write(self.path, envelope)
        self._change.unlink(missing_ok=True)

    def keep_change(self, envelope: Envelope) -> None:
        _write(self._change, envelope)

    @property
    def _change(self) -> Path:
        return self.path.with_suffix(".change")


def _read(path: Path) -> Envelope | None:
    try:
        kept = cast("dict[str, str]", orjson.loads(path.read_bytes()))
        return Envelope(kept["payload"], kept["signature"])
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _write(path: Path, envelope: Envelope) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(f"{path.suffix}.new")
    with unfinished.open("wb") as file:
        file.write(orjson.dumps({"payload": envelope.payload, "signature": envelope.signature}))
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
