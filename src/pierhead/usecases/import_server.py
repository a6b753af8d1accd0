"""From a `server.json` of another registry to an entry of ours: what to reach or run, never what it may do.

The foreign document says where a server is; who owns it here, who may use it and which of its tools exist is said by
whoever imports it. Every known schema version is read as the newest. Pure. Not here: fetching, registering.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from pierhead.core.errors import Invalid
from pierhead.core.json import Json
from pierhead.core.schema_bounds import parts
from pierhead.usecases.check_guest import GuestRules, artefact_of, variable_prefix

CURRENT: Final = "2025-12-11"
KNOWN: Final = ("2025-12-11", "2025-10-17", "2025-10-11", "2025-09-29", "2025-09-16", "2025-07-09")
_SCHEMA: Final = re.compile(r"https://static\.modelcontextprotocol\.io/schemas/(\d{4}-\d\d-\d\d)/server\.schema\.json")
_NAME: Final = re.compile(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+")
_DEEPEST: Final = 12
_MOST_PARTS: Final = 1_000
_LONGEST_TEXT: Final = 4_000
_LONGEST_DESCRIPTION: Final = 100
_LONGEST_NAME: Final = 200
_LONGEST_SLUG: Final = 63
#: How the oldest version named what has another name today; the rest of it is today's in snake case.
_OLD_NAMES: Final[Mapping[str, str]] = {
    "transport_type": "type",
    "registry_name": "registryType",
    "source_code": "source",
}
#: What the contract knows at each place, in the names of today; of older versions also what they said besides.
_MEMBERS: Final = frozenset(
    {
        *("$schema", "name", "title", "description", "version", "repository", "websiteUrl", "packages", "remotes"),
        *("id", "status", "createdAt", "updatedAt", "versionDetail"),
    }
)
_REPOSITORY: Final = frozenset({"url", "source", "id", "subfolder"})
_PACKAGE: Final = frozenset(
    {
        *("registryType", "identifier", "name", "version", "transport", "registryBaseUrl", "fileSha256"),
        *("runtimeHint", "runtimeArguments", "packageArguments", "environmentVariables"),
    }
)
_REMOTE: Final = frozenset({"type", "url", "headers", "variables"})
_HEADER: Final = frozenset(
    {
        *("name", "value", "default", "description", "format", "placeholder", "choices", "variables"),
        *("isRequired", "isSecret"),
    }
)
_OURS: Final = frozenset({"kind", "url", "command", "headers", "environment"})

Form = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Imported:
    """An entry that can be registered. `notes` is what the person should do or know, in sentences."""

    name: str
    full_name: str
    version: str
    document: Mapping[str, Json] = field(hash=False)
    notes: tuple[str, ...]


def import_server(source: object, given: Mapping[str, Json], rules: GuestRules, name: str = "") -> Imported:
    """Read `source`, a `server.json` or the answer of a registry around one.

    Shapes: `given` are the members that only the importer can say (owner, support, access, tools ...); those of the
    foreign document win nowhere. `name` is the server's name here; empty takes the last part of the foreign one.
    Errors: Invalid: `import-too-large`, `import-schema`, `bad-import`.
    """
    _refuse_bomb(source)
    server = _server(source)
    full_name, version = _text(server, "name", _LONGEST_NAME), _text(server, "version", 255)
    if not _NAME.fullmatch(full_name):
        raise _bad(f"its name {full_name!r} is not like com.example/name", "correct name")
    slug = name or slug_of(full_name)
    claimed = sorted(_OURS & set(given))
    if claimed:
        raise _bad(f"{', '.join(claimed)} come from the server.json", "leave them out, or register it by hand")
    running, notes = _running(server, slug, rules)
    said = {"description": _text(server, "description", _LONGEST_DESCRIPTION), "version": version}
    title = server.get("title")
    if isinstance(title, str) and title:
        said["title"] = title[:_LONGEST_DESCRIPTION]
    return Imported(slug, full_name, version, {**said, **given, **running}, tuple(notes))


def _refuse_bomb(source: object) -> None:
    for count, part in enumerate(parts(source), 1):
        size = len(part.value) if isinstance(part.value, str) else 0
        if part.depth > _DEEPEST or count > _MOST_PARTS or max(size, len(part.key)) > _LONGEST_TEXT:
            raise Invalid(
                f"the server.json is nested deeper than {_DEEPEST}, has more than {_MOST_PARTS} parts,"
                f" or a text longer than {_LONGEST_TEXT}",
                hint="leave out _meta, icons and long texts",
                code="import-too-large",
            )


def _server(source: object) -> Form:
    """The document itself, in the names of today."""
    if not isinstance(source, Mapping):
        raise _bad("it is no object", "give one server.json")
    whole = cast("Mapping[str, Json]", source)
    inner = whole.get("server")
    plain = cast("Mapping[str, Json]", inner) if isinstance(inner, Mapping) else whole
    schema = plain.get("$schema")
    if schema is not None:
        found = _SCHEMA.fullmatch(schema) if isinstance(schema, str) else None
        if found is None or found[1] not in KNOWN:
            message = f"its $schema is {str(schema)[:120]!r}, which this version does not know"
            raise Invalid(message, hint=f"known: {', '.join(KNOWN)}", code="import-schema")
    kept = {key: value for key, value in plain.items() if key not in {"_meta", "icons"}}
    server = cast("Form", _today(kept))
    _refuse_unknown(server)
    return server


def _refuse_unknown(server: Form) -> None:
    """A member that nobody knows would silently be nothing. Errors: Invalid (`bad-import`), with its place."""
    _refuse_others(server, _MEMBERS, "")
    repository = server.get("repository")
    _refuse_others(repository if isinstance(repository, dict) else {}, _REPOSITORY, "repository.")
    for at, package in enumerate(_objects(server, "packages")):
        _refuse_others(package, _PACKAGE, f"packages[{at}].")
    for at, remote in enumerate(_objects(server, "remotes")):
        _refuse_others(remote, _REMOTE, f"remotes[{at}].")
        for place, header in enumerate(_objects(remote, "headers")):
            _refuse_others(header, _HEADER, f"remotes[{at}].headers[{place}].")


def _refuse_others(form: Mapping[str, Json], known: frozenset[str], place: str) -> None:
    for name in sorted(form.keys() - known):
        near = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known there: {', '.join(sorted(known))}"
        raise _bad(f"unknown member {place}{name[:80]}", hint)


def _today(value: Json) -> Json:
    if isinstance(value, list):
        return [_today(item) for item in value]
    if isinstance(value, dict):
        return {_today_name(key): _today(item) for key, item in value.items()}
    return value


def _today_name(key: str) -> str:
    if key in _OLD_NAMES:
        return _OLD_NAMES[key]
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest) if first else key


def _running(server: Form, slug: str, rules: GuestRules) -> tuple[Form, list[str]]:
    """A remote that speaks Streamable HTTP before a package that the operator allows."""
    remotes, packages = _objects(server, "remotes"), _objects(server, "packages")
    for remote in remotes:
        if remote.get("type") in {"streamable-http", "streamable"}:
            return _remote(remote, slug)
    for package in packages:
        command = _command(package, rules)
        if command is not None:
            return {"kind": "stdio", "command": list(command)}, []
    raise _bad(_why_not(remotes, packages), "register a server with a streamable-http remote, or ask an administrator")


def _why_not(remotes: Sequence[Form], packages: Sequence[Form]) -> str:
    kinds = ", ".join(sorted({str(remote.get("type"))[:30] for remote in remotes}))
    pins = ", ".join(f"{package.get('identifier')}=={package.get('version')}"[:120] for package in packages)
    if remotes:
        return f"its remotes are of type {kinds}; only streamable-http is spoken"
    return (
        f"its packages ({pins}) are not in registry.allowed_commands" if pins else "it names no remote and no package"
    )


def _remote(remote: Form, slug: str) -> tuple[Form, list[str]]:
    url = remote.get("url")
    if not isinstance(url, str) or "{" in url:
        raise _bad(f"its url {str(url)[:120]!r} has places to fill in", "fill them in before you import it")
    headers: Form = {}
    notes: list[str] = []
    for header in _objects(remote, "headers"):
        name, value, note = _header(header, slug)
        if value is not None:
            headers[name] = value
        notes += [note] if note else []
    return {"kind": "http", "url": url, **({"headers": headers} if headers else {})}, notes


def _header(header: Form, slug: str) -> tuple[str, Json, str]:
    """A secret, or a value that only people can fill in, comes from the environment of our own process."""
    name, value = _text(header, "name", 100), header.get("value") or header.get("default")
    if isinstance(value, str) and "{" not in value and not header.get("isSecret"):
        return name, {"value": value}, ""
    if not header.get("isRequired") and not header.get("isSecret") and value is None:
        return name, None, ""
    variable = variable_prefix(slug) + re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return name, {"env": variable}, f"have the operator set {variable} to the whole value of the header {name}"


def _command(package: Form, rules: GuestRules) -> tuple[str, ...] | None:
    """The command of a pinned package, if the operator allows exactly that version with these arguments."""
    identifier, version = package.get("identifier") or package.get("name"), package.get("version")
    transport = package.get("transport")
    kind = transport.get("type") if isinstance(transport, dict) else "stdio"
    if package.get("registryType") != "pypi" or kind != "stdio" or not isinstance(identifier, str):
        return None
    command = (identifier, *_arguments(package))
    artefact = artefact_of(command, rules)
    return command if artefact is not None and artefact.pin == f"{identifier}=={version}" else None


def _arguments(package: Form) -> Iterator[str]:
    for argument in _objects(package, "packageArguments"):
        value = argument.get("value") or argument.get("default")
        if argument.get("type") == "named" and isinstance(argument.get("name"), str):
            yield str(argument["name"])
        if isinstance(value, str):
            yield value


def _objects(form: Form, key: str) -> list[Form]:
    values = form.get(key)
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise _bad(f"its {key} is no list of objects", f"correct {key}")
    return cast("list[Form]", values)


def _text(form: Form, key: str, longest: int) -> str:
    value = form.get(key)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise _bad(f"its {key} is no text of 1 to {longest} characters", f"correct {key}")
    return value


def slug_of(full_name: str) -> str:
    """What a server of that name in another registry is called here, unless somebody says otherwise."""
    last = re.sub(r"[^a-z0-9]+", "-", full_name.rpartition("/")[2].lower()).strip("-")
    slug = last if last[:1].isalpha() else f"mcp-{last}"
    return slug[:_LONGEST_SLUG].strip("-")


def _bad(message: str, hint: str) -> Invalid:
    return Invalid(f"cannot import the server: {message}", hint=hint, code="bad-import")
