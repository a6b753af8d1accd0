"""The views of a fleet file: named audiences of the registry's anonymous lists.

Only how they are written; what an audience sees is `core/audience`. Above: `fleet`.
"""

from ipaddress import ip_network
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from pierhead.core.audience import Audience
from pierhead.core.reach import EVERY

PERSONAL: Final = "me"
"""The name of the one view that asks who somebody is; no fleet file may take it."""


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is no network; write one as 10.20.0.0/16") from None
    return text


def _not_personal(name: str) -> str:
    if name == PERSONAL:
        raise ValueError(f"{PERSONAL!r} is the view of whoever signs in; choose another name")
    return name


ViewName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$"), AfterValidator(_not_personal)]
_Group = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@:/-]{1,256}$")]
_ServerName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class View(BaseModel):
    """`groups`: whose servers it shows, beside everyone's.

    `servers` and `cidr` left out mean no restriction; an empty list means nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    groups: list[_Group] = []
    servers: list[_ServerName] | None = None
    cidr: list[Annotated[str, AfterValidator(_network)]] | None = None

    def audience(self) -> Audience:
        return Audience(
            groups=frozenset(self.groups),
            servers=EVERY if self.servers is None else frozenset(self.servers),
            networks=EVERY if self.cidr is None else tuple(ip_network(text) for text in self.cidr),
        )
