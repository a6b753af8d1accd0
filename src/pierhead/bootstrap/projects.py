"""A server author's project: a folder whose `pyproject.toml` says where its server is declared.

    [tool.pierhead]
    server = "lunch.server:server"

Above: `pierhead dev`, `publish`, `new --update`. Not here: making one (`new_project`).
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from pierhead.core.errors import Invalid

if TYPE_CHECKING:
    from pierhead.sdk.server import Server

_HINT: Final = 'make one with pierhead new NAME, or put server = "MODULE:NAME" under [tool.pierhead]'


@dataclass(frozen=True, slots=True)
class Project:
    """Where it lies, and its server's code as `MODULE:NAME`."""

    folder: Path
    code: str

    @property
    def fleet(self) -> Path:
        """Its fleet file, if it has one."""
        return self.folder / "fleet.yaml"

    def server(self) -> "Server":
        """Load the server. Errors: Misconfigured (`no-such-code`); whatever its module raises."""
        from pierhead.bootstrap.plugins import own_server  # noqa: PLC0415 - loads the protocol stack

        return own_server(self.code, self.folder)


def project_in(folder: Path) -> Project:
    """The project of a folder. Errors: Invalid (`no-project`)."""
    file = folder / "pyproject.toml"
    try:
        read = tomllib.loads(file.read_text("utf-8"))
    except OSError:
        raise Invalid(f"no project in {folder}: it has no pyproject.toml", hint=_HINT, code="no-project") from None
    except ValueError as broken:
        raise Invalid(f"cannot read {file}: {broken}", hint="mend it", code="no-project") from None
    said: Any = read
    for name in ("tool", "pierhead", "server"):
        said = cast("dict[str, Any]", said).get(name) if isinstance(said, dict) else None
    if not isinstance(said, str) or ":" not in said:
        raise Invalid(f"{file} does not say where the server is", hint=_HINT, code="no-project")
    return Project(folder.resolve(), said)
