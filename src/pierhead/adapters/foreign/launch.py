"""Becomes a guest: takes limits, an empty environment and no way to new rights, then runs the guest's program.

Run as a script of its own, with the standard library alone, in the child that `stdio` starts:
`launch.py LIMITS NAMES PROGRAM [ARGUMENT ...]`, LIMITS being JSON of resource names and numbers, NAMES JSON of the
variables that the guest may keep. Not here: which limits (`stdio`).
"""

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Final

_SET_DEATH_SIGNAL: Final = 1
_SET_NO_NEW_PRIVILEGES: Final = 38
_CALMER: Final = 5


def main() -> None:
    limits, names, *command = sys.argv[1:]
    for name, number in json.loads(limits).items():
        _limit(getattr(resource, name), number)
    if sys.platform == "linux":
        _confine()
    os.nice(_CALMER)
    kept = {name: os.environ[name] for name in json.loads(names)}  # noqa: TID251 - what the entry grants, and no more
    os.execve(command[0], command, kept)  # noqa: S606 - an absolute path, without a shell


def _limit(kind: int, number: int) -> None:
    """Never above what this process has."""
    _, hard = resource.getrlimit(kind)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    resource.setrlimit(kind, (wanted, wanted))


def _confine() -> None:
    """It ends with whoever started it, and no set-uid program gives it more rights."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        sys.exit("cannot give up the way to new rights")


if __name__ == "__main__":
    main()
