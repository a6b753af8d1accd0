"""What reviewers read: where each gate stands, what they may do, and how a version differs from the one before.

Pure. Above: the pages of reviews, the API. The questions about people are those of `rights`, so that a page cannot
offer what the use case refuses. Not here: deciding (`sign_off`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pierhead.core.catalog import Tool
from pierhead.core.definitions import ChangeClass, ToolChange, change_classes, gravest, tool_change
from pierhead.core.json import Json
from pierhead.core.review import Gate, GateState, Review, state_of
from pierhead.usecases.ports_catalogue import Version
from pierhead.usecases.rights import may_decide, may_take
from pierhead.usecases.wire_forms import Manifest

__all__ = ["Difference", "changes_between", "difference", "entry_changes", "gate_states", "may_decide", "may_take"]

_CONTACT = frozenset({"on_call", "owner", "repository", "runbook", "slo", "support", "version"})
_WORDING = frozenset({"description", "icon", "title"})


@dataclass(frozen=True, slots=True)
class Difference:
    """What a manifest adds to, takes from and changes in another. `before` and `after` hold the changed tools whole."""

    change: ChangeClass
    added: tuple[Tool, ...]
    removed: tuple[Tool, ...]
    changed: tuple[ToolChange, ...]
    before: Mapping[str, Tool]
    after: Mapping[str, Tool]
    instructions: tuple[str, str]


def gate_states(review: Review, now: float) -> Mapping[Gate, GateState]:
    """Where every gate stands, in their order."""
    return {gate: state_of(review, gate, now) for gate in Gate}


def difference(before: Manifest | None, after: Manifest) -> Difference:
    """How `after` differs from `before`; from nothing, everything is new."""
    old = {tool.name: tool for tool in before.tools} if before else {}
    new = {tool.name: tool for tool in after.tools}
    both = [tool_change(old[name], tool) for name, tool in new.items() if name in old]
    changed = tuple(each for each in both if each.members)
    names = {each.name for each in changed}
    return Difference(
        change=gravest(*_manifest_changes(before, after)),
        added=tuple(tool for name, tool in new.items() if name not in old),
        removed=tuple(tool for name, tool in old.items() if name not in new),
        changed=changed,
        before={name: old[name] for name in names},
        after={name: new[name] for name in names},
        instructions=(before.instructions if before else "", after.instructions),
    )


def changes_between(before: Version | None, after: Version) -> frozenset[ChangeClass]:
    """Every class of difference between two versions: of their definitions, and of what is declared of them."""
    if before is None:
        return frozenset({ChangeClass.FIRST})
    return _manifest_changes(before.manifest, after.manifest) | entry_changes(before.document, after.document)


def entry_changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> frozenset[ChangeClass]:
    """The classes of what differs between two entries: whom to ask is a patch, how it reads is wording, all else major.

    Another command, address, risk or access makes another server of it, whatever its tools are called.
    """
    members = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    found = set[ChangeClass]()
    if members & _CONTACT:
        found.add(ChangeClass.PATCH)
    if members & _WORDING:
        found.add(ChangeClass.WORDING)
    if members - _CONTACT - _WORDING:
        found.add(ChangeClass.MAJOR)
    return frozenset(found)


def _manifest_changes(before: Manifest | None, after: Manifest) -> frozenset[ChangeClass]:
    if before is None:
        return frozenset({ChangeClass.FIRST})
    return change_classes(before.tools, after.tools, (before.instructions, after.instructions))
