"""What an author declares about a tool, and `authorize_tool`, which declares it on any function.

Everything else derives from the declaration: annotations, the decision in the server, the filtered list, the
minutes in the audit. A tool without a policy does not load. Not here: hosting (`host`), deciding (`core.policy`).
"""

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from pierhead.core.approval import Approval
from pierhead.core.bounds import UNBOUNDED, Bounds, read_bounds
from pierhead.core.catalog import Effect
from pierhead.core.errors import Invalid, Misconfigured, PierheadError
from pierhead.core.foreseen import Estimate, Foreseen
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.core.rule import Who, parse_who
from pierhead.core.usage import MOST_MINUTES, Minutes
from pierhead.sdk.examples import read_examples
from pierhead.usecases.told_by_tools import Asks, Offered

_MARK: Final = "__pierhead_declaration__"
_BY_EFFECT: Final = {
    Effect.READ: Approval.NONE,
    Effect.WRITE: Approval.NONE,
    Effect.DESTRUCTIVE: Approval.APPROVE,
}
_LONGEST_S: Final = 3600.0
_DRAFT: Final = "draft"
"""An effect as authors say it: a write that counts for nothing until a person confirms it (decision 35)."""

_LOG: Final = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., object])
Foresees = Callable[[Mapping[str, Json], Caller], Awaitable[Foreseen]]
Estimates = Callable[[Mapping[str, Any], Caller], Awaitable[Estimate]]
"""What a call with these arguments is expected to take; asked where a rule of approval reads it."""
ByArguments = Callable[[Mapping[str, Any]], str]
"""The class that arguments need, by name. It can only raise the one that the effect has."""


MOST_CHARACTERS: Final = 40_000
"""Of one answer, unless its server says otherwise: clients refuse or hide what is longer."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One tool's declaration, read and checked. Units: `timeout_s` seconds, `minutes` minutes a success."""

    policy: Who
    effect: Effect
    approval: Approval
    minutes: Minutes
    idempotent: bool
    timeout_s: float
    asks: Asks | None = None
    """Says what a call's arguments need besides `approval`."""
    offered: Offered | None = None
    """Says to whom the tool exists, of those whom `policy` admits."""
    bounds: Bounds = UNBOUNDED
    foresees: Foresees | None = None
    """Says what a call would do, for the people who are asked."""
    plan_tool: str = ""
    """The tool whose plans it carries out; empty where it takes its arguments as they are."""
    estimates: Estimates | None = None
    """Says what a call would take, for the rules of approval that read it."""
    examples: tuple[Mapping[str, Json], ...] = ()
    """Arguments that it takes, as plain JSON; held to its schema when it is bound."""
    drafts: bool = False
    """Whether what it writes is a draft, which counts for nothing until a person confirms it."""
    most_characters: int = MOST_CHARACTERS
    """What one answer may have, the first page like every later one; a longer one is an error."""


def declare(  # noqa: PLR0913 - the declaration is the point
    *,
    policy: str,
    effect: str,
    minutes_saved: float | Minutes,
    approval: str | Asks | ByArguments | None = None,
    idempotent: bool = False,
    timeout: float = 30.0,
    offered: Offered | None = None,
    channels: Iterable[str] | None = None,
    when: str | Iterable[str] | None = None,
    examples: Iterable[Mapping[str, object]] = (),
) -> Declaration:
    """Read a declaration as an author writes it.

    `approval` left out means the default of the effect: `destructive` needs `approve`, the others none. A function of
    the arguments says the class of each call, before anything runs, and can only raise that default; one of caller and
    arguments speaks for a reviewed policy of the server's own, and may lower it. `channels` and `when` bound where and
    with which arguments the tool may be used. `effect` may be `draft`: a write into the server's own store that counts
    for nothing until a person confirms it, which a workload alone may do, too. `examples` are arguments that it takes:
    two or more, or none.
    Units: `timeout` in seconds, up to an hour; `minutes_saved` in minutes a successful call.
    Errors: Misconfigured (`bad-declaration`), saying which member is wrong and what is allowed.
    """
    kind = Effect.WRITE if effect == _DRAFT else _member(Effect, effect, "effect")
    asks = _asking(approval) if callable(approval) else None
    asked = _asked(kind, approval)
    if kind is Effect.DESTRUCTIVE and asked is Approval.NONE and asks is None:
        raise _wrong(
            "a destructive tool needs an approval", "leave approval out, or name confirm, approve or four-eyes"
        )
    if not 0 < timeout <= _LONGEST_S:
        raise _wrong(f"timeout {timeout} is not between 0 and {_LONGEST_S:.0f} seconds", "choose one that is")
    bounds = _bounds(channels, when)
    return Declaration(
        _policy(policy),
        kind,
        asked,
        _minutes(minutes_saved),
        idempotent,
        timeout,
        asks,
        offered,
        bounds,
        examples=read_examples(examples),
        drafts=effect == _DRAFT,
    )


def _asked(kind: Effect, approval: str | Asks | ByArguments | None) -> Approval:
    """What every call of the tool needs, whatever its arguments."""
    if approval is None or (callable(approval) and _takes(approval) == 1):
        return _BY_EFFECT[kind]
    return Approval.NONE if callable(approval) else _member(Approval, approval, "approval")


def _asking(approval: Asks | ByArguments) -> Asks:
    """What is asked of each call. A function that fails, or says no class, denies: it must not let the call through."""
    by_arguments = _takes(approval) == 1

    def asks(caller: Caller, arguments: Mapping[str, Json]) -> str:
        given = (arguments,) if by_arguments else (caller, arguments)
        try:
            return Approval(cast("Callable[..., str]", approval)(*given))
        except PierheadError:
            raise
        except Exception:  # noqa: BLE001 - an author's function may raise anything
            _LOG.error("the approval of a tool cannot be told from its arguments", exc_info=True)
            return Approval.DENY

    return asks


def _takes(approval: Callable[..., str]) -> int:
    return len(inspect.signature(approval).parameters)


def authorize_tool(  # noqa: PLR0913 - the declaration is the point
    *,
    policy: str,
    effect: str,
    minutes_saved: float | Minutes,
    approval: str | Asks | ByArguments | None = None,
    idempotent: bool = False,
    timeout: float = 30.0,
    channels: Iterable[str] | None = None,
    when: str | Iterable[str] | None = None,
    examples: Iterable[Mapping[str, object]] = (),
) -> Callable[[Function], Function]:
    """Declare a function of a server written without our `Server`; `Server.adopt` then enforces it.

    Takes and checks the same members as `Server.tool`.
    """
    declaration = declare(
        policy=policy,
        effect=effect,
        minutes_saved=minutes_saved,
        approval=approval,
        idempotent=idempotent,
        timeout=timeout,
        channels=channels,
        when=when,
        examples=examples,
    )

    def mark(function: Function) -> Function:
        setattr(function, _MARK, declaration)
        return function

    return mark


def declaration_of(function: Callable[..., object]) -> Declaration | None:
    """What `authorize_tool` declared on `function`, if it did."""
    found = getattr(function, _MARK, None)
    return found if isinstance(found, Declaration) else None


def _policy(text: str) -> Who:
    try:
        return parse_who(text)
    except Invalid as invalid:
        raise _wrong(invalid.message, invalid.hint) from None


def _bounds(channels: Iterable[str] | None, when: str | Iterable[str] | None) -> Bounds:
    try:
        return read_bounds(channels, when)
    except Invalid as invalid:
        raise _wrong(invalid.message, invalid.hint) from None


def _minutes(saved: float | Minutes) -> Minutes:
    minutes = saved if isinstance(saved, Minutes) else Minutes.estimate(float(saved))
    if not minutes.is_range:
        hint = f"give 0 <= low <= mode <= high <= {MOST_MINUTES:g}"
        raise _wrong(f"minutes_saved {saved} is no range from low over mode to high", hint)
    return minutes


Member = TypeVar("Member", Effect, Approval)


def _member(kind: type[Member], text: str, name: str) -> Member:
    try:
        return kind(text)
    except ValueError:
        raise _wrong(f"{name} {text!r} is unknown", f"choose one of {', '.join(kind)}") from None


def _wrong(message: str, hint: str) -> Misconfigured:
    return Misconfigured(message, hint=hint, code="bad-declaration")
