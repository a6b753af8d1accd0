"""Short forms as company policies: the Cedar that says what rows, declarations and narrowings say.

For people who read one language, and for the proof that the short forms' own fast path decides as Cedar would (a
property test puts both to `decide`). Pure text. Conditions on arguments are left out: Cedar is told no arguments here.
Below: `core.rule`, `core.reach`. Not here: evaluating (`adapters/cedar`).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule, lowered
from pierhead.core.bounds import Bounds
from pierhead.core.catalog import Effect, Server, Tool
from pierhead.core.reach import Every, Only, Row
from pierhead.core.rule import Who
from pierhead.core.snapshot import Snapshot

_PERSON: Final = "principal is Person"


def compiled(snapshot: Snapshot) -> str:
    """Every short form of a revision, as the text of one file of policies."""
    return "\n\n".join(
        policy for name, server in snapshot.servers.items() for policy in _server(server, snapshot.rows.get(name, ()))
    )


def _server(server: Server, rows: Sequence[Row]) -> Iterator[str]:
    place = f'action == Action::"reach", resource == Server::{_text(server.name)}'
    for number, row in enumerate(rows):
        held = [_who(row.who), _place("surface", row.surfaces), _place("environment", row.environments)]
        yield _policy(f"{server.name}.access[{number}]", "permit", place, [*held, _channel(row.channels)])
    for tool in server.tools.values():
        yield from _tool(server, tool)


def _tool(server: Server, tool: Tool) -> Iterator[str]:
    name = f"{server.name}.{tool.name}"
    place = f'action == Action::"use", resource == Tool::{_text(name)}'
    yield _policy(f"{name}.policy", "permit", place, [_who(tool.policy)])
    if tool.withheld:
        yield _policy(f"{name}.withheld", "forbid", place, [])
    if tool.narrowed is not None:
        yield _policy(f"{name}.narrowed", "forbid", place, [f"!({_who(tool.narrowed)})"])
    for rule, bounds in ((f"{name}.channels", tool.bounds), (f"{name}.narrowed.channels", tool.narrowed_bounds)):
        yield from _bounds(rule, place, bounds)
    yield from _asking(server, tool, place)


def _asking(server: Server, tool: Tool, place: str) -> Iterator[str]:
    """Whom its calls wait for, whatever their arguments: as declared, where no rule lowers that, and as rules say."""
    settled = [rule for rule in tool.rules if not rule.when]
    lowering = [rule for rule in settled if rule.lowers and tool.approval is not Approval.DENY]
    elsewhere = [f"!({' && '.join(_where(rule))})" for rule in lowering]
    if tool.approval is not Approval.NONE:
        yield _policy(f"{server.name}.{tool.name}.approval", "forbid", place, elsewhere, ask=tool.approval)
    for rule in settled:
        is_destructive = tool.effect is Effect.DESTRUCTIVE
        left = lowered(tool.approval, (rule,), is_destructive=is_destructive)[0] if rule.lowers else rule.approval
        if left is not Approval.NONE:
            identity = f"{server.name}.{tool.name}.{rule.name}"
            yield _policy(identity, "forbid", place, _where(rule), ask=left)


def _where(rule: ApprovalRule) -> list[str]:
    held = ["true" if isinstance(rule.who, Every) else f"({_who(rule.who)})"]
    return [*held, _place("surface", rule.surfaces), _place("environment", rule.environments), _channel(rule.channels)]


def _bounds(rule: str, place: str, bounds: Bounds) -> Iterator[str]:
    if isinstance(bounds.channels, frozenset):
        yield _policy(rule, "forbid", place, [f"!({_channel(bounds.channels)})"])


def _policy(name: str, effect: str, place: str, held: Iterable[str], ask: Approval = Approval.NONE) -> str:
    asks = f'@ask("{ask}")\n' if ask is not Approval.NONE else ""
    conditions = " && ".join(f"({each})" for each in held)
    when = f"\nwhen {{ {conditions} }}" if conditions else ""
    return f"@id({_text(name)})\n{asks}{effect} (principal, {place}){when};"


def _who(who: Who) -> str:
    terms = [f"({_PERSON} && principal in Group::{_text(name)})" for name in sorted(who.groups)]
    terms += [f"({_PERSON} && principal.subject == {_text(name)})" for name in sorted(who.users)]
    terms += [f"principal == Workload::{_text(name)}" for name in sorted(who.workloads)]
    if who.any_person:
        terms.append(_PERSON)
    return " || ".join(terms) or "false"


def _place(member: str, names: Only | Every) -> str:
    return "true" if isinstance(names, Every) else _stands_in(f"context.{member}", names)


def _channel(names: Only | Every) -> str:
    """A caller who is in no channel is in none of those that are named."""
    if isinstance(names, Every):
        return "true"
    return f"context has channel && {_stands_in('context.channel', names)}"


def _stands_in(value: str, names: Only) -> str:
    """Nothing stands in no name; an empty set has no type, so Cedar does not take it."""
    texts = ", ".join(_text(name) for name in sorted(names))
    return f"[{texts}].contains({value})" if texts else "false"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
