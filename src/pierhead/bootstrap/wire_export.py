"""What `pierhead policy export` needs of the outside: the fleet that is in force, files to write and to compare.

Not here: what a client's allow-list looks like (`usecases/export_policy`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pierhead.adapters.client_files.texts import parsed
from pierhead.bootstrap.wire_commands import console
from pierhead.core.ai_client import Format
from pierhead.core.errors import Invalid
from pierhead.usecases.export_policy import Exported, Fleet, compile_fleet

_FORMATS: Final = {".json": Format.JSON, ".toml": Format.TOML}


def fleet_in_force(data: Path) -> Fleet:
    """Errors: UpstreamUnreachable, if no platform runs there."""
    here = console(data)
    return compile_fleet(here.running.public_url, here.policy().current())


def write(folder: Path, exported: tuple[Exported, ...]) -> list[Path]:
    """The files, into that folder, which is made. Errors: Invalid (`client-file-broken`)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in exported:
            (folder / each.name).parent.mkdir(parents=True, exist_ok=True)
            (folder / each.name).write_bytes(each.text.encode())
    except OSError as failed:
        message = f"{folder} cannot be written: {failed.strerror}"
        raise Invalid(message, hint="name another with --out", code="client-file-broken") from None
    return [folder / each.name for each in exported]


def rolled_out(file: Path, exported: tuple[Exported, ...]) -> tuple[Exported, str, Mapping[str, object]]:
    """The export that a file was rolled out from, its text now, and what it says. Errors: Invalid."""
    ends = (each for each in exported if file.parts[-len(Path(each.name).parts) :] == Path(each.name).parts)
    found = next(ends, exported[0] if len(exported) == 1 else None)
    if found is None:
        names = ", ".join(each.name for each in exported)
        raise Invalid(f"{file.name} is no file of this client", hint=f"it has {names}")
    try:
        text = file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as failed:
        raise Invalid(f"{file} cannot be read: {failed}", hint="name the file that was rolled out") from None
    written_as = _FORMATS.get(Path(found.name).suffix)
    return found, text, parsed(str(file), written_as, text) if written_as else {}
