"""`{env: NAME}` in the login of a role: the value of a variable, so that no file holds a password.

Read by the process that uses it, each time that roles are put in force, and kept nowhere else. Not here: reading the
environment (`settings`), what a login is (the plug-in).
"""

from collections.abc import Callable, Mapping
from typing import Final, cast

from pierhead.bootstrap.settings import credential
from pierhead.core.errors import Misconfigured

_ROLES: Final = "roles"
_LOGIN: Final = "login"
_ENV: Final = "env"

Lookup = Callable[[str], str | None]
_Values = Mapping[str, object]


def with_variables(settings: _Values, lookup: Lookup = credential) -> dict[str, object]:
    """A server's entry with the logins of its roles filled in. Errors: Misconfigured, naming every missing variable."""
    roles = settings.get(_ROLES)
    return {**settings, _ROLES: roles_with_variables(cast("_Values", roles), lookup)} if _is(roles) else dict(settings)


def roles_with_variables(roles: _Values, lookup: Lookup = credential) -> dict[str, object]:
    """Roles as written, with their logins filled in. Errors: as `with_variables`."""
    missing: list[str] = []

    def filled(place: str, value: object) -> object:
        name = cast("_Values", value).get(_ENV) if _is(value) and set(cast("_Values", value)) == {_ENV} else None
        found = lookup(name) if isinstance(name, str) else None
        if isinstance(name, str) and found is None:
            missing.append(f"{place}: the variable {name} is not set")
        return value if found is None else found

    made: dict[str, object] = {}
    for name, role in roles.items():
        login = cast("_Values", role).get(_LOGIN) if _is(role) else None
        if not _is(login):
            made[name] = role
            continue
        members = cast("_Values", login)
        whole = {key: filled(f"{_ROLES}.{name}.{_LOGIN}.{key}", value) for key, value in members.items()}
        made[name] = {**cast("_Values", role), _LOGIN: whole}
    if missing:
        raise Misconfigured("; ".join(missing), hint="set it for this process, and start again", code="bad-roles")
    return made


def _is(value: object) -> bool:
    return isinstance(value, Mapping)
