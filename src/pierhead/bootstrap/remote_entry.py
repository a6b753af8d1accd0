"""What an entry of kind `http` has of its own: the address of a remote MCP server, and the headers that go with it.

A credential comes from the environment; an entry holds the name of the variable, never its value. Above: `fleet` and
whatever else reads entries. Not here: whether a registered entry may have that address (`usecases/check_guest`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

_WEB: Final = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?([/?][!-\x22$-~]*)?")
#: Headers that the protocol or the connection writes itself.
_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "content-type", "content-encoding", "accept", "accept-encoding", "connection"}
    | {"transfer-encoding", "te", "trailer", "upgrade", "expect", "last-event-id"}
)
#: A value of these is a secret, so it does not stand in an entry.
_SECRET: Final = re.compile(r"authorization|cookie|token|secret|password|api-?key", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Header:
    """One header that goes with every request: written down, or from that variable of our environment.

    `reference` is another place of a secret: `{file: …}` or `{secret: …}`; empty where there is none.
    """

    value: str
    variable: str
    reference: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a guest of kind `http` is."""

    url: str
    headers: Mapping[str, Header] = field(hash=False)


def _web_address(url: str) -> str:
    if _WEB.fullmatch(url) is None:
        where = "it" if "@" in url else repr(url)  # what stands before an @ may be a password
        raise ValueError(f"{where} is no http or https address without credential and fragment")
    return url


def _free_header(name: str) -> str:
    if name.lower() in _OWN_HEADERS or name.lower().startswith("mcp-"):
        raise ValueError(f"the header {name} is the protocol's own")
    return name


class _HeaderMembers(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = None
    file: Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f]{1,500}$")] | None = None
    secret: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")] | None = None
    value: Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]{0,510}[!-~])?$")] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "_HeaderMembers":
        if sum(each is not None for each in (self.env, self.file, self.secret, self.value)) != 1:
            raise ValueError("a header has one of env, the name of a variable, file, secret and value")
        return self

    def header(self) -> Header:
        named = {"file": self.file, "secret": self.secret}
        reference = {kind: name for kind, name in named.items() if name is not None}
        return Header(self.value or "", self.env or "", reference)


_HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$"), AfterValidator(_free_header)]


def _without_secrets(headers: dict[str, _HeaderMembers]) -> dict[str, _HeaderMembers]:
    for name, given in headers.items():
        if given.value is not None and _SECRET.search(name):
            raise ValueError(f"the header {name} is a secret: take it from the environment, {{env: NAME}}")
    return headers


class RemoteMembers(BaseModel):
    """The members themselves; a model of an entry inherits them."""

    url: Annotated[str, AfterValidator(_web_address)]
    headers: Annotated[dict[_HeaderName, _HeaderMembers], AfterValidator(_without_secrets)] = {}

    def remote(self) -> Remote:
        return Remote(self.url, {name: one.header() for name, one in self.headers.items()})
