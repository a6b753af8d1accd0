"""Puts one server's program together: plug-in or guest, governance, journal, policy, manifest."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from pierhead.adapters.assertion import Verifier
from pierhead.adapters.internal_client import InternalClient
from pierhead.adapters.remote import Registry
from pierhead.adapters.system import SystemClock
from pierhead.bootstrap.entries import EntryDeclarations
from pierhead.bootstrap.fleet import FleetServer, Guest, load
from pierhead.bootstrap.follow_fleet import FollowedEntry
from pierhead.bootstrap.keys import VALUES, Keys, derived
from pierhead.bootstrap.plugins import fleet_server
from pierhead.bootstrap.settings import Settings
from pierhead.bootstrap.variables import with_variables
from pierhead.bootstrap.wire_guard import Guard, GuestSetting, guard_before, publish_news
from pierhead.bootstrap.wire_peers import require_secured_url
from pierhead.bootstrap.wire_shared import Endless, RegistryPlace, Shared, share
from pierhead.core.catalog import Tool
from pierhead.core.definitions import tools_digest
from pierhead.core.health import Condition, Dependency
from pierhead.core.snapshot import AgeLimits
from pierhead.sdk.governance import DeclaredTool, Governance, govern
from pierhead.sdk.guest import guest_front
from pierhead.sdk.host import LOCAL, Application, host, host_guest
from pierhead.sdk.needs import LookedAt
from pierhead.sdk.server import Server
from pierhead.usecases.check_guest import GuestRules, check_guest
from pierhead.usecases.health_forms import dependency_to_form
from pierhead.usecases.ports import Audit, Clock
from pierhead.usecases.ports_catalogue import Origin
from pierhead.usecases.tell_owners import OwnersInForce
from pierhead.usecases.tell_state import LatestState
from pierhead.usecases.wire_forms import Manifest

_GUEST_VERSION: Final = "guest"


@dataclass(frozen=True, slots=True)
class ServerSetting:
    """Where one server stands. `upstream` is the address at which the gateway reaches it."""

    entry: FleetServer
    data: Path
    registry: RegistryPlace
    upstream: str
    limits: AgeLimits
    relist_s: float = 300.0
    rules: GuestRules | None = None
    """What a registered server is held to; None for what the operator's own fleet file declares."""
    fleet: Path | None = None
    """The file that it follows while it runs; None for what no file declares."""
    refresh_s: float = 30.0

    @property
    def names(self) -> frozenset[str]:
        """The hosts that its gateway may call it by."""
        return LOCAL | {host_in(self.upstream)}

    @property
    def settings(self) -> Mapping[str, object]:
        """The entry's own, with its references filled in; a registered one names only what was set aside for it.

        Errors: Misconfigured; Invalid (`guest-not-allowed`).
        """
        if self.rules is not None:
            check_guest(self.entry.name, self.entry.settings, self.rules)
        return with_variables(self.entry.settings)


def entry_named(
    name: str, fleet: Path | None, registry: RegistryPlace, settings: Settings
) -> tuple[FleetServer, GuestRules | None]:
    """The entry of one server, and what it is held to: of the fleet file, or of the registry if no file names it.

    Errors: Misconfigured; NotFound; Invalid (`bad-entry`); UpstreamUnreachable.
    """
    data = settings.platform.data.resolve()
    declared = load(fleet, data).servers.get(name) if fleet is not None else None
    if declared is not None:
        return declared, None
    require_secured_url(registry.url, registry.secured)
    told = InternalClient(registry.url, Keys.at(data).read("internal.key"), registry.tls).get(f"/entries/{name}")
    rules = None if told["origin"] == Origin.FLEET else settings.registry.guest_rules
    return EntryDeclarations().read(name, told["document"]), rules


def host_in(upstream: str) -> str:
    """The host of an address, as the header `Host` spells it."""
    host = urlsplit(upstream).hostname or ""
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True, slots=True)
class ServerParts:
    """One server, put together; the program runs it."""

    application: Application
    endless: tuple[Endless, ...]
    publish: Endless
    is_loaded: Callable[[], bool]
    told: Callable[[], Mapping[str, object]]
    """What the server says of its own health."""
    closing: AsyncExitStack = field(repr=False)
    audit: Audit
    clock: Clock


@dataclass(slots=True)
class Published:
    """Tells the registry what this server offers, one after the other: an older manifest never follows a newer."""

    name: str
    registry: Registry
    manifest: Callable[[], Manifest]
    known: asyncio.Event
    """Set when the manifest says something: an empty one, vouched for, would make the first real one a drift."""
    last: Manifest | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def publish(self) -> None:
        """Errors: UpstreamUnreachable; what the registry refuses."""
        await self.known.wait()
        async with self._turn:
            manifest = self.manifest()
            await self.registry.publish_manifest(self.name, manifest)
            self.last = manifest


@dataclass(frozen=True, slots=True)
class Made:
    """What all kinds of servers have alike."""

    application: Application
    published: Published
    endless: tuple[Endless, ...]
    dependencies: Callable[[], tuple[Dependency, ...]]


def _told(made: Made) -> Mapping[str, object]:
    now, last = made.published.manifest(), made.published.last
    return {
        "version": now.version,
        "tools_digest": tools_digest(now.instructions, now.tools),
        "is_as_published": now == last,
        "dependencies": [dependency_to_form(one) for one in made.dependencies()],
    }


def _governance(beside: Shared, name: str, tools: Mapping[str, DeclaredTool], version: str) -> Governance:
    return govern(name, tools, beside.policy, beside.registry, beside.journal, beside.clock, version=version)


async def server_parts(setting: ServerSetting) -> ServerParts:
    """Open and build everything; a failure lets go of what was opened.

    Errors: Misconfigured; UpstreamUnreachable, for a guest that does not start.
    """
    async with AsyncExitStack() as opened:
        beside = share(_writer(setting), setting.data, setting.registry, setting.limits, opened)
        verifier = _verifier(setting, beside.clock)
        if setting.entry.guest is None:
            made = _own(setting, beside, verifier)
        else:
            made = await _guest(setting, setting.entry.guest, beside, verifier, opened)
        return parts_of(made, beside, opened.pop_all())
    raise AssertionError("unreachable")  # the stack above swallows nothing


def parts_of(made: Made, beside: Shared, closing: AsyncExitStack) -> ServerParts:
    """What the program runs."""
    return ServerParts(
        application=made.application,
        endless=(*beside.endless(), *made.endless),
        publish=made.published.publish,
        is_loaded=lambda: beside.policy.is_loaded,
        told=lambda: _told(made),
        closing=closing,
        audit=beside.journal,
        clock=beside.clock,
    )


def _writer(setting: ServerSetting) -> str:
    return f"server-{setting.entry.name}"


def _verifier(setting: ServerSetting, clock: SystemClock) -> Verifier:
    name = setting.entry.name
    return Verifier(Keys.at(setting.data).server_key(name), name, clock)


def state_key(assertion_key: bytes) -> bytes:
    """What seals questions under way: of the key that each replica of this server has to have anyway."""
    return derived(assertion_key, "request-state")


def _own(setting: ServerSetting, beside: Shared, verifier: Verifier) -> Made:
    """A server written with the SDK, of a kind that is installed here."""
    entry = setting.entry
    server = fleet_server(entry.kind, entry.name, setting.settings)
    sealing = state_key(verifier.key)
    stand = Stand(
        entry.name, setting.data, entry.description, setting.upstream, setting.refresh_s, sealing, setting.names
    )
    made = hosted(server, stand, beside, verifier)
    return replace(made, endless=(*_followed(setting, server), *made.endless))


@dataclass(frozen=True, slots=True)
class Stand:
    """Where one SDK server stands. `names` are the hosts that its gateway may call it by."""

    name: str
    data: Path
    description: str
    upstream: str
    refresh_s: float
    state_key: bytes = field(repr=False)
    names: frozenset[str] = LOCAL


def hosted(server: Server, stand: Stand, beside: Shared, verifier: Verifier) -> Made:
    """An SDK server behind its door, whoever runs it."""
    server.plans = beside.registry
    server.exchanges = beside.registry
    server.owners = OwnersInForce(beside.policy)
    server.folder = stand.data / "servers" / stand.name
    server.installation_key = derived(Keys.at(stand.data).made(VALUES), stand.name)
    governance = _governance(beside, stand.name, server.tools, server.version)
    application = host(server, governance, verifier, stand.state_key, stand.names)
    manifest = Manifest(
        server.version, stand.description, stand.upstream, server.manifest(), server.low_level.instructions or ""
    )
    known = asyncio.Event()
    known.set()
    published = Published(stand.name, beside.registry, lambda: manifest, known)
    needed = LookedAt(server.needs, stand.refresh_s) if server.needs is not None else None
    endless = (needed.look_for_ever,) if needed is not None else ()
    return Made(application, published, endless, lambda: needed.found if needed is not None else ())


def _followed(setting: ServerSetting, server: Server) -> Iterator[Endless]:
    """What follows the fleet file and the server's outside, for a server that can."""
    entry = setting.entry
    if setting.fleet is not None and setting.rules is None and server.following is not None:
        followed = FollowedEntry(entry.name, setting.fleet, setting.data, server.following, entry.settings)
        yield lambda: followed.follow_for_ever(setting.refresh_s)


async def _guest(
    setting: ServerSetting, entry: Guest, beside: Shared, verifier: Verifier, opened: AsyncExitStack
) -> Made:
    """The guard before a guest. Its connection is supervised until the program ends."""
    name = setting.entry.name

    async def tell(state: str, reason: str) -> None:
        await beside.registry.report_state(name, state, f"guest: {reason}" if reason else "")

    states = LatestState(tell, asyncio.sleep)
    command = setting.entry.settings.get("command")
    words = tuple(cast("list[str]", command)) if isinstance(command, list) else ()
    guarded = GuestSetting(name, entry, words, setting.data, setting.rules, setting.relist_s)
    guard = await guard_before(guarded, states, opened)
    guard.governance = _governance(beside, name, guard.tools, _GUEST_VERSION)
    front = guest_front(name, _GUEST_VERSION, guard.tools, guard.guest)
    sealing = state_key(verifier.key)
    application = host_guest(front, guard.tools, guard.governance, verifier, sealing, setting.names)

    def manifest() -> Manifest:
        return _manifest(setting, _GUEST_VERSION, tuple(tool.declared() for tool in guard.tools.values()))

    published = Published(name, beside.registry, manifest, guard.known)

    async def news() -> None:
        await publish_news(guard, published.publish, states)

    return Made(application, published, (states.tell_for_ever, news), lambda: _health_of(guard))


def _health_of(guard: Guard) -> tuple[Dependency, ...]:
    fault = guard.fault()
    return (Dependency("guest", Condition.DEGRADED if fault else Condition.UP, fault),)


def _manifest(setting: ServerSetting, version: str, tools: tuple[Tool, ...]) -> Manifest:
    return Manifest(version, setting.entry.description, setting.upstream, tools)
