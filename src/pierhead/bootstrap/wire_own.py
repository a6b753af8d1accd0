"""Puts the program of a server together that its team runs: its own code, and a credential instead of our keys.

The registry is asked at the public address, for what is about this server alone. Not here: servers that the platform
starts (`wire_server`), making the credential (`usecases/enrol_server`).
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pierhead.adapters.assertion import Verifier
from pierhead.adapters.remote import ENROLLED, Registry
from pierhead.bootstrap.plugins import own_server
from pierhead.bootstrap.wire_server import ServerParts, Stand, host_in, hosted, parts_of, state_key
from pierhead.bootstrap.wire_shared import Subscription, share_with
from pierhead.core.enrolment import Enrolment
from pierhead.core.errors import Misconfigured
from pierhead.core.snapshot import AgeLimits
from pierhead.sdk.host import LOCAL

__all__ = ["OwnSetting", "own_parts"]


@dataclass(frozen=True, slots=True)
class OwnSetting:
    """One server that its team runs. `code` is where its declaration is: `MODULE:NAME`."""

    code: str
    enrolment: Enrolment
    data: Path
    limits: AgeLimits
    refresh_s: float

    @property
    def listens(self) -> tuple[str, int]:
        """Host and port that its entry declares."""
        url = urlsplit(self.enrolment.listens)
        return url.hostname or "", url.port or 0


async def own_parts(setting: OwnSetting) -> ServerParts:
    """Open and build everything; a failure lets go of what was opened.

    Errors: Misconfigured (`no-such-code`, `bad-credential`).
    """
    enrolment = setting.enrolment
    server = own_server(setting.code)
    if server.name != enrolment.server:
        message = f"the credential is of {enrolment.server}, and the code declares {server.name}"
        raise Misconfigured(message, hint="give the credential of that server", code="bad-credential")
    async with AsyncExitStack() as opened:
        registry = Registry.at(enrolment.platform, enrolment.bearer.encode(), ENROLLED)
        subscription = Subscription(
            f"server-{server.name}", bytes.fromhex(enrolment.policy), setting.limits, enrolment.server
        )
        beside = share_with(registry, subscription, setting.data, opened)
        verifier = Verifier(bytes.fromhex(enrolment.assertion), server.name, beside.clock)
        stand = Stand(
            name=server.name,
            data=setting.data,
            description=server.description,
            upstream=enrolment.listens,
            refresh_s=setting.refresh_s,
            state_key=state_key(verifier.key),
            names=LOCAL | {host_in(enrolment.listens)},
        )
        return parts_of(hosted(server, stand, beside, verifier), beside, opened.pop_all())
    raise AssertionError("unreachable")  # the stack above swallows nothing
