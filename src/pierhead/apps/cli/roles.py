"""`pierhead run ROLE`: one program of the platform in this process, until SIGTERM.

Each role imports its own program alone: a gateway loads neither the database nor MCP. Not here: what the programs
do (`apps/gateway`, `apps/registry`, `apps/server`), what they are made of (`bootstrap`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pierhead.apps import serving
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.running import bound, bound_path, end_with_parent, prepare_directory
from pierhead.bootstrap.settings import Settings
from pierhead.core.errors import Misconfigured
from pierhead.core.peer import GATEWAY, REGISTRY, role_of_server
from pierhead.core.snapshot import AgeLimits
from pierhead.usecases.record_failed_sign_ins import FailedSignIns

if TYPE_CHECKING:
    from pierhead.apps.gateway.run import Door, Program
    from pierhead.apps.server import Program as ServerProgram
    from pierhead.bootstrap.mesh_settings import MeshSettings
    from pierhead.bootstrap.wire_peers import Secured
    from pierhead.bootstrap.wire_server import ServerParts
    from pierhead.bootstrap.wire_shared import Shared
    from pierhead.core.enrolment import Enrolment

_GRACE_S: Final = 5.0
_SIGN_IN_WINDOW_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Where:
    """Where a program listens. A host that is not loopback is for programs with certificates alone."""

    host: str
    port: int


def run_registry(settings: Settings, fleet: Path, where: Where, *, supervised: bool) -> None:
    """Errors: Misconfigured."""
    from pierhead.apps import registry  # noqa: PLC0415 - see the docstring
    from pierhead.bootstrap.wire_peers import require_secured_host, secured  # noqa: PLC0415
    from pierhead.bootstrap.wire_registry import RegistrySetting  # noqa: PLC0415

    place = settings.platform
    own = secured(settings, REGISTRY)
    require_secured_host(where.host, own)
    _tie(settings, supervised=supervised)
    data = place.data.resolve()
    setting = RegistrySetting(
        data=data,
        fleet=fleet_file.load(fleet, data),
        public_url=place.url,
        surface=place.surface,
        environment=place.environment,
        rules=settings.registry,
        notify=settings.notify,
        review=settings.review,
        database_url=settings.database.url.get_secret_value(),
        sign_in=settings.sign_in,
        approvals=settings.approvals,
        price=settings.value.price,
        teams=settings.value.teams,
        mesh=settings.mesh,
        fleet_file=fleet,
    )

    async def main() -> None:
        await registry.run(setting, bound(where.host, where.port), own)

    serving.run(main)


def run_gateway(settings: Settings, registry_url: str, *, supervised: bool) -> None:
    """Errors: Misconfigured."""
    from pierhead.apps import gateway  # noqa: PLC0415 - see the docstring
    from pierhead.bootstrap.wire_gateway import GatewaySetting, gateway_adapters  # noqa: PLC0415
    from pierhead.bootstrap.wire_peers import secured  # noqa: PLC0415
    from pierhead.bootstrap.wire_shared import RegistryPlace, share  # noqa: PLC0415

    place = settings.platform
    own = secured(settings, GATEWAY)
    _tie(settings, supervised=supervised)
    data = place.data.resolve()
    setting = GatewaySetting(
        public_url=place.url,
        registry_url=registry_url,
        surface=place.surface,
        environment=place.environment,
        assertion_key=Keys.at(data).read("assertion.key"),
        mesh=settings.mesh,
        tls=settings.tls,
        sign_in=settings.sign_in,
    )

    async def main() -> None:
        async with AsyncExitStack() as opened:
            shared = share(place.gateway, data, RegistryPlace(registry_url, own), _limits(settings), opened)
            outside = gateway_adapters(
                setting, snapshots=shared.policy, audit=shared.journal, clock=shared.clock, ids=shared.ids, secured=own
            )
            program = gateway.program(outside, {"journal": lambda: shared.journal.failure})
            public, diagnostics = bound(place.host, place.port), bound("127.0.0.1", place.diagnostics_port)
            doors = _doors(settings.mesh, program)
            await _beside(shared, lambda: program.run(public, diagnostics, *doors))

    serving.run(main)


def _doors(mesh: "MeshSettings", program: "Program") -> "list[Door]":
    """What the sidecar comes in by, and where Envoy asks; nothing, unless the settings say so."""
    doors: list[Door] = []
    if mesh.sidecar_socket is not None:
        doors.append((program.of_sidecar, bound_path(mesh.sidecar_socket)))
    if mesh.authz_socket is not None:
        doors.append((program.authz, bound_path(mesh.authz_socket)))
    elif mesh.authz:
        host, _, port = mesh.authz.rpartition(":")
        doors.append((program.authz, bound(host, int(port))))
    return doors


def run_server(
    settings: Settings, fleet: Path | None, name: str, registry_url: str, where: Where, *, supervised: bool
) -> None:
    """Errors: Misconfigured; NotFound, for a name that neither fleet file nor registry has; UpstreamUnreachable."""
    from pierhead.bootstrap.wire_peers import require_secured_host, secured  # noqa: PLC0415 - see the docstring
    from pierhead.bootstrap.wire_server import ServerSetting, entry_named, server_parts  # noqa: PLC0415
    from pierhead.bootstrap.wire_shared import RegistryPlace  # noqa: PLC0415

    data = settings.platform.data.resolve()
    own = secured(settings, role_of_server(name))
    require_secured_host(where.host, own)
    registry = RegistryPlace(registry_url, own)
    entry, rules = entry_named(name, fleet, registry, settings)
    _tie(settings, supervised=supervised)
    setting = ServerSetting(
        entry,
        data,
        registry,
        _upstream(where, own),
        _limits(settings),
        settings.registry.relist_s,
        rules,
        fleet=None if fleet is None else fleet.resolve(),
        refresh_s=settings.serve.refresh_s,
    )

    async def main() -> None:
        program = _program(name, await server_parts(setting), settings, own)
        await program.run(bound(where.host, where.port))

    serving.run(main)


def _upstream(where: Where, own: "Secured | None") -> str:
    """The address at which the gateway reaches a server. Errors: Misconfigured, for one that names no machine."""
    if ip_address(where.host).is_unspecified:
        message = f"--host {where.host} is no address that the gateway could call"
        raise Misconfigured(message, hint="name the address that this machine is reached by", code="bad-setting")
    host = f"[{where.host}]" if ":" in where.host else where.host
    return f"{'http' if own is None else 'https'}://{host}:{where.port}/mcp"


def run_own(settings: Settings, code: str, enrolment: "Enrolment", host: str, port: int) -> None:
    """A server whose process is its team's. `port` 0 is the one that its entry declares.

    Errors: Misconfigured, for a credential or code that is none.
    """
    from pierhead.bootstrap.wire_own import OwnSetting, own_parts  # noqa: PLC0415 - see the docstring
    from pierhead.bootstrap.wire_peers import secured  # noqa: PLC0415

    own = secured(settings, role_of_server(enrolment.server))
    if enrolment.listens.startswith("https:") != (own is not None):
        message = f"the entry says {enrolment.listens}, and the section peers is {'set' if own else 'not set'}"
        raise Misconfigured(message, hint="see docs/how-to/spread-over-machines.md", code="half-secured")
    data = settings.platform.data.resolve()
    setting = OwnSetting(code, enrolment, data, _limits(settings), settings.serve.refresh_s)
    prepare_directory(data)

    async def main() -> None:
        listener = bound(host, port or setting.listens[1])
        program = _program(enrolment.server, await own_parts(setting), settings, own)
        await program.run(listener)

    serving.run(main)


def _program(name: str, parts: "ServerParts", settings: Settings, own: "Secured | None") -> "ServerProgram":
    from pierhead.apps import server  # noqa: PLC0415 - see the docstring

    return server.Program(
        name=name,
        application=parts.application,
        endless=parts.endless,
        publish=parts.publish,
        is_loaded=parts.is_loaded,
        told=parts.told,
        closing=parts.closing,
        drain_s=settings.shutdown.drain_s,
        secured=own,
        failed=FailedSignIns(parts.audit, parts.clock, _SIGN_IN_WINDOW_S),
    )


def _limits(settings: Settings) -> AgeLimits:
    return AgeLimits(stale_s=settings.policy.stale_s, expired_s=settings.policy.expired_s)


def _tie(settings: Settings, *, supervised: bool) -> None:
    """A supervised program ends with its supervisor, however that one ends."""
    if supervised:
        end_with_parent(settings.shutdown.drain_s + _GRACE_S)


async def _beside(shared: "Shared", running: Callable[[], Awaitable[None]]) -> None:
    """Follow the policy and ship facts for as long as the program runs."""
    tasks = [asyncio.ensure_future(work()) for work in shared.endless()]
    try:
        await running()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
