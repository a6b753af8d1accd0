"""Files of policy cases: YAML beside a fleet file, read strictly into `judge_cases.PolicyCase`.

A person who is named without groups has those that the fleet's `people` give them. Not here: judging
(`usecases/judge_cases`), which policy is judged (`declared_policy`, or the running platform's).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

from pydantic import Field, StringConstraints, ValidationError

from pierhead.bootstrap.declared import Name, Spiffe, Strict
from pierhead.bootstrap.document import Document, Mark, broken, read_document
from pierhead.bootstrap.entry_words import Channel, Group
from pierhead.core.claims import Claims
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.identity import ANONYMOUS, Both, Caller, Principal, User, Workload
from pierhead.core.json import Json
from pierhead.usecases.judge_cases import Judged, PolicyCase

People = Mapping[str, frozenset[str]]

_ISSUER: Final = "pierhead:cases"
_HINT: Final = "see docs/how-to/test-a-policy.md"
_Text = Annotated[str, StringConstraints(max_length=500)]


class _Asker(Strict):
    person: Group | None = None
    groups: list[Group] | None = None
    workload: Spiffe | None = None
    surface: Group = "ide"
    channel: Channel | Literal[""] = ""
    environment: Group = "local"


class _Case(Strict):
    case: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    asker: Group | _Asker = Field(alias="as")
    server: Name
    tool: Annotated[str, StringConstraints(max_length=128)] = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    expect: Literal["permit", "refuse", "approval"]
    rule: _Text = ""
    reason: _Text = ""


class _File(Strict):
    cases: list[_Case] = Field(min_length=1, max_length=10_000)


def read_cases(
    files: Iterable[Path], people: People, claims: Mapping[str, Claims] | None = None
) -> tuple[PolicyCase, ...]:
    """The cases of these files, in order.

    Errors: Misconfigured (`bad-fleet`), naming file and line; for a person without groups whom `people` lack, too.
    """
    return tuple(case for file in files for case in _read(file, people, claims or {}))


def _read(path: Path, people: People, claims: Mapping[str, Claims]) -> Iterator[PolicyCase]:
    document = read_document(path)
    try:
        file = _File.model_validate(document.values)
    except ValidationError as invalid:
        raise _fault(document, invalid) from None
    for place, written in enumerate(file.cases):
        mark = document.mark(("cases", place))
        asker = written.asker if isinstance(written.asker, _Asker) else _Asker(person=written.asker)
        yield PolicyCase(
            name=written.case,
            place=f"{path.name}, line {mark[0]}",
            caller=Caller(
                _principal(asker, people, claims, (path, mark)), asker.surface, asker.environment, "", asker.channel
            ),
            server=written.server,
            tool=written.tool,
            arguments=_plain(written.arguments, (path, mark)),
            expect=written.expect,
            rule=written.rule,
            reason=written.reason,
        )


def _plain(arguments: Mapping[str, Any], at: tuple[Path, Mark]) -> Mapping[str, Json]:
    """Arguments as a call would carry them: YAML has dates, JSON has none."""
    try:
        return cast("Mapping[str, Json]", json.loads(json.dumps(arguments, allow_nan=False)))
    except (TypeError, ValueError):
        raise broken(*at, "the arguments hold what JSON cannot", "put dates and odd values in quotes") from None


def _principal(asker: _Asker, people: People, claims: Mapping[str, Claims], at: tuple[Path, Mark]) -> Principal:
    program = Workload(asker.workload) if asker.workload else None
    if asker.person is None and asker.groups is None:
        return program or ANONYMOUS
    name = asker.person or "somebody"
    groups = frozenset(asker.groups) if asker.groups is not None else people.get(name)
    if groups is None:
        raise broken(*at, f"{name} has no groups, and the fleet knows nobody of that name", "add groups: [...]")
    user = User(_ISSUER, name, groups, claims.get(name, ()))
    return Both(user, program) if program else user


def _fault(document: Document, invalid: ValidationError) -> Misconfigured:
    first = invalid.errors()[0]
    where = tuple(part for part in first["loc"] if not (isinstance(part, str) and part.startswith(("_", "function-"))))
    name = ".".join(str(part) for part in where)
    return broken(document.path, document.value_mark(where), f"{name or 'the file'}: {first['msg'].lower()}", _HINT)


def require_good(judged: Iterable[Judged]) -> None:
    """Errors: Invalid (`policy-case-failed`), naming the cases that failed."""
    failed = [each for each in judged if not each.is_good]
    if failed:
        told = "; ".join(f"{each.case.name} ({each.case.place}): {each.faults[0]}" for each in failed[:5])
        more = f"; and {len(failed) - 5} more" if len(failed) > 5 else ""  # noqa: PLR2004 - those above
        raise Invalid(
            f"{len(failed)} policy cases fail: {told}{more}",
            hint="correct the policy or the case; pierhead policy test shows them all",
            code="policy-case-failed",
        )
