"""Who must say yes to a write, as the policy of a source has it.

Left out, the effect decides: inserting needs nobody, updating and deleting need `approve`. A table's rule, or its
role, may write another: `approval: none`, one class for every write, or one for each operation. A class may wait for
a number of rows: `approve if affected > 100`. Whoever writes `none` into a reviewed policy has done the loosening;
no argument of a call can. Not here: asking people (the platform), what the classes mean (core).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pierhead.sdk import ask_for

_WRITTEN: Final = re.compile(r"(none|confirm|approve|four-eyes|deny)(?: if affected > (\d{1,9}))?")
_ORDER: Final = ("none", "confirm", "approve", "four-eyes", "deny")

WriteOperation = Literal["create", "update", "delete"]
Written = str | Mapping[WriteOperation, str] | None

_BY_EFFECT: Final[Mapping[WriteOperation, str]] = {"create": "none", "update": "approve", "delete": "approve"}


@dataclass(frozen=True, slots=True)
class Needed:
    """The class, and the number of rows up to which nobody is asked; None where every write is asked for."""

    approval: str
    up_to: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Needed":
        """Errors: ValueError, saying how it is written."""
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise ValueError("an approval is none, confirm, approve, four-eyes or deny, and maybe `if affected > 100`")
        return cls(found[1], int(found[2]) if found[2] else None)


def needed(written: Written, operation: WriteOperation) -> Needed:
    """What `operation` needs under a rule; an operation that the rule leaves out keeps its default."""
    text = written if isinstance(written, str) else (written or {}).get(operation)
    return Needed.parse(text if text is not None else _BY_EFFECT[operation])


def before(written: Written, operation: WriteOperation) -> str:
    """The class that is asked for before anything runs."""
    rule = needed(written, operation)
    return rule.approval if rule.up_to is None else "none"


def for_count(written: Written, operation: WriteOperation, affected: int) -> str:
    """The class that so many rows need."""
    rule = needed(written, operation)
    return "none" if rule.up_to is not None and affected <= rule.up_to else rule.approval


def ask_by_count(written: Written, operation: WriteOperation, affected: int) -> None:
    """Ask, and so end the transaction, where the rows are too many to go unasked."""
    rule = needed(written, operation)
    if rule.up_to is not None and affected > rule.up_to and rule.approval != "none":
        ask_for(rule.approval, f"it affects {affected} rows, and above {rule.up_to} that needs {rule.approval}")


def strictest(classes: Iterable[str]) -> str:
    return max(classes, key=_ORDER.index, default="deny")
