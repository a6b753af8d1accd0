"""A call, the request it becomes once it is resolved, and how it ends. And one canonical form of arguments.

Below: `catalog`, `identity`. Above: `policy` decides on a Request, `usecases/call_tool` carries it through.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Final, assert_never

from pierhead.core.approval import Ticket
from pierhead.core.catalog import Server, Tool
from pierhead.core.errors import Invalid
from pierhead.core.foreseen import NOTHING_FORESEEN, Foreseen, Planned
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.core.run import NO_RUN, Run


@dataclass(frozen=True, slots=True)
class Opaque:
    """Arguments a host does not read: the gateway relays bytes and knows only their digest and size."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """Validated arguments: what is judged, recorded and executed is this one object."""

    values: Mapping[str, Json] = field(hash=False)
    digest: str
    size: int
    foreseen: Foreseen = NOTHING_FORESEEN
    """What the server says that they would do."""

    @property
    def judged(self) -> Mapping[str, Json]:
        """What conditions read: the arguments, and as `plan` what a plan would change."""
        plan = self.foreseen.plan
        return self.values if plan is None else {**self.values, "plan": plan.judged()}

    @property
    def weighed(self) -> Mapping[str, Json]:
        """What rules of approval read: the same, and as `estimate` what the server expects.

        An argument of that name is never taken for it: a caller would say what their own call costs.
        """
        estimate = self.foreseen.estimate
        told = {name: value for name, value in self.judged.items() if name != "estimate"}
        return told if estimate is None else {**told, "estimate": estimate.judged()}


Arguments = Opaque | Parsed


def plan_of(call: "Call") -> Planned | None:
    """The plan that `call` would carry out, if it is one that carries out a plan."""
    return call.arguments.foreseen.plan if isinstance(call.arguments, Parsed) else None


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked for, before anyone knows whether it exists.

    `client` and `run` are what the client says of itself: traced, never a ground to permit.
    """

    id: str
    server: str
    tool: str
    arguments: Arguments
    era: str
    client: str
    run: Run = NO_RUN

    def with_arguments(self, arguments: Arguments) -> "Call":
        """The same call, its arguments read."""
        return Call(self.id, self.server, self.tool, arguments, self.era, self.client, self.run)


@dataclass(frozen=True, slots=True)
class Request:
    """A call to a tool that exists, is reviewed and live, by a caller, under one policy revision."""

    call: Call
    caller: Caller
    server: Server
    tool: Tool
    revision: int


@dataclass(frozen=True, slots=True)
class Ran:
    """The tool ran. `succeeded` is None where the host relays bytes and does not know."""

    result: object
    succeeded: bool | None
    bytes_out: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """The call waits for a person; nothing ran. Waiting is no error."""

    call: Call
    approval: str
    reasons: tuple[str, ...]
    ticket: Ticket | None = None
    """The record that people answer; None where no one keeps any."""


Outcome = Ran | Waiting

_LARGEST_EXACT: Final = 2**53 - 1


def canonical(value: Json) -> bytes:
    """`value` as RFC 8785 canonical JSON (UTF-8 bytes).

    Shapes: None, bool, int, float, str, and mappings and sequences of these.
    Errors: Invalid (`not-canonical`) for NaN, infinities, integers beyond 2^53-1, lone surrogates, and nesting
    beyond some hundred levels.
    Source: RFC 8785, sections 3.2.2 and 3.2.3.
    """
    try:
        return _encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise Invalid("a text holds a lone surrogate", hint="send valid Unicode", code="not-canonical") from None
    except RecursionError:
        raise Invalid("nested too deeply", hint="send a flatter value", code="not-canonical") from None


def digest(value: Json) -> str:
    """SHA-256 of the canonical form, as lower-case hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _encode(value: Json) -> str:
    match value:
        case str():
            return encode_basestring(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(value)
        case Mapping():
            return (
                "{" + ",".join([f"{encode_basestring(name)}:{_encode(value[name])}" for name in _ordered(value)]) + "}"
            )
        case Sequence():
            return "[" + ",".join([_encode(item) for item in value]) + "]"
        case _:
            assert_never(value)


def _ordered(names: Iterable[str]) -> list[str]:
    """By UTF-16 code units, as RFC 8785 wants it; of ASCII that is any order of texts."""
    if all(name.isascii() for name in names):
        return sorted(names)
    return sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))


def _number(value: int | float) -> str:  # noqa: PYI041 - the two are told apart here
    """A number as ECMAScript prints it (RFC 8785 section 3.2.2.3)."""
    if isinstance(value, int):
        if abs(value) > _LARGEST_EXACT:
            raise Invalid(
                f"integer beyond 2^53-1: {value}", hint="send large integers as strings", code="not-canonical"
            )
        return str(value)
    if not math.isfinite(value):
        raise Invalid("NaN and infinities are no JSON", hint="send null or a string", code="not-canonical")
    if value.is_integer() and abs(value) <= _LARGEST_EXACT:
        return str(int(value))  # also of -0.0, which is 0
    sign, digits, point = _shortest(value)
    return sign + _place(digits, point)


def _shortest(value: float) -> tuple[str, str, int]:
    """Sign, shortest round-trip digits, and where the decimal point stands after them."""
    mantissa, _, exponent = f"{value!r}".lower().partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    leading_zeros = len(whole + fraction) - len(digits)
    point = len(whole) - leading_zeros + int(exponent or 0)
    return sign, digits.rstrip("0"), point


def _place(digits: str, point: int) -> str:
    """Number::toString of ECMA-262, steps 6 to 10, for radix 10."""
    count = len(digits)
    if count <= point <= 21:  # noqa: PLR2004 - the bound stands in ECMA-262
        return digits + "0" * (point - count)
    if 0 < point <= 21:  # noqa: PLR2004
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:  # noqa: PLR2004
        return "0." + "0" * -point + digits
    exponent = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return digits + exponent if count == 1 else f"{digits[0]}.{digits[1:]}{exponent}"
