"""Texts of Cedar policies, read: one policy at a time, each fault with its file, line and column.

The library tells neither lines nor columns, so texts are cut into policies here, and faults looked for in the one that
has them. Not here: what a policy means for a request (`cedar`).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import cedarpy

from pierhead.adapters.cedar.schema import SCHEMA
from pierhead.core.approval import Approval
from pierhead.core.errors import Invalid
from pierhead.core.policy import Question, RuleEffect
from pierhead.core.rule import Who
from pierhead.core.snapshot import PolicyText

Form = dict[str, Any]
_HINT: Final = "see docs/reference/policy-language.md, company policies"
_TOKENS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|;', re.DOTALL)
_SPACE: Final = re.compile(r"(?:\s|//[^\n]*(?:\n|$))*")
_QUOTED: Final = re.compile(r"`([^`]+)`")
_SIGNS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|\w+|[=!<>]=|[^\w\s]', re.DOTALL)
_NAMED_SIGN: Final = re.compile(r"'([^']+)' is not")
_LOOKED_THROUGH: Final = 8000
"""Signs of one policy that are tried for the place of a fault: each costs as much as reading what stands before it."""
_ANNOTATIONS: Final = frozenset({"id", "sentence", "ask"})
_ASKED: Final = (Approval.CONFIRM, Approval.APPROVE, Approval.FOUR_EYES, Approval.DENY)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy. `form` is its JSON; `name` is `FILE#ID`, as rules are named in reasons.

    `server` is the only one it can speak of, and `question` the only question; None where its scope names none.
    """

    name: str
    form: Mapping[str, Any]
    effect: RuleEffect
    approval: Approval
    sentence: str
    server: str | None
    question: Question | None


@dataclass(frozen=True, slots=True)
class _Piece:
    """One policy's text in its file, from its first sign."""

    file: str
    whole: str
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.whole[self.start : self.end]

    def fault(self, why: str, at: int = 0) -> Invalid:
        """What cannot be read, with its place."""
        return Invalid(self._told(why, at), hint=_HINT, code="policy-syntax")

    def unknown(self, why: str, at: int) -> Invalid:
        """What is named and not there, with its place."""
        return Invalid(self._told(why, at), hint=_HINT, code="policy-unknown-name")

    def _told(self, why: str, at: int) -> str:
        before = self.whole[: self.start + at]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return f"{self.file}, line {line}, column {column}: {why}"


def read_policies(texts: Iterable[PolicyText]) -> tuple[Policy, ...]:
    """Every policy of these texts.

    Errors: Invalid: `policy-syntax`, for what cannot be read; `policy-unknown-name`, for what the schema does not know.
    """
    found: list[Policy] = []
    names: set[str] = set()
    for text in texts:
        for place, piece in enumerate(_pieces(text)):
            policy = _policy(piece, place)
            if policy.name in names:
                raise piece.fault(f"two policies are called {policy.name}")
            names.add(policy.name)
            found.append(policy)
    return tuple(found)


def groups_named(policies: Iterable[Policy]) -> frozenset[str]:
    """Every group that stands anywhere in a policy."""
    return frozenset(name for policy in policies for kind, name in _entities(policy.form) if kind == "Group")


def whom_permits_name(policies: Iterable[Policy]) -> Who:
    """Everyone whom a permit names, as an entity or by subject; and everyone, whom one may mean that names nobody."""
    found: dict[str, set[str]] = {"Group": set(), "Person": set(), "Workload": set()}
    for policy in policies:
        if policy.effect is RuleEffect.PERMIT:
            for kind, name in (*_entities(policy.form), *(("Person", name) for name in _subjects(policy.form))):
                found.get(kind, set[str]()).add(name)
    groups, users, workloads = (frozenset(found[kind]) for kind in ("Group", "Person", "Workload"))
    return Who(groups, users, workloads, any_person=True)


def _subjects(form: object) -> Iterator[str]:
    """Every text that something is compared with, where people may be told by their subject."""
    if isinstance(form, dict):
        members = cast("Form", form)
        compared = members.get("==")
        if isinstance(compared, dict):
            sides = cast("Mapping[str, Form]", compared).values()
            yield from (str(side["Value"]) for side in sides if isinstance(side.get("Value"), str))
        for value in members.values():
            yield from _subjects(value)
    elif isinstance(form, list):
        for value in cast("list[object]", form):
            yield from _subjects(value)


def check_names(texts: Iterable[PolicyText], tools: Mapping[str, frozenset[str]]) -> None:
    """Hold what the policies name against what there is: `tools` of each server, empty where nobody knows them yet.

    Errors: Invalid, with line and column: `policy-unknown-name`; `policy-syntax`, for a file that holds no policy.
    """
    for text in texts:
        pieces = tuple(_pieces(text))
        if not pieces:  # half written, or emptied by mistake: what it forbade must not be open for that
            raise _piece(text, 0, len(text.text)).fault("no policy stands here; leave such a file out of policies")
        for piece in pieces:
            for kind, name in _entities(_form(piece)):
                server, _, tool = name.partition(".")
                is_known = server in tools and (kind == "Server" or not tools[server] or tool in tools[server])
                if kind in {"Server", "Tool"} and not is_known:
                    raise _unknown(piece, f"{kind.lower()} {name!r} is not there", name)


def _pieces(text: PolicyText) -> Iterator[_Piece]:
    """The text cut behind each semicolon that stands in no string and no comment."""
    start = 0
    for token in _TOKENS.finditer(text.text):
        if token[0] == ";":
            yield _piece(text, start, token.end())
            start = token.end()
    last = _piece(text, start, len(text.text))
    if last.text:
        yield last


def _piece(text: PolicyText, start: int, end: int) -> _Piece:
    blank = _SPACE.match(text.text, start, end)
    return _Piece(text.name, text.text, blank.end() if blank else start, end)


def _policy(piece: _Piece, place: int) -> Policy:
    form = _form(piece)
    _check_schema(piece)
    annotations = cast("Mapping[str, str]", form.get("annotations", {}))
    unknown = sorted(annotations.keys() - _ANNOTATIONS)
    if unknown:
        raise piece.fault(f"@{unknown[0]} is no annotation: id, sentence and ask are", _at(piece, f"@{unknown[0]}"))
    approval = _approval(piece, annotations.get("ask"))
    effect = RuleEffect(form["effect"])
    name = f"{piece.file}#{annotations.get('id') or place + 1}"
    sentence = annotations.get("sentence") or f"company policy {name} {_does(effect, approval)}"
    return Policy(name, form, effect, approval, sentence, _server(form), _question(form))


def _does(effect: RuleEffect, approval: Approval) -> str:
    return f"asks for {approval}" if approval is not Approval.NONE else f"{effect}s this"


def _form(piece: _Piece) -> Form:
    try:
        parsed = cast("Form", json.loads(cedarpy.policies_to_json_str(piece.text)))
    except ValueError as failed:
        raise piece.fault(str(failed), _place_of(piece, str(failed))) from None
    forms = [*parsed.get("staticPolicies", {}).values()]
    if len(forms) != 1:
        raise piece.fault("a policy names its principal and resource itself: templates are not taken")
    return cast("Form", forms[0])


def _place_of(piece: _Piece, message: str) -> int:
    """Where a text ceases to be readable: at the first sign up to which it has this very fault."""
    if "end of input" in message:
        return len(piece.text.rstrip())
    named = _NAMED_SIGN.match(message)
    for sign in _SIGNS.finditer(piece.text[:_LOOKED_THROUGH]):
        if named is not None and sign[0] == named[1]:
            return sign.start()
        try:
            cedarpy.policies_to_json_str(piece.text[: sign.end()])
        except ValueError as failed:
            if str(failed) == message:
                return sign.start()
    return 0


def _check_schema(piece: _Piece) -> None:
    checked = cedarpy.validate_policies(piece.text, SCHEMA)  # pyright: ignore[reportUnknownMemberType]
    for error in checked.errors:
        why = error.error.replace("for policy `policy0`, ", "")
        named = [name for name in _QUOTED.findall(why) if name in piece.text]
        raise piece.unknown(why, piece.text.index(named[0]) if named else 0)


def _approval(piece: _Piece, asked: str | None) -> Approval:
    if asked is None:
        return Approval.NONE
    if asked not in set(_ASKED):
        raise piece.fault(f"@ask({asked!r}) is unknown: {', '.join(_ASKED)}", _at(piece, "@ask"))
    return Approval(asked)


def _server(form: Form) -> str | None:
    """The server that a policy's scope holds it to."""
    scope = cast("Form", form["resource"])
    entity = cast("Mapping[str, str]", scope.get("entity", {}))
    match entity.get("type"):
        case "Server":
            return entity["id"]
        case "Tool":
            return entity["id"].partition(".")[0]
        case _:
            return None


def _question(form: Form) -> Question | None:
    scope = cast("Form", form["action"])
    entity = cast("Mapping[str, str]", scope.get("entity", {}))
    return Question(entity["id"]) if entity else None


def _entities(form: object) -> Iterator[tuple[str, str]]:
    """Every entity that is named anywhere in a policy."""
    if isinstance(form, dict):
        members = cast("Form", form)
        if members.keys() == {"type", "id"}:
            yield str(members["type"]), str(members["id"])
        for value in members.values():
            yield from _entities(value)
    elif isinstance(form, list):
        for value in cast("list[object]", form):
            yield from _entities(value)


def _unknown(piece: _Piece, why: str, name: str) -> Invalid:
    return piece.unknown(why, _at(piece, f'"{name}"'))


def _at(piece: _Piece, sign: str) -> int:
    return max(0, piece.text.find(sign))
