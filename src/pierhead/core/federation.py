"""How the claims of a company's identity provider say who somebody is: which claim names them, which their groups.

Providers differ: groups are a list, one text, deep inside an object, or too many to be sent at all. Configuration
says where to look; what is not as it says is refused, never guessed. Pure. Above: `adapters/oidc`, `usecases/federate`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, cast

from pierhead.core.errors import Unauthenticated

LONGEST_NAME: Final = 255
MOST_GROUPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Stated:
    """A person as their provider states them."""

    subject: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class ClaimMapping:
    """Where the claims are, and what the provider's groups are called here.

    `groups` is a claim's name, or a path of names with dots between; `names` maps the provider's group to ours, and
    where it maps any, the others count for nothing.
    """

    subject: str
    groups: str
    names: Mapping[str, str]

    def read(self, claims: Mapping[str, object]) -> Stated:
        """Errors: Unauthenticated, its code `no-subject`, `unproved-email`, `bad-groups` or `groups-overage`."""
        return Stated(_subject(claims, self.subject), self._groups(claims))

    def states_groups(self, claims: Mapping[str, object]) -> bool:
        """Whether these claims say anything about groups."""
        return _found(claims, self.groups) is not None or _is_overage(claims, self.groups)

    def _groups(self, claims: Mapping[str, object]) -> frozenset[str]:
        if _is_overage(claims, self.groups):
            raise Unauthenticated(
                "the identity provider sends a link in place of the groups, since there are too many",
                hint="have it send only the groups assigned to this application, or application roles",
                code="groups-overage",
            )
        found = _group_names(_found(claims, self.groups))
        if not self.names:
            return found
        return frozenset(self.names[name] for name in found if name in self.names)


def _subject(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > LONGEST_NAME or not value.isprintable():
        raise Unauthenticated(
            f"the identity provider does not name the person in {name}", hint="check sign_in.subject", code="no-subject"
        )
    if name == "email" and claims.get("email_verified") is not True:
        raise Unauthenticated(
            "the identity provider does not vouch for the e-mail address that would name the person",
            hint="have it verify addresses, or name people by another claim in sign_in.subject",
            code="unproved-email",
        )
    return value


def _found(claims: Mapping[str, object], path: str) -> object:
    """The value at `path`: a claim of that very name goes first, since names may hold dots (`https://…/groups`)."""
    if path in claims:
        return claims[path]
    steps, within = path.split("."), claims
    for step in steps[:-1]:
        inner = within.get(step)
        if not isinstance(inner, Mapping):
            return None
        within = cast("Mapping[str, object]", inner)
    return within.get(steps[-1])


def _is_overage(claims: Mapping[str, object], path: str) -> bool:
    """Whether the groups stand elsewhere: as a distributed claim, or said to be too many for an implicit flow."""
    elsewhere = claims.get("_claim_names")
    is_distributed = isinstance(elsewhere, Mapping) and path in elsewhere
    return is_distributed or (claims.get("hasgroups") not in {None, False} and _found(claims, path) is None)


def _group_names(value: object) -> frozenset[str]:
    """No claim is no group; one text is one group."""
    if value is None:
        return frozenset()
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list):
        _refuse_groups()
    entries = cast("list[object]", listed)
    if len(entries) > MOST_GROUPS or not all(_is_name(entry) for entry in entries):
        _refuse_groups()
    return frozenset(cast("list[str]", entries))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def _refuse_groups() -> NoReturn:
    raise Unauthenticated(
        f"the groups that the identity provider sends are no list of at most {MOST_GROUPS} names",
        hint="check sign_in.groups_claim",
        code="bad-groups",
    )
