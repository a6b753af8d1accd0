"""What an author declares about a tool, and `authorize_tool`, which declares it on any function.

Everything else derives from the declaration: annotations, the decision in the server, the filtered list, the
minutes in the audit. A tool without a policy does not load. Not here: hosting (`host`), deciding (`core.policy`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from pierhead.core.approval import Approval
from pierhead.core.bounds import UNBOUNDED, Bounds, read_bounds
from pierhead.core.catalog import Effect
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.rule import Who, parse_who
from pierhead.core.usage import Minutes
from pierhead.usecases.told_by_tools import Asks, Offered

_MARK: Final = "__pierhead_declaration__"
_BY_EFFECT: Final = {
    Effect.READ: Approval.NONE,
    Effect.WRITE: Approval.NONE,
    Effect.DESTRUCTIVE: Approval.APPROVE,
}
_LONGEST_S: Final = 3600.0

Function = TypeVar("Function", bound=Callable[..., object])


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


def declare(  # noqa: PLR0913 - the declaration is the point
    *,
    policy: str,
    effect: str,
    minutes_saved: float | Minutes,
    approval: str | Asks | None = None,
    idempotent: bool = False,
    timeout: float = 30.0,
    offered: Offered | None = None,
    channels: Iterable[str] | None = None,
    when: str | Iterable[str] | None = None,
) -> Declaration:
    """Read a declaration as an author writes it.

    `approval` left out means the default of the effect: `destructive` needs `approve`, the others none. A function
    of caller and arguments says the class of each call; it is asked before anything runs. `channels` and `when` bound
    where and with which arguments the tool may be used.
    Units: `timeout` in seconds, up to an hour; `minutes_saved` in minutes a successful call.
    Errors: Misconfigured (`bad-declaration`), saying which member is wrong and what is allowed.
    """
    kind = _member(Effect, effect, "effect")
    asks = approval if callable(approval) else None
    asked = _asked(kind, approval)
    if kind is Effect.DESTRUCTIVE and asked is Approval.NONE and asks is None:
        raise _wrong(
            "a destructive tool needs an approval", "leave approval out, or name confirm, approve or four-eyes"
        )
    if not 0 < timeout <= _LONGEST_S:
        raise _wrong(f"timeout {timeout} is not between 0 and {_LONGEST_S:.0f} seconds", "choose one that is")
    bounds = _bounds(channels, when)
    return Declaration(
        _policy(policy), kind, asked, _minutes(minutes_saved), idempotent, timeout, asks, offered, bounds
    )


def _asked(kind: Effect, approval: str | Asks | None) -> Approval:
    """What every call of the tool needs, whatever its arguments."""
    if approval is None:
        return _BY_EFFECT[kind]
    return Approval.NONE if callable(approval) else _member(Approval, approval, "approval")


def authorize_tool(  # noqa: PLR0913 - the declaration is the point
    *,
    policy: str,
    effect: str,
    minutes_saved: float | Minutes,
    approval: str | Asks | None = None,
    idempotent: bool = False,
    timeout: float = 30.0,
    channels: Iterable[str] | None = None,
    when: str | Iterable[str] | None = None,
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
    if not 0 <= minutes.low <= minutes.mode <= minutes.high:
        raise _wrong(f"minutes_saved {saved} is no range from low over mode to high", "give 0 <= low <= mode <= high")
    return minutes


Member = TypeVar("Member", Effect, Approval)


def _member(kind: type[Member], text: str, name: str) -> Member:
    try:
        return kind(text)
    except ValueError:
        raise _wrong(f"{name} {text!r} is unknown", f"choose one of {', '.join(kind)}") from None


def _wrong(message: str, hint: str) -> Misconfigured:
    return Misconfigured(message, hint=hint, code="bad-declaration")
