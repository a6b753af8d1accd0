"""How the forms of `wire_forms` are read member by member, strictly: what is unknown or missing is Invalid.

Not here: which forms there are.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeVar, cast

from pierhead.core.errors import Invalid
from pierhead.core.reach import EVERY, Every, Only

_Value = TypeVar("_Value")
_Choice = TypeVar("_Choice", bound=StrEnum)
_HINT: Final = "run the same version of pierhead everywhere"


def set_to_form(value: Only | Every) -> object:
    return "every" if isinstance(value, Every) else sorted(value)


def set_from_form(form: object) -> Only | Every:
    """Only the word `every` means all; a missing or empty list never does."""
    if form == "every":
        return EVERY
    if isinstance(form, list) and all(isinstance(item, str) for item in cast("list[object]", form)):
        return frozenset(cast("list[str]", form))
    raise wrong("row", "a set is a list of names or the word 'every'")


class Members:
    """The members of one JSON object, each taken once; `done` finds what nobody took."""

    def __init__(self, form: object, what: str, optional: frozenset[str] = frozenset()) -> None:
        if not isinstance(form, Mapping):
            raise wrong(what, "not an object")
        self.form = cast("Mapping[str, object]", form)
        self._what = what
        self._left = set(self.form) - optional
        self._known = set(optional)

    def take_any(self, name: str) -> object:
        self._known.add(name)
        if name not in self.form:
            raise wrong(self._what, f"member {name!r} is missing")
        self._left.discard(name)
        return self.form[name]

    def take(self, name: str, kind: type[_Value]) -> _Value:
        value = self.take_any(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise wrong(self._what, f"member {name!r} is no {kind.__name__}")
        return value

    def number(self, name: str) -> float:
        value = self.take_any(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong(self._what, f"member {name!r} is no number")
        return value

    def choose(self, name: str, choices: type[_Choice]) -> _Choice:
        value = self.take(name, str)
        try:
            return choices(value)
        except ValueError:
            raise wrong(self._what, f"member {name!r} is none of {', '.join(choices)}") from None

    def mapping(self, name: str) -> Mapping[str, object]:
        return cast("Mapping[str, object]", self.take(name, dict))

    def each(self, name: str, read: Callable[[object], _Value]) -> tuple[_Value, ...]:
        return tuple(read(item) for item in cast("list[object]", self.take(name, list)))

    def done(self) -> None:
        if self._left:
            unknown, known = sorted(self._left), sorted(self._known)
            near = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f"did you mean {near[0]}?" if near else _HINT
            raise wrong(self._place(), f"unknown members: {', '.join(unknown)}", hint)

    def _place(self) -> str:
        """What is read, by its name where it has one."""
        name = self.form.get("name")
        return f"{self._what} {name[:80]}" if isinstance(name, str) else self._what


def unique(names: Sequence[str], what: str) -> None:
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise wrong(what, f"named twice: {', '.join(repeated)}")


def wrong(what: str, why: str, hint: str = _HINT) -> Invalid:
    return Invalid(f"cannot read the {what}: {why}", hint=hint, code="wire-form")
