"""One version of one server as the official registry API shows it: `server.json`, and the registry's own block.

Pure. Texts are cut to the limits of the format; what breaks its rules all the same is named by `faults`, for one bad
item makes clients drop a whole page. Above: `official_listing`. Not here: who may see it, HTTP.
Source: docs/reference/registry-api.md.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from pierhead.core.catalog import Stage
from pierhead.core.json import Json
from pierhead.core.review import Binding
from pierhead.usecases.ports_official import Standing

SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
OFFICIAL: Final = "io.modelcontextprotocol.registry/official"
PUBLISHER: Final = "io.modelcontextprotocol.registry/publisher-provided"
LATEST: Final = "latest"

ACTIVE: Final = "active"
DEPRECATED: Final = "deprecated"
DELETED: Final = "deleted"

#: Stages that are not here are not listed.
STATUS: Final[Mapping[Stage, str]] = {
    Stage.DEPLOYED: ACTIVE,
    Stage.DEPRECATED: DEPRECATED,
    Stage.SUSPENDED: DELETED,
    Stage.QUARANTINED: DELETED,
    Stage.RETIRED: DELETED,
}

_SHORT: Final = 100
_MESSAGE: Final = 500
_LONGEST_NAME: Final = 200
_LONGEST_VERSION: Final = 255
_LONGEST_URL: Final = 2048
_NAME: Final = re.compile(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+")
_RANGE: Final = re.compile(r"[\^~<>=*|,\s]|(^|\.)[xX](\.|$)")
_URL: Final = re.compile(r"https?://[^\s]+")

Form = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Place:
    """Where this registry stands: the namespace before every server's name, and the platform's public URL."""

    namespace: str
    public_url: str

    def full_name(self, server: str) -> str:
        return f"{self.namespace}/{server}"

    @property
    def integrity(self) -> str:
        """The key of the digests beside the official block."""
        return f"{self.namespace}/integrity"

    def server_of(self, full_name: str) -> str:
        """The server of that name here; empty for another namespace's."""
        namespace, _, server = full_name.partition("/")
        return server if namespace == self.namespace else ""


@dataclass(frozen=True, slots=True)
class Words:
    """What the owner says of a server; any of it may be empty."""

    title: str
    description: str


def server_form(standing: Standing, words: Words, place: Place) -> Form:
    """The `server.json` of one version: its only remote is the gateway, never the process behind it."""
    title = shortened(words.title, _SHORT)
    description = shortened(words.description, _SHORT) or title or f"The MCP server {standing.server}"
    members: dict[str, Json] = {
        "$schema": SCHEMA,
        "name": place.full_name(standing.server),
        "description": description,
        "version": standing.version,
        "remotes": [{"type": "streamable-http", "url": f"{place.public_url}/mcp/{standing.server}"}],
    }
    if icon := standing.document.get("icon"):
        members["icons"] = [{"src": icon}]
    if github := _gallery(standing, title):
        members["_meta"] = {PUBLISHER: {"github": github}}
    return {**members, "title": title} if title else members


def _gallery(standing: Standing, title: str) -> dict[str, Json]:
    """What VS Code shows of a server, in its words; only what the owner wrote for galleries.

    Its texts were checked with the entry: nothing hidden, no markup but Markdown, no links that run something.
    """
    told = standing.document.get("gallery")
    if not isinstance(told, Mapping):
        return {}
    given = cast("Form", told)
    names = (("readme", "readme"), ("image", "preferredImage"), ("license", "license"), ("topics", "topics"))
    shown = {theirs: given[ours] for ours, theirs in names if given.get(ours)}
    return {"name": standing.server, "displayName": title or standing.server, **shown} if shown else {}


def official_form(standing: Standing, *, is_latest: bool) -> Form:
    """The registry's block beside it; closed, so no member of ours may stand in it."""
    members: dict[str, Json] = {
        "status": STATUS[standing.stage],
        "statusChangedAt": moment(standing.moved_at),
        "publishedAt": moment(standing.published_at),
        "updatedAt": moment(updated_at(standing)),
        "isLatest": is_latest,
    }
    message = shortened(status_message(standing), _MESSAGE)
    return {**members, "statusMessage": message} if message else members


def integrity_form(bound: Binding) -> Form:
    """What anybody may hold a version against: digests, which tell nothing of what they are over."""
    return {"tools": f"sha256:{bound.tools_digest}", "entry": f"sha256:{bound.manifest_digest}"}


def updated_at(standing: Standing) -> float:
    return max(standing.published_at, standing.moved_at, standing.declared_at)


def status_message(standing: Standing) -> str:
    """What anybody may read of its state; the reason that was recorded is for people who are signed in."""
    match standing.stage:
        case Stage.DEPRECATED:
            return _deprecation(standing)
        case Stage.SUSPENDED:
            return "suspended by its owner; calls are refused for now"
        case Stage.QUARANTINED:
            return "quarantined by security; calls are refused"
        case Stage.RETIRED:
            ended = f"retired on {_day(standing.moved_at)}; "
            return ended + (f"use {standing.successor}" if standing.successor else "calls are refused")
        case _:
            return ""


def _deprecation(standing: Standing) -> str:
    """Message, successor and date; any of them may be missing."""
    parts = [standing.message or "deprecated"]
    if standing.successor:
        parts.append(f"use {standing.successor}")
    if standing.sunset_at is not None:
        parts.append(f"ends on {_day(standing.sunset_at)}")
    return "; ".join(parts)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def shortened(text: str, limit: int) -> str:
    """One line of at most `limit` characters, none of them invisible; cut after a word, with an ellipsis."""
    seen = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(seen.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    if line[limit - 1] != " ":
        cut = cut.rpartition(" ")[0] or cut
    return f"{cut.rstrip(' ,;:.')}…"


def moment(seconds: float) -> str:
    """RFC 3339, UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def faults(server: Form) -> tuple[str, ...]:
    """What a client would refuse in that `server.json`; empty if nothing."""
    return tuple(_faults(server))


def _faults(server: Form) -> Iterator[str]:
    name, version = str(server.get("name", "")), str(server.get("version", ""))
    if not 0 < len(name) <= _LONGEST_NAME or not _NAME.fullmatch(name):
        yield f"the name {name[:80]!r} is not NAMESPACE/NAME of at most {_LONGEST_NAME} characters"
    if not 0 < len(str(server.get("description", ""))) <= _SHORT:
        yield f"the description has not 1 to {_SHORT} characters"
    if fault := _version_fault(version):
        yield fault
    for remote in cast("list[Mapping[str, Json]]", server.get("remotes", [])):
        url = str(remote.get("url", ""))
        if len(url) > _LONGEST_URL or not _URL.fullmatch(url):
            yield f"the remote {url[:80]!r} is no http address"


def _version_fault(version: str) -> str:
    if not 0 < len(version) <= _LONGEST_VERSION:
        return f"the version has not 1 to {_LONGEST_VERSION} characters"
    if version.lower() == LATEST or "/" in version:
        return f"{version[:80]!r} is no version"
    return f"the version {version[:80]!r} is a range" if _RANGE.search(version) else ""
