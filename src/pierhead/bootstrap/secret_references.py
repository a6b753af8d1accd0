"""References to secrets, resolved in one place: no file of ours holds a credential, and no error or log names one.

`{env: NAME}` or `${NAME}` in a text is a variable of this process; `{file: /run/secrets/x}` a file; `{secret: name}`
the file of that name in the directory that a secret store is mounted at (`PIERHEAD_SECRETS`). Read each time they
are needed, and kept nowhere. Not here: which members may hold one (the callers), reading the environment (`settings`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from pierhead.bootstrap.settings import credential, secret_store
from pierhead.core.errors import Misconfigured

MOST_BYTES: Final = 64 * 1024
#: Stands for a secret that nobody reads: it passes for a password, and for an address.
_STAND_IN: Final = "sqlite:///variable"
_KINDS: Final = frozenset({"env", "file", "secret"})
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SECRET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")

Lookup = Callable[[str], str | None]


class Unresolved(Exception):
    """Why a reference has no value, in words that hold none."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where references are looked up. `directory` is where a secret store is mounted; None where there is none.

    Whoever only checks what is written, and connects to nothing, reads no files: `reads_files` is false.
    """

    lookup: Lookup
    directory: Path | None
    reads_files: bool = True

    @classmethod
    def of_this_process(cls) -> "Secrets":
        """The variables of this process, and the store that is mounted for it."""
        return cls(credential, secret_store())

    @classmethod
    def unread(cls) -> "Secrets":
        """Each reference is taken for one that can be resolved: for a look at what is written."""
        return cls(str, None, reads_files=False)

    def value(self, reference: Mapping[str, object]) -> str:
        """The secret of `{env: …}`, `{file: …}` or `{secret: …}`. Errors: Unresolved."""
        ((kind, named),) = reference.items()
        name = str(named)
        if not self.reads_files:
            return _STAND_IN
        match kind:
            case "env":
                return self._variable(name)
            case "file":
                return _read(Path(name), f"the file {name}")
            case _:
                return self._stored(name)

    def text(self, written: str) -> str:
        """`written` with every `${NAME}` filled in. Errors: Unresolved."""
        return _VARIABLE.sub(lambda found: self._variable(found[1]), written)

    def _variable(self, name: str) -> str:
        if _NAME.fullmatch(name) is None:
            raise Unresolved(f"{name!r} is no name of a variable")
        value = self.lookup(name)
        if not value:
            raise Unresolved(f"the variable {name} is not set")
        return value

    def _stored(self, name: str) -> str:
        if self.directory is None:
            raise Unresolved(f"the secret {name} is asked for, and no secret store is mounted: set PIERHEAD_SECRETS")
        if _SECRET.fullmatch(name) is None:
            raise Unresolved(f"{name!r} is no name of a secret")
        return _read(self.directory / name, f"the secret {name}")


def is_reference(value: object) -> bool:
    """Whether that is one of the three forms, and nothing else."""
    if not isinstance(value, Mapping):
        return False
    members = cast("Mapping[object, object]", value)
    return len(members) == 1 and next(iter(members)) in _KINDS and isinstance(next(iter(members.values())), str)


def is_templated(value: object) -> bool:
    """Whether that is a text with a `${NAME}` in it."""
    return isinstance(value, str) and _VARIABLE.search(value) is not None


def resolved(secrets: Secrets, place: str, value: object, missing: list[str]) -> object:
    """`value` with its references filled in; what has no value is told in `missing`, by its place."""
    try:
        if is_reference(value):
            return secrets.value(cast("Mapping[str, object]", value))
        return secrets.text(cast("str", value)) if is_templated(value) else value
    except Unresolved as why:
        missing.append(f"{place}: {why}")
        return value


def require_all(missing: list[str], code: str) -> None:
    """Errors: Misconfigured (`code`), naming everything that is missing."""
    if missing:
        raise Misconfigured("; ".join(missing), hint="set it for this process, and start again", code=code)


def _read(path: Path, what: str) -> str:
    """A secret's file without its last line break. Errors: Unresolved."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        value = content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as failed:
        raise Unresolved(f"{what} cannot be read: {failed.strerror}") from None
    except UnicodeDecodeError:
        raise Unresolved(f"{what} is no text") from None
    if not value or len(content) > MOST_BYTES:
        raise Unresolved(f"{what} is empty, or larger than {MOST_BYTES} bytes")
    return value
