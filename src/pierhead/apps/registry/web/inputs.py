"""What forms are made of: a label over its field, with what is wrong beside it, and the token that every form carries.

Every form works without scripts. What a person typed comes back as it was when something in it must change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import htpy as h

from pierhead.apps.registry.web.frame import form_token
from pierhead.apps.registry.web.parts import Tone, notice, visible

LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it was sent: what stood in it, and what is wrong with which of its fields.

    `problem` is what no single field can be blamed for.
    """

    values: Mapping[str, str] = field(default_factory=dict[str, str])
    faults: Mapping[str, str] = field(default_factory=dict[str, str])
    problem: str = ""

    def value(self, name: str) -> str:
        return self.values.get(name, "")


BLANK = Filled()


def form(action: str, token: str, *content: h.Node, ends: bool = False) -> h.Element:
    """`ends`: its buttons end with the time that the page counts down."""
    return h.form(class_="stack", method="post", action=action, data_ends=ends)[form_token(token), content]


def text(
    label: str, name: str, filled: Filled = BLANK, *, is_required: bool = False, kind: str = "text", listed: str = ""
) -> h.Element:
    """A line. `kind` is the browser's own, such as date or url; `listed` names the list of what it offers."""
    typed = h.input(
        type=kind,
        name=name,
        value=filled.value(name) or None,
        required=is_required,
        list=listed or None,
        size="30",
        maxlength="500",
        **_faulty(name, filled),
    )
    return _labelled(label, name, filled, typed)


def area(
    label: str,
    name: str,
    filled: Filled = BLANK,
    *,
    is_required: bool = False,
    rows: int = 2,
    longest: int = LONGEST_REASON,
) -> h.Element:
    """Several lines."""
    typed = h.textarea(
        name=name, rows=str(rows), cols="60", maxlength=str(longest), required=is_required, **_faulty(name, filled)
    )[filled.value(name)]
    return _labelled(label, name, filled, typed)


def choice(label: str, name: str, choices: Mapping[str, str], chosen: str = "") -> h.Element:
    """One of several values, each with its word."""
    options = (h.option(value=value, selected=value == chosen or None)[word] for value, word in choices.items())
    return h.label(class_="field")[label, h.select(name=name)[options]]


def one_of(
    label: str, name: str, choices: Iterable[tuple[str, str]], filled: Filled = BLANK, *, is_required: bool = True
) -> h.Element:
    """One of few values, all in sight, none chosen for you; where nothing need be, the one without a value is."""
    return h.fieldset[
        h.legend(class_="field")[label],
        h.div(class_="row")[
            (
                h.label(class_="row")[
                    h.input(
                        type="radio",
                        name=name,
                        value=value,
                        required=is_required,
                        checked=_is_chosen(name, value, filled),
                    ),
                    word,
                ]
                for value, word in choices
            )
        ],
        _fault(name, filled),
    ]


def _is_chosen(name: str, value: str, filled: Filled) -> bool:
    return filled.value(name) == value


def submit(words: str, *, is_main: bool = False, name: str = "", value: str = "") -> h.Element:
    return h.button(class_="button main" if is_main else "button", name=name or None, value=value or None)[words]


def faults(filled: Filled) -> h.Node:
    """What is wrong, listed before the form; each stands beside its field too."""
    said = [*([filled.problem] if filled.problem else []), *filled.faults.values()]
    if not said:
        return None
    return notice(Tone.BAD, "Nothing was changed.", " ".join(visible(each) for each in said))


def _labelled(label: str, name: str, filled: Filled, typed: h.Node) -> h.Element:
    return h.label(class_="field")[label, typed, _fault(name, filled)]


def _fault(name: str, filled: Filled) -> h.Node:
    said = filled.faults.get(name)
    return h.span(class_="fault bad", id=f"fault-{name}")[visible(said)] if said else None


def _faulty(name: str, filled: Filled) -> dict[str, str]:
    return {"aria_invalid": "true", "aria_describedby": f"fault-{name}"} if name in filled.faults else {}
