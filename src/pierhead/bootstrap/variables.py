"""References to secrets in a server's own settings: its `url`, its `login`, and the logins of its roles.

Filled in by the process that uses them, each time that they are put in force, and kept nowhere else. A file that
`login` names stays a reference: its server reads it each time it signs in. Not here: what a reference is and where it
is looked up (`secret_references`), what a login is (the plug-in).
"""

from collections.abc import Mapping
from typing import Final, cast

from pydantic import SecretStr

from pierhead.bootstrap.secret_references import Secrets, is_reference, require_all, resolved

_ROLES: Final = "roles"
_LOGIN: Final = "login"
_URL: Final = "url"

_Values = Mapping[str, object]


def with_variables(settings: _Values, secrets: Secrets | None = None) -> dict[str, object]:
    """A server's entry with its address, its login and the logins of its roles filled in.

    Shapes: a reference of `login` becomes a `SecretStr`, so that no text of a file passes for one.

    Errors: Misconfigured (`no-credential`, `bad-roles`), naming everything that is missing.
    """
    known = secrets or Secrets.of_this_process()
    missing: list[str] = []
    made = dict(settings)
    if _URL in made:
        made[_URL] = resolved(known, _URL, made[_URL], missing)
    if _is(made.get(_LOGIN)):
        login = cast("_Values", made[_LOGIN])
        made[_LOGIN] = {key: _secret(known, f"{_LOGIN}.{key}", value, missing) for key, value in login.items()}
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


def _secret(secrets: Secrets, place: str, value: object, missing: list[str]) -> object:
    if not is_reference(value) or "file" in cast("_Values", value):
        return value
    found = resolved(secrets, place, value, missing)
    return SecretStr(found) if isinstance(found, str) else found


def _filled(secrets: Secrets, place: str, role: object, missing: list[str]) -> object:
    login = cast("_Values", role).get(_LOGIN) if _is(role) else None
    if not _is(login):
        return role
    members = cast("_Values", login)
    whole = {key: resolved(secrets, f"{place}.{key}", value, missing) for key, value in members.items()}
    return {**cast("_Values", role), _LOGIN: whole}


def _is(value: object) -> bool:
    return isinstance(value, Mapping)
