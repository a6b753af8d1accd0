"""What people no longer have, as JSON and back: a member of every answer to those who follow the policy.

Strict, and told whole each time: there are few, and one that was lost on the way would be a right that somebody
keeps. Pure. Below: `core/withdrawal`. Above: `serve_policy`, `follow_policy`.
"""

from collections.abc import Mapping
from typing import Final, NoReturn, cast

from pierhead.core.errors import Invalid
from pierhead.core.withdrawal import Withdrawal, Withdrawals

_MEMBERS: Final = {"version", "everyone_before", "withdrawn"}
_OF_ONE: Final = {"issuer", "subject", "before", "groups"}


def withdrawals_to_form(withdrawals: Withdrawals) -> dict[str, object]:
    return {
        "version": withdrawals.version,
        "everyone_before": withdrawals.everyone_before,
        "withdrawn": [
            {"issuer": one.issuer, "subject": one.subject, "before": one.before, "groups": sorted(one.groups)}
            for one in withdrawals.people.values()
        ],
    }


def withdrawals_from_form(form: object) -> Withdrawals:
    """Errors: Invalid (`wire-form`), also where there is none at all."""
    members = _object(form, _MEMBERS)
    version, listed = members["version"], members["withdrawn"]
    if isinstance(version, bool) or not isinstance(version, int) or not isinstance(listed, list):
        _refuse()
    each = [_one(entry) for entry in cast("list[object]", listed)]
    return Withdrawals(version, {one.person: one for one in each}, _moment(members["everyone_before"]))


def _one(form: object) -> Withdrawal:
    members = _object(form, _OF_ONE)
    issuer, subject, groups = members["issuer"], members["subject"], members["groups"]
    if not isinstance(issuer, str) or not isinstance(subject, str) or not isinstance(groups, list):
        _refuse()
    named = cast("list[object]", groups)
    if not all(isinstance(name, str) for name in named):
        _refuse()
    return Withdrawal(issuer, subject, _moment(members["before"]), frozenset(cast("list[str]", named)))


def _object(form: object, members: set[str]) -> Mapping[str, object]:
    if not isinstance(form, Mapping) or set(cast("Mapping[str, object]", form)) != members:
        _refuse()
    return cast("Mapping[str, object]", form)


def _moment(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse()
    return float(value)


def _refuse() -> NoReturn:
    raise Invalid(
        "cannot read what people no longer have", hint="run the same version of pierhead everywhere", code="wire-form"
    )
