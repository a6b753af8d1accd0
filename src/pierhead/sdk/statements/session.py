"""Who asks a coordinator, and under which limits: a value, and the headers that carry it.

Trino and Presto read the same headers, but for the prefix of their names. No session property is set here that the
caller did not name. Not here: the conversation (client.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

from pierhead.core.errors import Invalid

Flavour = Literal["Trino", "Presto"]

_LONGEST_USER: Final = 256


@dataclass(frozen=True, slots=True)
class Session:
    """`user` runs the statement; `authorization` is the login's own proof (Basic or Bearer), where there is one.

    A `user` other than the login's is impersonation, which the engine's own rules must permit. Without one the engine
    takes it from what `authorization` proves.
    """

    user: str
    catalog: str
    schema: str
    source: str = "pierhead"
    authorization: str = field(default="", repr=False)
    properties: Mapping[str, str] = field(default_factory=dict[str, str])

    def headers(self, flavour: Flavour) -> dict[str, str]:
        """The headers of the first request. Errors: Invalid, for a user whom a header cannot carry as it is."""
        named = {
            "User": _checked_user(self.user) if self.user or not self.authorization else "",
            "Source": self.source,
            "Catalog": quote(self.catalog, safe=""),
            "Schema": quote(self.schema, safe=""),
            "Session": ",".join(f"{name}={quote(value, safe='')}" for name, value in self.properties.items()),
            "Client-Capabilities": "PARAMETRIC_DATETIME",
        }
        headers = {f"X-{flavour}-{name}": value for name, value in named.items() if value}
        if self.authorization:
            headers["Authorization"] = self.authorization
        return headers

    def later_headers(self, flavour: Flavour) -> dict[str, str]:
        """The headers of every further request of the statement."""
        kept = {f"X-{flavour}-User", f"X-{flavour}-Source", "Authorization"}
        return {name: value for name, value in self.headers(flavour).items() if name in kept}


def _checked_user(user: str) -> str:
    if user and user == user.strip() and user.isascii() and user.isprintable() and len(user) <= _LONGEST_USER:
        return user
    raise Invalid(
        "the engine cannot be told this user name",
        hint=f"use a name of at most {_LONGEST_USER} plain ASCII characters",
        code="unfit-engine-user",
    )
