"""References to secrets in a server's own settings: its `url`, and the logins of its roles.

Filled in by the process that uses them, each time that they are put in force, and kept nowhere else. Not here: what a
reference is and where it is looked up (`secret_references`), what a login is (the plug-in).
"""

from collections.abc import Mapping
from typing import Final, cast

from pierhead.bootstrap.secret_references import Secrets, require_all, resolved

_ROLES: Final = "roles"
_LOGIN: Final = "login"
_URL: Final = "url"

_Values = Mapping[str, object]


def with_variables(settings: _Values, secrets: Secrets | None = None) -> dict[str, object]:
    """A server's entry with its address and the logins of its roles filled in.

    Errors: Misconfigured (`no-credential`, `bad-roles`), naming everything that is missing.
    """
    known = secrets or Secrets.of_this_process()
    missing: list[str] = []
    made = dict(settings)
    if _URL in made:
        made[_URL] = resolved(known, _URL, made[_URL], missing)
    require_all(missing, "no-credential")
    roles = made.get(_ROLES)
    if _is(roles):
        made[_ROLES] = roles_with_variables(cast("_Values", roles), known)
    return made


def roles_with_variables(roles: _Values, secrets: Secrets | None = None) -> dict[str, object]:
    """Roles as written, with their logins filled in. Errors: Misconfigured (`bad-roles`)."""
    known = secrets or Secrets.of_this_process()
    missing: list[str] = []
    made = {name: _filled(known, f"{_ROLES}.{name}.{_LOGIN}", role, missing) for name, role in roles.items()}
    require_all(missing, "bad-roles")
    return made


def _filled(secrets: Secrets, place: str, role: object, missing: list[str]) -> object:
    login = cast("_Values", role).get(_LOGIN) if _is(role) else None
    if not _is(login):
        return role
    members = cast("_Values", login)
    whole = {key: resolved(secrets, f"{place}.{key}", value, missing) for key, value in members.items()}
    return {**cast("_Values", role), _LOGIN: whole}


def _is(value: object) -> bool:
    return isinstance(value, Mapping)
