"""Within what a tool may be used, beside who may use it: in which channels, and with which arguments.

Bounds only take away, whoever set them: the code of the tool, or the fleet file. Below: `condition`. Above: `catalog`
(a tool carries two of them), `usecases/match_rules` (what follows from them).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pierhead.core.condition import Condition, parse_condition
from pierhead.core.reach import EVERY, Every, Only, is_part


@dataclass(frozen=True, slots=True)
class Bounds:
    """The channels in which a tool may be used, and what must hold of its arguments, all of it.

    A caller who is in no channel is in none of those that are named; an empty set of channels is none at all.
    """

    channels: Only | Every
    when: tuple[Condition, ...]

    def is_within(self, other: "Bounds") -> bool:
        """Whether whatever fits these surely fits `other`, by what is written in both."""
        return is_part(self.channels, other.channels) and set(other.when) <= set(self.when)

    def told(self) -> Iterator[str]:
        """Each bound in words."""
        if isinstance(self.channels, frozenset):
            named = ", ".join(sorted(self.channels))
            yield f"used only in the channels {named}" if named else "used in no channel"
        yield from (f"used only when {condition}" for condition in self.when)


UNBOUNDED: Final = Bounds(EVERY, ())


def read_bounds(channels: Iterable[str] | None, when: str | Iterable[str] | None) -> Bounds:
    """Bounds as they are written: None is no bound; of channels, an empty list is none at all.

    Errors: Invalid (`policy-syntax`).
    """
    texts = (when,) if isinstance(when, str) else tuple(when or ())
    names = EVERY if channels is None else frozenset(channels)
    return Bounds(names, tuple(parse_condition(text) for text in texts))
