"""The words that members of an entry are made of: short forms, conditions, names, all checked where they are written.

Below: the languages of `core`. Above: `declared`, `declared_approvals`, `fleet`. Not here: what the members mean.
"""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from pierhead.core.approval import Approval
from pierhead.core.catalog import DataClass, Discovery, Effect
from pierhead.core.condition import parse_condition
from pierhead.core.errors import Invalid
from pierhead.core.rule import parse_who


def _policy(text: str) -> str:
    try:
        parse_who(text)
    except Invalid as invalid:
        raise ValueError(f"{invalid.message}; {invalid.hint}") from None
    return text


PolicyText = Annotated[str, AfterValidator(_policy)]


def _condition(text: str) -> str:
    try:
        parse_condition(text)
    except Invalid as invalid:
        raise ValueError(f"{invalid.message}; {invalid.hint}") from None
    return text


ConditionText = Annotated[str, AfterValidator(_condition)]
Channel = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@:/#-]{1,256}$")]
Group = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@:/-]{1,256}$")]


def member_of(kind: type[Effect] | type[Approval] | type[DataClass] | type[Discovery], text: str) -> str:
    if text not in set(kind):
        raise ValueError(f"{text!r} is unknown; allowed: {', '.join(kind)}")
    return text
