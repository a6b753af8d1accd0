"""What brings the registry to what files say: each server's next steps, as rows that can be read before they are taken.

Reads only. A server that is as its file says has no step, so that a plan that was applied is empty. Above: `gitops`,
which shows a plan and takes its steps. Not here: reviewing and deploying, which people do.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, cast

from pierhead.apps.cli.life import fitting, path_of
from pierhead.core.catalog import Stage, Step
from pierhead.core.definitions import document_digest
from pierhead.core.errors import Forbidden, Invalid, NotFound
from pierhead.usecases.entry_shown import masked, shown

if TYPE_CHECKING:
    from pierhead.bootstrap.wire_commands import ApiClient
    from pierhead.core.json import Json

_ACCESS: Final = ("access", "tools")
_LONGEST: Final = 60
_UNTOLD: Final = "what its process will tell"
_AT_REST: Final = frozenset({Stage.DEPLOYED, Stage.DEPRECATED})

Wanted = Mapping[str, Mapping[str, object]]


class Does(StrEnum):
    """A step of a plan; the last two are not this command's to take."""

    REGISTER = "register"
    CHANGE = "change"
    PUBLISH = "publish"
    SUBMIT = "submit"
    RETIRE = "retire"
    LEAVE = "leave"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a plan. `differences` are the members that differ; `drifts` says that files and registry disagree."""

    server: str
    does: Does
    why: str
    entry: Mapping[str, object] | None = None
    tag: str = ""
    version: str = ""
    differences: tuple[Mapping[str, object], ...] = ()
    drifts: bool = True

    @property
    def acts(self) -> bool:
        """Whether applying the plan does anything about it."""
        return self.does not in {Does.LEAVE, Does.WAIT}


@dataclass(frozen=True, slots=True)
class Planner:
    """Compares files with the registry as one caller sees it. `submits`: also put versions before their reviewers."""

    client: "ApiClient"
    submits: bool
    _known: dict[str, tuple[Any, str] | None] = field(default_factory=dict[str, "tuple[Any, str] | None"])

    def whole(self, wanted: Wanted, *, prune: bool) -> Iterator[Change]:
        """Register, change, publish, submit, retire."""
        for name, entry in wanted.items():
            yield from self._of(name, entry)
        if prune:
            yield from (Change(name, Does.RETIRE, "it is in no file") for name in self._others(wanted))

    def of_access(self, wanted: Wanted, *, prune: bool) -> Iterator[Change]:
        """The same for access alone, of servers that are there; `prune` closes the others to everybody.

        Errors: NotFound.
        """
        for name, entry in wanted.items():
            known = self._entry(name)
            if known is None:
                raise NotFound(f"no server {name} is registered", hint="register it first: pierhead server publish -f")
            kept: Mapping[str, object] = known[0]["entry"]
            hidden = masked(cast("Mapping[str, Json]", kept))
            yield from self._of(name, {**kept, **{key: entry[key] for key in (*_ACCESS, *hidden) if key in entry}})
        for name in self._others(wanted) if prune else ():
            document, _ = cast("tuple[Any, str]", self._entry(name))
            if document["entry"].get("access", "nobody") != "nobody":
                yield from self._of(name, {**document["entry"], "access": "nobody"})

    def _of(self, name: str, entry: Mapping[str, object]) -> Iterator[Change]:
        known = self._entry(name)
        if known is None:
            yield from self._new(name, entry)
            return
        document, tag = known
        differing = differences(document, entry)
        if not differing:
            yield from self._candidate(name)
        elif document["origin"] == "fleet":
            why = f"the operator's fleet file has another {', '.join(str(each['member']) for each in differing)}"
            yield Change(name, Does.LEAVE, why, differences=differing)
        else:
            yield Change(name, Does.CHANGE, "; ".join(map(_in_words, differing)), entry, tag, differences=differing)
            yield from self._published(name, "its entry changes")

    def _new(self, name: str, entry: Mapping[str, object]) -> Iterator[Change]:
        if _answers(self.client, name):
            yield Change(name, Does.LEAVE, "somebody else owns a server of that name")
            return
        yield Change(name, Does.REGISTER, "it is new", entry)
        yield from self._published(name, _UNTOLD)

    def _published(self, name: str, why: str) -> Iterator[Change]:
        yield Change(name, Does.PUBLISH, why)
        if self.submits:
            yield Change(name, Does.SUBMIT, "for its review")

    def _candidate(self, name: str) -> Iterator[Change]:
        """What is to be done about a version of what the server is now; nothing, if clients get that."""
        try:
            found = self.client.ask("GET", f"{path_of(name)}/candidate")
        except Forbidden:
            return  # it can be read, and is another's to publish
        except Invalid as refused:
            yield Change(name, Does.WAIT, f"no version can be made: {refused.message}", drifts=False)
            return
        version, changes = str(found["to"]), told_changes(found)
        if found["is_new"]:
            yield Change(name, Does.PUBLISH, changes, version=version)
            if self.submits:
                yield Change(name, Does.SUBMIT, "for its review", version=version)
        elif found["stage"] == Stage.REGISTERED and self.submits:
            yield Change(name, Does.SUBMIT, changes, version=version)
        elif found["stage"] not in _AT_REST or version != found["from"]:
            # only what clients have already can differ from what they should have
            yield Change(name, Does.WAIT, _waits(name, found), version=version, drifts=found["from"] is not None)

    def _entry(self, name: str) -> tuple[Any, str] | None:
        """The entry with its tag; None for what is not there and what is not the caller's. Asked once."""
        if name not in self._known:
            try:
                self._known[name] = self.client.tagged("GET", f"{path_of(name)}/entry")
            except NotFound:
                self._known[name] = None
        return self._known[name]

    def _others(self, wanted: Wanted) -> Iterator[str]:
        """The caller's registered servers that are in no file and have not ended."""
        for each in every_server(self.client):
            name = str(each["name"])
            known = None if name in wanted or each["stage"] == Stage.RETIRED else self._entry(name)
            if known is not None and known[0]["origin"] == "registered" and _may_retire(self.client, name):
                yield name


def every_server(client: "ApiClient", query: str = "") -> Iterator[Mapping[str, Any]]:
    """The caller's servers of whatever stage, page by page."""
    cursor: str | None = ""
    while cursor is not None:
        page = client.ask("GET", f"/servers?stage=any&limit=200&cursor={cursor}{query}")
        yield from page["servers"]
        cursor = page["next"]


def differences(document: Mapping[str, Any], entry: Mapping[str, object]) -> tuple[Mapping[str, object], ...]:
    """The members that differ between a kept entry, as it is shown, and `entry`. A secret is compared by digest."""
    before: Mapping[str, object] = document["entry"]
    after = shown(cast("Mapping[str, Json]", entry))
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    found = tuple({"member": name, "before": before.get(name), "after": after.get(name)} for name in names)
    if found or document_digest(cast("Mapping[str, Json]", entry)) == document["digest"]:
        return found
    secret = [name for name in after if after[name] != entry[name]]
    return tuple({"member": name, "before": "***", "after": "***"} for name in secret)


def told_changes(found: Mapping[str, Any]) -> str:
    """A candidate's difference from what clients get, in a line."""
    parts = [
        f"{does} {', '.join(names)}"
        for does, names in (
            ("adds", [tool["name"] for tool in found["added"]]),
            ("removes", [tool["name"] for tool in found["removed"]]),
            ("changes", [f"{tool['name']} ({', '.join(tool['members'])})" for tool in found["changed"]]),
            ("declares another", [each["member"] for each in found["entry"] if found["from"] is not None]),
        )
        if names
    ]
    if found["instructions"]:
        parts.append("has other instructions")
    return f"{found['change']}: {'; '.join(parts)}" if parts else str(found["change"])


def _waits(name: str, found: Mapping[str, Any]) -> str:
    """What a version that is kept waits for, and who gives it that."""
    match Stage(found["stage"]):
        case Stage.REGISTERED:
            return f"it is not submitted: add --submit, or pierhead server submit {name}"
        case Stage.IN_REVIEW:
            return f"its reviewers: pierhead server review {name}"
        case Stage.APPROVED:
            return f"it is approved: pierhead server deploy {name}"
        case Stage.DEPLOYED | Stage.DEPRECATED:
            return f"clients get {found['from']}: pierhead server rollback {name} {found['to']}"
        case stage:
            return f"it is {stage}" + (f": {found['reason']}" if found["reason"] else "")


def _in_words(difference: Mapping[str, object]) -> str:
    return f"{difference['member']}: {_short(difference['before'])} -> {_short(difference['after'])}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else "nothing" if value is None else json.dumps(value, sort_keys=True)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _answers(client: "ApiClient", name: str) -> bool:
    try:
        client.ask("GET", path_of(name))
    except NotFound:
        return False
    return True


def _may_retire(client: "ApiClient", name: str) -> bool:
    versions: list[dict[str, Any]] = client.ask("GET", f"{path_of(name)}/versions")["versions"]
    return bool(versions) and any(
        each["version"] == fitting(versions, Step.RETIRE, name) and "retire" in each["steps"] for each in versions
    )


def summary(changes: Iterable[Change]) -> str:
    """How many of each step; what is left to others is no step."""
    counted: dict[str, int] = {}
    for change in changes:
        if change.acts:
            counted[change.does] = counted.get(change.does, 0) + 1
    return ", ".join(f"{number} to {does}" for does, number in counted.items()) or "nothing to change"
