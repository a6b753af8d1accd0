"""What a registered entry may ask the platform to run or to reach. The operator's own fleet file is not held to it.

Anyone may register a server; so a registered one reaches only hosts outside, runs only what the operator allows, and
takes only credentials that the operator set aside for it. Pure: what can be said without looking. The process that
runs the guest looks again, at each start and each connection (`adapters/outward`, `adapters/artefact`).
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, cast

from pierhead.core.address import is_inside
from pierhead.core.errors import Invalid

ANY_ARGUMENTS: Final = "*"
_DISTRIBUTION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}==[A-Za-z0-9][A-Za-z0-9.!+_-]{0,60}")
_FILE: Final = re.compile(r"(/[^\s]+)@sha256:([0-9a-f]{64})")
_VARIABLE: Final = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)*")
_URL: Final = re.compile(
    r"https?://(?P<credential>[^/?#@\\\s]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?P<port>:\d{1,5})?"
    r"(?P<path>[/?][!-\x22$-\[\]-~]*)?(?P<fragment>#[!-~]*)?",
    re.IGNORECASE,
)
_LAST_PORT: Final = 65_535
_LONGEST_URL: Final = 2_000
REGISTRABLE: Final = frozenset({"http", "stdio", "python", "sql", "presto", "trino"})
"""The kinds that anyone may register: guests, a server that its team runs, data that the operator set aside."""
_PLACE: Final = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\]):(\d{1,5})/mcp")
_SET_ASIDE: Final = re.compile(r"\$\{([^}]*)\}")
_OPERATORS: Final = ("contract", "cursor_key")
"""What of a database's settings names files or holds secrets of the platform."""
_OF_ENGINES: Final = ("assets", "groups", "overwrite")
"""What of a Trino's or Presto's names a file, or lets people reach beyond the roles: others' queries, writing."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """One program that registered entries may run: what it is pinned to, and with which arguments.

    `pin` is `NAME==VERSION`, a Python distribution installed beside Pierhead, or `/PATH@sha256:DIGEST`.
    """

    pin: str
    arguments: tuple[str, ...]

    @property
    def program(self) -> str:
        """What a command names: the distribution, or the path."""
        found = _FILE.fullmatch(self.pin)
        return found[1] if found else self.pin.partition("==")[0]

    def takes(self, arguments: Sequence[str]) -> bool:
        if self.arguments[-1:] == (ANY_ARGUMENTS,):
            fixed = self.arguments[:-1]
            return tuple(arguments[: len(fixed)]) == fixed
        return tuple(arguments) == self.arguments


@dataclass(frozen=True, slots=True)
class GuestRules:
    """What the operator allows registered entries: programs, and hosts although they lie inside."""

    allowed_commands: tuple[Artefact, ...]
    allowed_hosts: frozenset[str]


NOTHING_ALLOWED: Final = GuestRules((), frozenset())


def parse_artefact(text: str) -> Artefact:
    """Read one item of `registry.allowed_commands`: PIN [ARGUMENT ...], where a last `*` lets any arguments follow.

    Errors: Invalid (`bad-artefact`).
    """
    try:
        pin, *arguments = shlex.split(text)
    except ValueError:
        pin, arguments = "", []
    if not _DISTRIBUTION.fullmatch(pin) and not _FILE.fullmatch(pin):
        raise Invalid(
            f"{text[:100]!r} names no pinned program",
            hint="write NAME==VERSION, or /PATH@sha256:DIGEST, then its arguments",
            code="bad-artefact",
        )
    return Artefact(pin, tuple(arguments))


def check_guest(name: str, document: Mapping[str, object], rules: GuestRules) -> None:
    """Hold a registered entry against the rules.

    Errors: Invalid (`guest-not-allowed`), with every fault.
    """
    faults: list[tuple[str, str]] = []
    match document.get("kind"):
        case "http":
            faults += [*_url_faults(document.get("url"), rules), *_header_faults(name, document.get("headers"))]
        case "stdio":
            faults += [*_command_faults(document.get("command"), rules), *_environment_faults(document)]
        case "python":
            faults += [*_place_faults(document.get("url"), rules), *_code_faults(document)]
        case "sql":
            faults += [*_source_faults(name, document.get("url")), *_operator_faults(document, _OPERATORS)]
        case "presto" | "trino":
            faults += [*_source_faults(name, document.get("url")), *_operator_faults(document, _OF_ENGINES)]
        case kind:
            faults.append((f"its kind {kind!r} is for the operator to declare", "declare it in the fleet file"))
    if faults:
        told = "; ".join(message for message, _ in faults)
        hints = "; ".join(dict.fromkeys(hint for _, hint in faults))
        raise Invalid(f"server {name} cannot be registered: {told}", hint=hints, code="guest-not-allowed")


def artefact_of(command: Sequence[str], rules: GuestRules) -> Artefact | None:
    """The allowed artefact that a command runs, or nothing."""
    if not command:
        return None
    return next((one for one in rules.allowed_commands if one.program == command[0] and one.takes(command[1:])), None)


def variable_prefix(name: str) -> str:
    """How the environment variables begin that the operator set aside for one registered server.

    A name cannot reach into another's: after the prefix no variable holds two underscores in a row.
    """
    return f"PIERHEAD_GUEST__{name.upper().replace('-', '_')}__"


def is_set_aside(name: str, variable: str) -> bool:
    prefix = variable_prefix(name)
    return variable.startswith(prefix) and _VARIABLE.fullmatch(variable.removeprefix(prefix)) is not None


def _url_faults(url: object, rules: GuestRules) -> Iterator[tuple[str, str]]:
    parts = _URL.fullmatch(url) if isinstance(url, str) and len(url) <= _LONGEST_URL else None
    if parts is None or not 0 < int((parts["port"] or ":80")[1:]) <= _LAST_PORT:
        yield "its url is no http or https address", "give the whole url of its MCP endpoint"
        return
    if parts["credential"]:
        yield "its url holds a credential", "take credentials from the environment: headers: {Name: {env: NAME}}"
    if parts["fragment"]:
        yield "its url has a fragment", "leave out what stands behind #"
    host = parts["host"].strip("[]").lower()
    if host not in rules.allowed_hosts and is_inside_by_name(host):
        yield (
            f"its host {host} lies inside the network",
            "name a public host, or ask an administrator to put it into the setting registry.allowed_hosts",
        )


def host_of(place: str) -> str:
    """The host at which a server runs elsewhere; empty for what is no address of one."""
    found = _PLACE.fullmatch(place)
    return found[1].strip("[]") if found and 0 < int(found[2]) <= _LAST_PORT else ""


def _code_faults(document: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What runs on the platform's own machines is the operator's to say."""
    if "code" in document or "folder" in document:
        yield "its code would run on the platform", "run it yourself and give its url, or ask the operator"


def _place_faults(url: object, rules: GuestRules) -> Iterator[tuple[str, str]]:
    """The gateway goes there with what people send: only to hosts that the operator names, wherever they lie."""
    host = host_of(url) if isinstance(url, str) else ""
    if not host:
        yield (
            "its url is no address of a server of yours",
            "write http://HOST:PORT/mcp or https://HOST:PORT/mcp, in lower case",
        )
    elif host not in rules.allowed_hosts:
        yield (
            f"its host {host} is not one that servers may run on",
            "ask an administrator to put it into the setting registry.allowed_hosts",
        )


def _source_faults(name: str, url: object) -> Iterator[tuple[str, str]]:
    """The platform opens that database as the operator: so it is one that the operator set aside for this entry."""
    reference = _mapping(url)
    found = _SET_ASIDE.fullmatch(url) if isinstance(url, str) else None
    variable = found[1] if found else reference.get("env") if len(reference) == 1 else None
    if not isinstance(variable, str) or not is_set_aside(name, variable):
        yield (
            "its url is not taken from a variable that was set aside for it",
            f"write url: {{env: {variable_prefix(name)}URL}}, and have the operator set it",
        )


def _operator_faults(document: Mapping[str, object], members: Sequence[str]) -> Iterator[tuple[str, str]]:
    for member in members:
        if document.get(member):
            yield f"it sets {member}, which is the operator's", f"leave {member} out"
    for role, given in _mapping(document.get("roles")).items():
        if "login" in _mapping(given):
            yield f"its role {role} has a login of its own", "leave login out: every role reads as the url's login"


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def is_inside_by_name(host: str) -> bool:
    """Whether the name alone says that a host lies inside; names that do not are resolved when they are reached."""
    try:
        return is_inside(ip_address(host))
    except ValueError:
        pass
    lowered = host.rstrip(".").lower()
    if lowered.replace(".", "").replace("x", "").isalnum() and lowered.split(".")[-1][:1].isdigit():
        return True  # 127.1, 0x7f000001, 2130706433: addresses to a resolver, names to a parser
    return "." not in lowered or lowered.endswith(
        (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa")
    )


def _header_faults(name: str, headers: object) -> Iterator[tuple[str, str]]:
    if not isinstance(headers, Mapping):
        return
    for header, given in cast("Mapping[str, object]", headers).items():
        members: Mapping[str, object] = cast("Mapping[str, object]", given) if isinstance(given, Mapping) else {}
        if not members.keys().isdisjoint({"file", "secret"}):
            yield f"header {header} takes a file of the platform's machine", f"take {variable_prefix(name)}... by env"
        variable = members.get("env")
        if isinstance(variable, str) and not is_set_aside(name, variable):
            yield (
                f"header {header} takes {variable}, which was not set aside for it",
                f"name it {variable_prefix(name)}TOKEN or the like, and have the operator set it",
            )


def _command_faults(command: object, rules: GuestRules) -> Iterator[tuple[str, str]]:
    words = cast("list[object]", command) if isinstance(command, list) else []
    if not words or not all(isinstance(word, str) for word in words):
        yield "it has no command", "give command: [PROGRAM, ARGUMENT, ...]"
        return
    if artefact_of(cast("list[str]", words), rules) is None:
        allowed = ", ".join(" ".join((one.pin, *one.arguments)) for one in rules.allowed_commands) or "none"
        yield (
            f"its command {' '.join(cast('list[str]', words))[:200]!r} is not allowed",
            f"allowed (setting registry.allowed_commands): {allowed}",
        )


def _environment_faults(document: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    if document.get("environment"):
        yield (
            "it sets environment variables, by which a program can be made to run another",
            "leave environment out, or ask the operator to declare the server in the fleet file",
        )
