"""The programs that registered servers may run, found and held against their pins at each start.

The operator's setting says which (`usecases/check_guest`); this says that what lies here is that. A file is pinned by
its digest, a Python distribution by its exact version. Not here: running it (`adapters/foreign`).
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from pierhead.core.errors import Invalid
from pierhead.usecases.check_guest import Artefact, GuestRules, artefact_of

_CHUNK: Final = 2**20
_DIGEST: Final = "@sha256:"


def allowed_command(name: str, command: Sequence[str], rules: GuestRules) -> tuple[tuple[str, ...], Callable[[], None]]:
    """The program with its whole path and its arguments, and what to ask before each start (it raises OSError).

    Errors: Invalid (`guest-not-allowed`), for what the operator does not allow now, or what is not here.
    """
    artefact = artefact_of(command, rules)
    if artefact is None:
        message = f"server {name}: its command {' '.join(command)[:200]!r} is not allowed"
        raise Invalid(
            message, hint="an administrator may add it to registry.allowed_commands", code="guest-not-allowed"
        )
    if _DIGEST in artefact.pin:
        return tuple(command), lambda: _check_file(artefact)
    script = _script(name, artefact)
    return (sys.executable, "-I", str(script), *command[1:]), lambda: _check_version(artefact)


def _script(name: str, artefact: Artefact) -> Path:
    """The console script of a distribution: the one of its own name, else its only one."""
    try:
        found = distribution(artefact.program)
    except PackageNotFoundError:
        raise _missing(name, artefact, "is not installed beside pierhead") from None
    scripts = {point.name for point in found.entry_points if point.group == "console_scripts"}
    chosen = artefact.program if artefact.program in scripts else next(iter(scripts), "")
    path = Path(sys.executable).parent / chosen
    if not chosen or (len(scripts) > 1 and chosen != artefact.program) or not path.is_file():
        raise _missing(name, artefact, "has no single console script")
    return path


def _missing(name: str, artefact: Artefact, why: str) -> Invalid:
    message = f"server {name}: {artefact.pin} {why}"
    return Invalid(message, hint=f"pip install {artefact.pin}, or remove it from the setting", code="guest-not-allowed")


def _check_version(artefact: Artefact) -> None:
    version = distribution(artefact.program).version
    if f"{artefact.program}=={version}" != artefact.pin:
        raise PermissionError(f"{artefact.program} is {version} here, and {artefact.pin} is allowed")


def _check_file(artefact: Artefact) -> None:
    digest = hashlib.sha256()
    with Path(artefact.program).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if not artefact.pin.endswith(_DIGEST + digest.hexdigest()):
        raise PermissionError(f"{artefact.program} is not the file that is allowed: its digest is {digest.hexdigest()}")
