"""Company policies in Cedar, turned into matches; `core.policy.decide` decides on those, as on all others.

Parsed once for a revision. Cedar skips a policy whose evaluation fails; here a forbid or an ask that fails counts as
matched, and a permit does not, so a failing policy never widens. Every policy is evaluated as if it permitted: then one
question tells all that hold, where Cedar alone would stop telling permits at the first forbid. Fills the port
`Policies` (core/snapshot.py). Below: `reading`, `schema`. Not here: which permits count (`usecases/match_rules`).
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

import cedarpy

from pierhead.adapters.cedar.reading import (
    Policy,
    check_names,
    groups_named,
    read_policies,
    whom_permits_name,
)
from pierhead.adapters.cedar.schema import caller_entities, request, server_entities
from pierhead.core.approval import Approval
from pierhead.core.catalog import Server, Tool
from pierhead.core.identity import Caller, Party, Principal, parties
from pierhead.core.policy import Match, Question, RuleEffect
from pierhead.core.rule import NOBODY, Who
from pierhead.core.snapshot import PolicyText

__all__ = ["CedarPolicies", "check_names"]

_KNOWN: Final = 1024
_FAILED: Final = re.compile(r"policy `([0-9]+)`")


@dataclass(frozen=True, slots=True)
class _Slice:
    """The policies that can speak of one question about one server. Their ids are their places."""

    policies: tuple[Policy, ...]
    parsed: cedarpy.PolicySet | None


_About = tuple[Principal, Server]


@dataclass(frozen=True, slots=True)
class CedarPolicies:
    """The company's policies at one revision."""

    texts: tuple[PolicyText, ...]
    _policies: tuple[Policy, ...] = field(repr=False)
    _groups: frozenset[str] = field(repr=False)
    """Those that a policy names: no other can matter, since the schema knows a group by nothing but its name."""
    named: Who = NOBODY
    _known: dict[_About, cedarpy.Entities] = field(default_factory=dict[_About, cedarpy.Entities], repr=False)
    _servers: dict[Server, cedarpy.Entities] = field(default_factory=dict[Server, cedarpy.Entities], repr=False)
    _slices: dict[tuple[Question, str], _Slice] = field(default_factory=dict[tuple[Question, str], _Slice], repr=False)

    @classmethod
    def read(cls, texts: tuple[PolicyText, ...]) -> "CedarPolicies":
        """Errors: Invalid (`policy-syntax`, `policy-unknown-name`), with line and column."""
        policies = read_policies(texts)
        return cls(texts, policies, groups_named(policies), whom_permits_name(policies))

    def matches(self, caller: Caller, question: Question, server: Server, tool: Tool | None) -> tuple[Match, ...]:
        """What holds of that question. `tool` is None where it is about reach."""
        part = self._slice(question, server.name)
        if part.parsed is None:
            return ()
        there = self._entities(caller.principal, server if tool is None else _with(server, tool))
        asked = parties(caller.principal)
        requests = [request(caller, party, question, server, tool) for party in asked]
        answers = cedarpy.is_authorized_batch(requests, part.parsed, there)  # pyright: ignore[reportUnknownMemberType]
        return tuple(
            match
            for party, answer in zip(asked, answers, strict=True)
            for match in _matches(part.policies, answer.diagnostics, question, party)
        )

    def _entities(self, principal: Principal, server: Server) -> cedarpy.Entities:
        """Who and what is asked about, read once: that costs more than the question."""
        key = (principal, server)
        found = self._known.get(key)
        if found is None:
            _make_room(self._known)
            there = self._server(server)
            found = there.with_added_json_str(caller_entities(principal, self._groups))  # pyright: ignore[reportUnknownMemberType]
            self._known[key] = found
        return found

    def _server(self, server: Server) -> cedarpy.Entities:
        """A server with its tools: the same for whoever asks."""
        found = self._servers.get(server)
        if found is None:
            _make_room(self._servers)
            found = cedarpy.Entities.from_json_str(server_entities(server))  # pyright: ignore[reportUnknownMemberType]
            self._servers[server] = found
        return found

    def _slice(self, question: Question, server: str) -> _Slice:
        """Policies are told apart by what their scope names: those of other servers cost nothing."""
        key = (question, server)
        found = self._slices.get(key)
        if found is None:
            chosen = tuple(each for each in self._policies if _speaks(each, question, server))
            found = self._slices[key] = _Slice(chosen, _parsed(chosen) if chosen else None)
        return found


def _make_room(known: dict[Any, cedarpy.Entities]) -> None:
    if len(known) >= _KNOWN:
        known.clear()


def _with(server: Server, tool: Tool) -> Server:
    """The server with that very tool, if it is not one of its own."""
    if server.tools.get(tool.name) is tool:
        return server
    return replace(server, tools={**server.tools, tool.name: tool})


def _speaks(policy: Policy, question: Question, server: str) -> bool:
    return policy.server in {None, server} and policy.question in {None, question}


def _parsed(policies: Sequence[Policy]) -> cedarpy.PolicySet:
    forms = {str(place): {**policy.form, "effect": "permit"} for place, policy in enumerate(policies)}
    return cedarpy.PolicySet.from_json_str(json.dumps({"templates": {}, "staticPolicies": forms, "templateLinks": []}))


def _matches(
    policies: Sequence[Policy], told: cedarpy.Diagnostics, question: Question, party: Party
) -> Iterator[Match]:
    holding = {int(place) for place in cast("list[Any]", told.reasons)}
    failed = _failed(told.errors, len(policies))
    for place, policy in enumerate(policies):
        if place in holding:
            yield from _of(policy, question, party)
        elif place in failed:
            yield from _of_failed(policy, question, party)


def _failed(errors: Sequence[str], count: int) -> set[int]:
    """The policies that could not be evaluated; all of them, where the library does not tell which."""
    places: set[int] = set()
    for error in errors:
        found = _FAILED.search(error)
        if found is None:
            return set(range(count))
        places.add(int(found[1]))
    return places


def _of(policy: Policy, question: Question, party: Party) -> Iterator[Match]:
    """A permit that asks says two things; a forbid that asks forbids until people agree."""
    if policy.effect is RuleEffect.PERMIT:
        yield Match(RuleEffect.PERMIT, question, party, policy.name, policy.sentence)
    if policy.approval is not Approval.NONE:
        yield Match(RuleEffect.ASK, question, party, policy.name, policy.sentence, policy.approval)
    elif policy.effect is RuleEffect.FORBID:
        yield Match(RuleEffect.FORBID, question, party, policy.name, policy.sentence)


def _of_failed(policy: Policy, question: Question, party: Party) -> Iterator[Match]:
    for match in _of(policy, question, party):
        if match.effect is not RuleEffect.PERMIT:
            yield replace(match, sentence=f"{policy.sentence} (it could not be evaluated, so it counts)")
