"""What gateway and servers have alike: the policy they follow, the journal they keep and ship, the registry's address.

Not here: what each adds (`wire_gateway`, `wire_server`).
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from pierhead.adapters.journal import Journal
from pierhead.adapters.remote import Registry
from pierhead.adapters.snapshot_file import SnapshotOnDisk
from pierhead.adapters.snapshot_signature import SnapshotVerifier
from pierhead.adapters.system import SystemClock, SystemIds
from pierhead.bootstrap.company_policies import engine
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.wire_peers import Secured, require_secured_url
from pierhead.core.snapshot import AgeLimits
from pierhead.usecases.follow_policy import FollowedPolicy, follow_policy
from pierhead.usecases.ship_facts import Shipping, ship_facts

Endless = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Shared:
    """Open until `opened` closes. `writer` names its journal and its chain."""

    writer: str
    policy: FollowedPolicy
    journal: Journal
    registry: Registry
    clock: SystemClock
    ids: SystemIds
    shipping: Shipping = field(default_factory=Shipping)

    def endless(self) -> tuple[Endless, ...]:
        """What runs beside the program until it stops."""

        async def follow() -> None:
            await follow_policy(self.policy, self.registry, asyncio.sleep)

        async def ship() -> None:
            await ship_facts(self.writer, self.journal, self.registry, asyncio.sleep, self.shipping)

        return follow, ship


@dataclass(frozen=True, slots=True)
class RegistryPlace:
    """Where the registry is, and our TLS with it: None on its own machine."""

    url: str
    secured: Secured | None = None

    @property
    def tls(self) -> Callable[[], ssl.SSLContext] | None:
        return None if self.secured is None else self.secured.towards_registry()


def share(writer: str, data: Path, place: RegistryPlace, limits: AgeLimits, opened: AsyncExitStack) -> Shared:
    """Open all of it; `opened` lets go of it, the journal last. Errors: Misconfigured."""
    require_secured_url(place.url, place.secured)
    keys = Keys.at(data)
    registry = Registry.at(place.url, keys.read("internal.key"), tls=place.tls)
    return share_with(registry, Subscription(writer, keys.read("snapshot.pub"), limits), data, opened)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Whose policy is followed, and how: `only` is the server that it is cut to, `key` what it is verified with."""

    writer: str
    key: bytes
    limits: AgeLimits
    only: str = ""


def share_with(registry: Registry, subscription: Subscription, data: Path, opened: AsyncExitStack) -> Shared:
    """The same with a registry that is asked in whatever way."""
    clock, writer = SystemClock(), subscription.writer
    journal = Journal.open(data / "journal", writer, clock)
    opened.push_async_callback(asyncio.to_thread, journal.close)
    opened.push_async_callback(registry.close)
    file = SnapshotOnDisk(data / "snapshots" / f"{writer}.json")
    signature = SnapshotVerifier.of(subscription.key)
    policy = FollowedPolicy(clock, subscription.limits, signature, file, engine, subscription.only)
    policy.restore()
    return Shared(writer, policy, journal, registry, clock, SystemIds())
