"""Puts the guard before one guest together: its connection, its tools as they are now, what clients are shown.

What a guest lists is taken at each look; what is not as published is withheld at once, then published, so that the
registry decides about it. Above: `wire_server`. Not here: journal, policy, verification (`wire_shared`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TextIO

from pierhead.adapters.foreign.kept import Connection, KeptGuest, Timing
from pierhead.adapters.foreign.remote import RemoteConnection
from pierhead.adapters.foreign.stdio import GuestCommand, StdioConnection
from pierhead.bootstrap.artefacts import allowed_command
from pierhead.bootstrap.fleet import Guest
from pierhead.bootstrap.remote_entry import Header
from pierhead.bootstrap.secret_references import Secrets, require_all, resolved
from pierhead.bootstrap.settings import credential
from pierhead.core.errors import Misconfigured, PierheadError, UpstreamUnreachable
from pierhead.sdk.authorize import Declaration, declare
from pierhead.sdk.governance import Governance
from pierhead.sdk.guest import GuestTools
from pierhead.usecases.check_guest import GuestRules, is_set_aside, variable_prefix
from pierhead.usecases.tell_state import LatestState

STARTS_S: Final = 30.0
_RETRY_S: Final = 0.5


@dataclass(slots=True)
class Guard:
    """One guest, kept and looked at. `news` is set when its tools are no longer those that were published."""

    guest: KeptGuest
    tools: GuestTools
    news: asyncio.Event = field(default_factory=asyncio.Event)
    known: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the guest listed its tools: before that there is nothing to publish."""
    governance: Governance | None = None

    async def heard(self, wire: list[dict[str, Any]]) -> None:
        """Take what the guest lists. Withhold first, publish then."""
        if self.tools.take(wire):
            if self.governance is not None:
                self.governance.redeclared()
            self.news.set()
        self.known.set()

    def fault(self) -> str:
        """What is wrong with the guest, and with tools that its entry declares; empty if nothing is."""
        lacking = [name for name in self.tools.declared if name not in self.tools and name not in self.tools.unusable]
        faults = [self.guest.look.fault] if self.guest.look.fault else []
        faults += [f"{name} is left out: {why}" for name, why in self.tools.unusable.items()]
        if lacking and not self.guest.look.fault:
            faults.append(f"it has no {', '.join(lacking)}")
        return "; ".join(faults)


@dataclass(frozen=True, slots=True)
class GuestSetting:
    """One guest as declared. `rules` are None for what the operator's own fleet file declares."""

    name: str
    entry: Guest
    command: tuple[str, ...]
    """As it was written, without the program's place."""
    data: Path
    rules: GuestRules | None
    relist_s: float


async def guard_before(setting: GuestSetting, states: LatestState, opened: AsyncExitStack) -> Guard:
    """Connect; wait for the first list of a program that is started here, and for nobody who is elsewhere.

    Errors: UpstreamUnreachable, for a guest that does not answer in time; Invalid and Misconfigured, for one that
    may not be run or has no credential.
    """
    tools = GuestTools({tool: _declaration(setting.entry, tool) for tool in setting.entry.tools})
    connection = _connection(setting, opened)
    guard = Guard(
        KeptGuest(setting.name, connection, states.report, _nobody, Timing(look_every=setting.relist_s)), tools
    )
    guard.guest.heard = guard.heard
    supervision = asyncio.create_task(guard.guest.supervise())
    opened.push_async_callback(_ended, supervision)
    if setting.entry.remote is not None:
        return guard
    try:
        async with asyncio.timeout(STARTS_S):
            await guard.guest.ready()
    except TimeoutError:
        message = f"guest {setting.name} did not answer within {STARTS_S:g} s: {guard.guest.look.fault}"
        raise UpstreamUnreachable(message, hint=f"see logs/{setting.name}-guest.log in the data directory") from None
    return guard


async def publish_news(guard: Guard, publish: Callable[[], Awaitable[None]], states: LatestState) -> None:
    """Tell the registry what the guest lists, after each change; ends by cancellation."""
    while True:
        await guard.news.wait()
        guard.news.clear()
        try:
            await publish()
        except UpstreamUnreachable:
            guard.news.set()
            await asyncio.sleep(_RETRY_S)
        except PierheadError as refused:
            await states.report("running", f"its new definitions were not taken: {refused.message}")


async def _nobody(_wire: list[dict[str, Any]]) -> None: ...


def _connection(setting: GuestSetting, opened: AsyncExitStack) -> Connection:
    entry, rules = setting.entry, setting.rules
    if entry.remote is not None:
        headers = header_values(setting)
        allowed = rules.allowed_hosts if rules else frozenset[str]()
        return RemoteConnection(entry.remote.url, headers, guarded=rules is not None, allowed=allowed)
    log = opened.enter_context(_log(setting))
    if rules is None:
        return StdioConnection(GuestCommand(entry.command, entry.environment), log)
    command, check = allowed_command(setting.name, setting.command, rules)
    return StdioConnection(GuestCommand(command, {}, check=check), log)


def header_values(setting: GuestSetting) -> dict[str, str]:
    """The headers that go with every request to a remote guest. Errors: Misconfigured (`no-credential`)."""
    remote = setting.entry.remote
    values = {name: _value(setting, name, header) for name, header in remote.headers.items()} if remote else {}
    for name, value in values.items():
        if not (value.isascii() and value.isprintable()):  # the client would tell it in its error
            message = f"server {setting.name}: the value of header {name} is no line of plain ASCII"
            raise Misconfigured(message, hint="correct the secret it comes from", code="no-credential")
    return values


def _value(setting: GuestSetting, name: str, header: Header) -> str:
    """A header's value. A registered entry takes variables that were set aside for it, and nothing else of ours."""
    if header.reference:
        return _referred(setting, name, header)
    if not header.variable:
        return header.value
    if setting.rules is not None and not is_set_aside(setting.name, header.variable):
        message = f"server {setting.name}: header {name} takes {header.variable}, which was not set aside for it"
        raise Misconfigured(message, hint=f"name it {variable_prefix(setting.name)}...", code="no-credential")
    value = credential(header.variable)
    if not value:
        message = f"server {setting.name}: header {name} takes {header.variable}, which is not set"
        raise Misconfigured(message, hint="set it in the environment of the platform", code="no-credential")
    return value


def _referred(setting: GuestSetting, name: str, header: Header) -> str:
    """The secret in a file or a store: of this machine, so only the operator's own fleet file may name it."""
    if setting.rules is not None:
        message = f"server {setting.name}: header {name} takes a file of this machine"
        raise Misconfigured(message, hint=f"take {variable_prefix(setting.name)}...", code="no-credential")
    missing: list[str] = []
    value = resolved(Secrets.of_this_process(), f"server {setting.name}: header {name}", header.reference, missing)
    require_all(missing, "no-credential")
    return str(value)


def _log(setting: GuestSetting) -> TextIO:
    folder = setting.data / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return (folder / f"{setting.name}-guest.log").open("a", encoding="utf-8")


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _declaration(entry: Guest, tool: str) -> Declaration:
    declared = entry.tools[tool]
    declaration = declare(
        policy=declared.policy,
        effect=declared.effect,
        minutes_saved=declared.minutes_saved,
        approval=declared.approval,
        timeout=declared.timeout,
    )
    return replace(declaration, bounds=declared.bounds)
