"""Whose a thing is: from the owners file of the server, the registry, and the CODEOWNERS of its checkouts.

The owners file is a list of `{things: [names or patterns], team, on_call, channel}`; it is read again when it changes.
Not here: owners of documents, which stand in their front matter.
"""

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pierhead.sdk import Caller, Misconfigured, Server
from pierhead.servers.knowledge.settings import SourceSettings

_CODEOWNERS: Final = ("CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS")
_LARGEST: Final = 4 * 1024 * 1024


class OwnersEntry(BaseModel):
    """`things` are names, or patterns with `*` and `?`; a later entry does not override an earlier one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    things: tuple[str, ...]
    team: str
    on_call: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """`thing` is the name or pattern that fits, `told_by` where that stands."""

    thing: str
    team: str
    on_call: str
    channel: str
    told_by: str


Registered = Callable[[str, Caller], Sequence[Owner]]
"""What the registry knows of a thing, as far as its caller may."""


def nobody(thing: str, caller: Caller) -> Sequence[Owner]:
    """For a server that no platform hosts."""
    del thing, caller
    return ()


def registered_with(server: Server) -> Registered:
    """By the registry behind `server`, which knows servers and their tools."""

    def owners(thing: str, caller: Caller) -> Sequence[Owner]:
        found = server.owners.of(thing, caller)
        return [Owner(each.server, each.owner, each.on_call, each.support, "registry") for each in found]

    return owners


_ENTRIES: Final = TypeAdapter(tuple[OwnersEntry, ...])


class Owners:
    """What the owners file says now."""

    def __init__(self, file: Path | None) -> None:
        """Errors: Misconfigured, for a file that cannot be read."""
        self._file = file
        self._read_at: tuple[float, int] | None = None
        self._entries: tuple[OwnersEntry, ...] = ()
        self._look()

    def of(self, thing: str) -> tuple[Sequence[Owner], str]:
        """Who owns it by the file, exact names before patterns; and why the file says what it said earlier, if so."""
        try:
            self._look()
            fault = ""
        except Misconfigured as wrong:
            fault = f"the owners file is not read anew: {wrong.message}"
        name = thing.casefold()
        fitting = [
            (pattern.casefold() != name, Owner(pattern, entry.team, entry.on_call, entry.channel, "owners file"))
            for entry in self._entries
            for pattern in entry.things
            if fnmatch.fnmatchcase(name, pattern.casefold())
        ]
        return [owner for _, owner in sorted(fitting, key=lambda each: each[0])], fault

    def _look(self) -> None:
        if self._file is None:
            return
        try:
            about = self._file.stat()
            stamp = (about.st_mtime, about.st_size)
            if stamp == self._read_at:
                return
            self._entries = _ENTRIES.validate_python(yaml.safe_load(self._file.read_bytes()[:_LARGEST]))
            self._read_at = stamp
        except OSError as failed:
            raise _bad(f"{self._file.name}: {failed.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError):
            raise _bad(f"{self._file.name} is no YAML") from None
        except ValidationError as invalid:
            places = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors()[:5])
            raise _bad(f"{self._file.name}: {places}") from None


def owners_by_path(path: str, sources: Mapping[str, SourceSettings]) -> Iterator[Owner]:
    """Who owns a file by the CODEOWNERS of each of these sources: in it, the last line that fits decides."""
    for name, source in sources.items():
        for place in _CODEOWNERS:
            file = source.folder / place
            if not file.is_file() or file.is_symlink():
                continue
            found: Owner | None = None
            for line in file.read_text(errors="replace")[:_LARGEST].splitlines():
                pattern, *teams = line.partition("#")[0].split() or [""]
                if pattern and teams and _covers(pattern, path):
                    found = Owner(pattern, " ".join(teams), "", "", f"{place} of {name}")
            if found is not None:
                yield found
            break


def _covers(pattern: str, path: str) -> bool:
    """Whether a pattern of CODEOWNERS fits: rooted with a leading `/`, a folder and all in it with a trailing one."""
    rooted = pattern.startswith("/")
    bare = pattern.strip("/")
    options = [bare, f"{bare}/*"]
    if not rooted and "/" not in bare:
        options += [f"*/{bare}", f"*/{bare}/*"]
    return any(fnmatch.fnmatchcase(path, option) for option in options)


def _bad(message: str) -> Misconfigured:
    return Misconfigured(
        message, hint="write a list of {things: [...], team: ..., on_call: ..., channel: ...}", code="bad-owners"
    )
