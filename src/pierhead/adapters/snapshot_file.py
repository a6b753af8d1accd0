"""The last-known snapshot on this disk: a restart without the registry still has a policy. Port SnapshotFile."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import orjson

from pierhead.usecases.ports_registry import Envelope


@dataclass(frozen=True, slots=True)
class SnapshotOnDisk:
    """One role's file."""

    path: Path

    def load(self) -> Envelope | None:
        """What was kept, or None: an unreadable file is as good as none, for its signature is checked anyway."""
        try:
            kept = cast("dict[str, str]", orjson.loads(self.path.read_bytes()))
            return Envelope(kept["payload"], kept["signature"])
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return None

    def keep(self, envelope: Envelope) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".new")
        with unfinished.open("wb") as file:
            file.write(orjson.dumps({"payload": envelope.payload, "signature": envelope.signature}))
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
