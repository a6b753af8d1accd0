"""An AI client as we describe it: which file of it names servers, where that file stands, what an entry looks like.

Values and pure functions only: a path is made of a machine's system and variables, an entry of a template. Not here:
which clients there are (`usecases/ai_clients`), reading or writing their files (`adapters/client_files`).
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, cast

_VARIABLE: Final = re.compile(r"\{(\w+)\|([^}]*)\}")
_AS_THEY_ARE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ABSOLUTE: Final = re.compile(r"/|[A-Za-z]:[\\/]|\\\\")


class System(StrEnum):
    """What a person's machine runs."""

    LINUX = "linux"
    MACOS = "macos"
    WINDOWS = "windows"


class Scope(StrEnum):
    """Whom a client's file serves: one person in every project, or everyone in one project."""

    USER = "user"
    PROJECT = "project"


class Format(StrEnum):
    """How a client's file is written. JSON may hold comments and trailing commas."""

    JSON = "json"
    TOML = "toml"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of whoever connects. `project` is the folder they work in, `variables` their environment."""

    system: System
    project: str
    variables: Mapping[str, str]

    @property
    def home(self) -> str:
        return self.variables.get("USERPROFILE" if self.system is System.WINDOWS else "HOME", "")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file stands, on each system; empty where the client does not run there.

    `~` is the home folder, `{NAME|other}` an absolute path in a variable or else the other one; what is neither
    absolute nor begins so is inside the project.
    """

    linux: str
    macos: str
    windows: str

    @staticmethod
    def everywhere(path: str) -> "Place":
        return Place(path, path, path)

    def on(self, machine: Machine) -> str:
        """The path on that machine; empty where there is none."""
        template = {System.LINUX: self.linux, System.MACOS: self.macos, System.WINDOWS: self.windows}[machine.system]
        if not template:
            return ""
        path = _VARIABLE.sub(lambda found: _variable(machine, found[1], found[2]), template)
        if path.startswith("~"):
            path = machine.home + path[1:]
        elif not _ABSOLUTE.match(path):
            path = f"{machine.project}/{path}"
        return path.replace("/", "\\") if machine.system is System.WINDOWS else path


def _variable(machine: Machine, name: str, otherwise: str) -> str:
    value = machine.variables.get(name, "")
    return value.rstrip("/\\") if _ABSOLUTE.match(value) else otherwise


@dataclass(frozen=True, slots=True)
class Connection:
    """One server as clients know it: its name in their files, its address, its name in the public registry."""

    name: str
    url: str
    full_name: str = ""


@dataclass(frozen=True, slots=True)
class AiClient:
    """One client.

    `entry` is a template: `{name}` and `{url}` are filled in. It stands under the keys of `top` by the server's name,
    or, where `is_list`, as an item with a member `name`. A new file begins with the members of
    `begin`. `preferences` are members of an entry that a person may set as they like.
    `command` does the same from a shell, `sign_in` is what comes after; `links` install by one click. A client without
    a place is given the text to paste. `bridged` clients start a program that forwards to the address.
    """

    id: str
    name: str
    format: Format
    top: tuple[str, ...]
    entry: Mapping[str, object]
    user: Place | None = None
    project: Place | None = None
    is_list: bool = False
    begin: Mapping[str, object] = field(default_factory=dict[str, object])
    preferences: frozenset[str] = field(default_factory=frozenset[str])
    command: str = ""
    sign_in: str = ""
    links: tuple["Link", ...] = ()
    bridged: bool = False
    note: str = ""

    def scopes(self) -> tuple[Scope, ...]:
        """The scopes that have a file, the usual one first."""
        return tuple(scope for scope in Scope if self.place(scope) is not None)

    def place(self, scope: Scope) -> Place | None:
        return self.user if scope is Scope.USER else self.project

    def links_to(self, connection: Connection) -> tuple[str, ...]:
        """The links that install that server; without those that need a name of it that is not known."""
        usable = (link for link in self.links if connection.full_name or not link.needs_full_name)
        return tuple(link.to(self, connection) for link in usable)

    def entry_of(self, connection: Connection) -> dict[str, object]:
        """The entry of that server."""
        return cast("dict[str, object]", filled(self.entry, connection))


class Coding(StrEnum):
    """How a link carries an entry."""

    PERCENT = "percent"
    BASE64 = "base64"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Link:
    """A link that installs one server in one client: `{name}`, `{full_name}` and `{config}` are filled in.

    `has_name` says that the entry in `{config}` carries the server's name.
    """

    template: str
    coding: Coding = Coding.NONE
    has_name: bool = False

    @property
    def needs_full_name(self) -> bool:
        return "{full_name}" in self.template

    def to(self, client: AiClient, connection: Connection) -> str:
        entry = client.entry_of(connection)
        config = self._coded({"name": connection.name, **entry} if self.has_name else entry)
        named = self.template.replace("{name}", percent_encoded(connection.name))
        return named.replace("{full_name}", percent_encoded(connection.full_name)).replace("{config}", config)

    def _coded(self, entry: Mapping[str, object]) -> str:
        text = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
        if self.coding is Coding.BASE64:
            return percent_encoded(base64.b64encode(text.encode()).decode())
        return percent_encoded(text)


def filled(template: object, connection: Connection) -> object:
    """The template with its texts filled in, as plain values."""
    match template:
        case str():
            return template.replace("{name}", connection.name).replace("{url}", connection.url)
        case Mapping():
            members = cast("Mapping[str, object]", template)
            return {key: filled(value, connection) for key, value in members.items()}
        case list() | tuple():
            return [filled(item, connection) for item in cast("list[object]", template)]
        case _:
            return template


def percent_encoded(text: str) -> str:
    """The text as it may stand anywhere in an address."""
    return "".join(chr(byte) if byte in _AS_THEY_ARE else f"%{byte:02X}" for byte in text.encode())
