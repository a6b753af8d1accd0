"""The packet of a version, from the shell: named files or a folder of them, each sent as it is.

What the registry has already is not sent again, so that a pipeline can run twice. Above: `gitops`, which publishes.
Not here: reading what a part says, which the registry does.
"""

import difflib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pierhead.apps.cli.life import path_of
from pierhead.core.errors import Invalid
from pierhead.core.packet import FILE_NAMES, PartKind, largest

if TYPE_CHECKING:
    from pierhead.bootstrap.wire_commands import ApiClient

Parts = Mapping[PartKind, Path]


def parts_of(folder: Path | None, named: Mapping[PartKind, Path | None]) -> Parts:
    """What the options name; a file that is named goes before the one of the folder. Errors: Invalid."""
    found = dict(parts_in(folder)) if folder else {}
    return found | {kind: path for kind, path in named.items() if path is not None}


def parts_in(folder: Path) -> Parts:
    """The parts of one folder, by the names that they have there. Errors: Invalid (`bad-packet`)."""
    if not folder.is_dir():
        raise Invalid(f"no folder {folder}", hint=f"it holds {', '.join(FILE_NAMES.values())}", code="bad-packet")
    kinds = {name: kind for kind, name in FILE_NAMES.items()}
    found: dict[PartKind, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.name in kinds:
            found[kinds[file.name]] = file
        elif not file.name.startswith("."):
            near = difflib.get_close_matches(file.name, kinds, n=1)
            hint = f"did you mean {near[0]}?" if near else f"a packet holds {', '.join(kinds)}"
            raise Invalid(f"{file} is no part of a packet", hint=hint, code="bad-packet")
    return found


def hand_in(client: "ApiClient", name: str, version: str, parts: Parts) -> None:
    """Send each part that the registry has not got. Errors: Invalid (`bad-packet`); what the registry says."""
    if not parts:
        return
    path = f"{path_of(name)}/versions/{quote(version, safe='')}/packet"
    kept = client.ask("GET", path)["parts"]
    for kind, file in parts.items():
        content = _content(kind, file)
        known = kept[str(kind)]
        if known is None or known["digest"] != hashlib.sha256(content).hexdigest():
            client.put_bytes(f"{path}/{kind}", content)


def _content(kind: PartKind, file: Path) -> bytes:
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= largest(kind) else b""
    except OSError as failed:
        raise Invalid(
            f"cannot read {file}: {failed.strerror}", hint="name one that is there", code="bad-packet"
        ) from None
    if size > largest(kind):
        message = f"{file} has {size} bytes; a part {kind} has at most {largest(kind)}"
        raise Invalid(message, hint="hand in a shorter one", code="part-too-large")
    return content
