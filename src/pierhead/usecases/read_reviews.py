"""What reviewers read: where each gate stands, what they may do, and how a version differs from the one before.

Pure. Above: the pages of reviews, the API. The questions about people are those of `rights`, so that a page cannot
offer what the use case refuses. Not here: deciding (`sign_off`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pierhead.core.call import canonical
from pierhead.core.catalog import Effect, Tool
from pierhead.core.definitions import ChangeClass, ToolChange, change_classes, gravest, tool_change
from pierhead.core.json import Json
from pierhead.core.review import Gate, GateState, Review, state_of
from pierhead.usecases.ports_catalogue import Version
from pierhead.usecases.rights import may_decide, may_take
from pierhead.usecases.wire_forms import Manifest

__all__ = [
    "Difference",
    "changes_between",
    "difference",
    "entry_changes",
    "gate_states",
    "may_decide",
    "may_take",
    "weakened",
]

_EFFECTS = list(Effect)
"""In rising order of danger."""
_CONTACT = frozenset({"on_call", "owner", "repository", "runbook", "slo", "support", "version"})
_WORDING = frozenset({"description", "gallery", "icon", "title"})


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


def weakened(before: Version | None, after: Version) -> Iterator[str]:
    """What asks fewer people, or is called less dangerous, than before: each in one sentence, for whoever signs it.

    Each of these is a major change, so that the owner publishes and Security signs it.
    """
    if before is None:
        return
    old = {tool.name: tool for tool in before.manifest.tools}
    for tool in after.manifest.tools:
        was = old.get(tool.name, tool)
        if tool.approval.rank < was.approval.rank:
            yield f"{tool.name}: approval {was.approval} -> {tool.approval}"
        if _EFFECTS.index(tool.effect) < _EFFECTS.index(was.effect):
            yield f"{tool.name}: effect {was.effect} -> {tool.effect}"
    yield from _weakened_entry(before.document, after.document)


def _weakened_entry(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[str]:
    was, now = _texts(before, "approvers"), _texts(after, "approvers")
    if was != now:
        added = [name for name in now or () if name not in (was or ())]
        yield from [f"approvers: {', '.join(added)} may approve as well"] if added else []
        yield from ["approvers: no longer named"] if now is None else []
    old, new = _rules(before), _rules(after)
    yield from (f"approvals: no longer asks {_told(rule)}" for rule in old if rule not in new and "class" in rule)
    yield from (f"approvals: lowers {_told(rule)}" for rule in new if rule not in old and "lowers_to" in rule)


def _texts(document: Mapping[str, Json], member: str) -> tuple[str, ...] | None:
    named = document.get(member)
    return tuple(map(str, named)) if isinstance(named, list | tuple) else None


def _rules(document: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    written = document.get("approvals")
    return [rule for rule in written if isinstance(rule, Mapping)] if isinstance(written, list | tuple) else []


def _told(rule: Mapping[str, Json]) -> str:
    return ", ".join(f"{name}: {canonical(value).decode()}" for name, value in sorted(rule.items()))


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
