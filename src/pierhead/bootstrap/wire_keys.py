"""The API keys of one data directory, for `pierhead key` and `pierhead serve`: file, clock, chance."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pierhead.adapters.api_keys import KeyFile
from pierhead.adapters.system import SystemClock


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Everything that making and revoking a key needs of the outside."""

    file: KeyFile
    clock: SystemClock
    chance: Callable[[int], bytes] = secrets.token_bytes


def key_place(data: Path) -> KeyPlace:
    return KeyPlace(KeyFile(data / "keys" / "api-keys.json"), SystemClock())
