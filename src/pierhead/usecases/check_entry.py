"""Whether an entry fits the definitions of its server: what fits no tool does nothing, and its author believes it does.

Asked before definitions or policy are taken. Not here: what narrowings and rules mean (`match_rules`), how they are
written (bootstrap).
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.catalog import Effect, Tool
from pierhead.core.condition import unread
from pierhead.core.definitions import argument_names
from pierhead.core.errors import Invalid
from pierhead.core.foreseen import ESTIMATED
from pierhead.usecases.ports_declared import DeclaredServer
from pierhead.usecases.wire_forms import Manifest


def check_entry(declared: DeclaredServer, manifest: Manifest) -> None:
    """Errors: Invalid (`unknown-narrowing`, `bad-approval-rule`)."""
    _check_narrowing(declared, manifest)
    known = {tool.name: tool for tool in manifest.tools}
    faults = [fault for rule in declared.approval_rules for fault in _faults(rule, known)]
    if faults:
        raise Invalid(
            f"the rules of approval of {declared.name} do not fit it: {'; '.join(faults)}",
            hint="see docs/reference/policy-language.md, rules of approval",
            code="bad-approval-rule",
        )


def _faults(rule: ApprovalRule, known: Mapping[str, Tool]) -> Iterator[str]:
    if isinstance(rule.tools, frozenset) and (unknown := sorted(rule.tools - known.keys())):
        yield f"{rule.name} names tools that it does not have: {', '.join(unknown)}"
    if not all(condition.members("estimate") <= set(ESTIMATED) for condition in rule.when):
        yield f"{rule.name} reads of `estimate` what nobody estimates: there is {', '.join(ESTIMATED)}"
    for tool in (tool for name, tool in known.items() if name in rule.tools):
        if missing := sorted(set(unread(rule.when, {**argument_names(tool), "estimate": {}}))):
            yield f"{rule.name} reads what {tool.name} is never given: {', '.join(missing)}"
        if rule.lowers and rule.approval is Approval.NONE and tool.effect is Effect.DESTRUCTIVE:
            yield f"{rule.name} lowers {tool.name} to none: what is destructive needs at least confirm"


class UnknownNarrowing(Invalid):
    """A narrowing that fits nothing: of that tool of that server, which whoever has the file finds in it."""

    default_code: ClassVar[str] = "unknown-narrowing"

    def __init__(self, server: str, tool: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.server, self.tool = server, tool


def _check_narrowing(declared: DeclaredServer, manifest: Manifest) -> None:
    """A narrowing that fits no tool narrows nothing, and its author believes that it does.

    Errors: UnknownNarrowing.
    """
    known = {tool.name: tool for tool in manifest.tools}
    unknown = sorted({*declared.narrowed, *declared.narrowed_bounds} - known.keys())
    if unknown:
        message = f"the fleet narrows tools that {declared.name} does not have: {', '.join(unknown)}"
        raise UnknownNarrowing(
            declared.name, unknown[0], message, f"its tools are {', '.join(sorted(known)) or 'none'}"
        )
    for name, bounds in declared.narrowed_bounds.items():
        taken = argument_names(known[name])
        if missing := sorted(set(unread(bounds.when, taken))):
            message = f"the fleet narrows {declared.name}.{name} by what it is never given: {', '.join(missing)}"
            raise UnknownNarrowing(declared.name, name, message, f"it takes {', '.join(sorted(taken)) or 'nothing'}")
