"""The whole platform on one machine: what `pierhead up` needs, checked before the first process starts.

Puts settings, fleet, keys, data and the supervisor together. Not here: the order of starting and stopping, and what
the terminal shows (`apps/cli/up`).
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pierhead.adapters.internal_client import InternalClient
from pierhead.adapters.processes import Child, Supervisor
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.declared_policy import judged_fleet
from pierhead.bootstrap.demo.warehouse import ensure_warehouse
from pierhead.bootstrap.fleet import Fleet
from pierhead.bootstrap.following import Following
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.policy_cases import require_good
from pierhead.bootstrap.reporting import PREFIX, Reporting, Talk
from pierhead.bootstrap.running import Running, bound, free_ports, hold, prepare_directory
from pierhead.bootstrap.settings import Resolved, Settings
from pierhead.bootstrap.watching import Place
from pierhead.core.errors import Misconfigured

if TYPE_CHECKING:
    from pierhead.bootstrap.local_mesh import LocalMesh

_MODULE: Final = "pierhead.apps.cli"
_CHANCES: Final = 1_000_000
#: Beyond the drain, before a process is killed.
GRACE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything `up` works with. `servers` are the children by server name."""

    settings: Settings
    fleet: Fleet
    running: Running
    registry: Child
    gateway: Child
    servers: Mapping[str, Child]
    supervisor: Supervisor
    following: Following
    client: InternalClient
    reporting: Reporting
    mesh: "LocalMesh | None"

    def everyone(self) -> Mapping[str, Place]:
        """Where every server says how it is, by its name."""
        children = {**self.servers, **self.following.children()}
        here = {name: Place(child.port, child.ready_path) for name, child in children.items()}
        return {**here, **self.following.elsewhere()}


def demo_fleet() -> Path:
    """The fleet file that ships with the package."""
    return Path(str(files("pierhead.bootstrap.demo") / "fleet.yaml"))


def prepare_demo(data: Path, talk: Talk | None = None) -> None:
    """Make what the demo fleet reads, if it is not there. Errors: Misconfigured."""
    prepare_directory(data)
    ensure_warehouse(data, lambda reason: talk("warehouse data", "building", reason) if talk else None)


def platform(resolved: Resolved, fleet_path: Path | None, talk: Talk, *, mesh: bool) -> Platform:
    """Check everything, make what is missing, start nothing. `mesh`: behind Envoy, under its address.

    `talk(name, state, reason)` hears of progress and of every change of a process.
    Errors: Misconfigured; Invalid (`policy-case-failed`); before anything was started.
    """
    settings = resolved.settings
    _require_no_peers(settings)
    data = settings.platform.data.resolve()
    path = (fleet_path or demo_fleet()).resolve()
    fleet = fleet_file.load(path, data)
    prepare_directory(data)
    lock = hold(data)
    local = _local(settings, fleet) if mesh else None
    settings = local.settings if local else settings
    _require_ports(settings, local)
    keys = Keys.at(data)
    ours = tuple(name for name, server in fleet.servers.items() if not server.place)
    with _database_made_aside(resolved, data):
        keys.ensure_lightly(ours)
        if fleet_path is None:
            prepare_demo(data, talk)
    if fleet.tests:
        require_good(judged_fleet(fleet))
    ports = free_ports(len(ours) + 1)
    children = _Children(settings, resolved.file, data, path, f"http://127.0.0.1:{ports[0]}", local)
    client = InternalClient(children.registry_url, keys.read("internal.key"))
    reporting = Reporting(client, talk)
    supervisor = Supervisor(reporting.report, _chance, (lock,))
    return Platform(
        settings=settings,
        fleet=fleet,
        running=_running(settings, children.registry_url, path, local),
        registry=children.registry(ports[0]),
        gateway=children.gateway(),
        servers={name: children.server(name, port) for name, port in zip(ours, ports[1:], strict=True)},
        supervisor=supervisor,
        following=Following(
            client,
            supervisor,
            keys,
            children.registered,
            reporting.report,
            settings.shutdown.drain_s + GRACE_S,
            settings.registry.guest_rules.allowed_hosts,
        ),
        client=client,
        reporting=reporting,
        mesh=local,
    )


@contextmanager
def _database_made_aside(resolved: Resolved, data: Path) -> Generator[None]:
    """Make the first database meanwhile, in a process of its own: what does it would stay in the registry's memory.

    Whatever keeps it from that, the registry meets it again at its start, and says it.
    """
    if resolved.settings.database.url.get_secret_value() or (data / "pierhead.db").exists():
        yield
        return
    config = ("--config", str(resolved.file)) if resolved.file else ()
    command = [sys.executable, "-m", _MODULE, "db", "upgrade", "--data", str(data), *config]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet):  # noqa: S603 - ours
        yield


def _require_no_peers(settings: Settings) -> None:
    """Errors: Misconfigured."""
    if settings.peers.are_used:
        message = "the section peers is set, and `pierhead up` runs everything on this machine's loopback"
        raise Misconfigured(message, hint="leave it out, or start each program: pierhead run", code="bad-setting")


def _local(settings: Settings, fleet: Fleet) -> "LocalMesh":
    """Errors: Misconfigured."""
    from pierhead.bootstrap.local_mesh import local_mesh  # noqa: PLC0415 - what signs certificates is heavy

    return local_mesh(settings, fleet)


def _require_ports(settings: Settings, mesh: "LocalMesh | None") -> None:
    """Errors: Misconfigured (`in-use`)."""
    place, envoy = settings.platform, settings.mesh
    bound(place.host, place.port).close()
    more = (envoy.envoy_port, envoy.envoy_admin_port) if mesh else ()
    for port in (place.diagnostics_port, *more):
        bound("127.0.0.1", port).close()


def _running(settings: Settings, registry_url: str, fleet: Path, mesh: "LocalMesh | None") -> Running:
    place, trust = settings.platform, str(mesh.trust) if mesh else ""
    diagnostics = f"http://127.0.0.1:{place.diagnostics_port}"
    return Running(place.url, registry_url, diagnostics, str(fleet), os.getpid(), trust)


@dataclass(frozen=True, slots=True)
class _Children:
    """How each role is started: `pierhead run ROLE`, with the settings that this process resolved."""

    settings: Settings
    config: Path | None
    data: Path
    fleet: Path
    registry_url: str
    mesh: "LocalMesh | None"

    def registry(self, port: int) -> Child:
        return self._child("registry", ("registry",), ("--fleet", str(self.fleet), "--port", str(port)), port)

    def gateway(self) -> Child:
        place = self.settings.platform
        flags = ("--registry", self.registry_url, "--port", str(place.port), "--host", place.host)
        diagnostics = ("--diagnostics-port", str(place.diagnostics_port))
        mesh = ("--mesh-settings", str(self.mesh.settings_file)) if self.mesh else ()
        return self._child("gateway", ("gateway",), (*flags, *diagnostics, *mesh), place.diagnostics_port)

    def server(self, name: str, port: int) -> Child:
        flags = ("--fleet", str(self.fleet), "--registry", self.registry_url, "--port", str(port))
        return self._child(f"{PREFIX}{name}", ("server", name), flags, port)

    def registered(self, name: str, port: int) -> Child:
        """The registry has its entry, and no file."""
        return self._child(
            f"{PREFIX}{name}", ("server", name), ("--registry", self.registry_url, "--port", str(port)), port
        )

    def _child(self, name: str, role: tuple[str, ...], flags: tuple[str, ...], port: int) -> Child:
        common = ("--data", str(self.data), "--public-url", self.settings.platform.url, "--supervised")
        config = ("--config", str(self.config)) if self.config else ()
        argv = (sys.executable, "-m", _MODULE, "run", *role, *flags, *common, *config)
        return Child(name, argv, port, "/healthz", self.data / "logs" / f"{name}.log")


def _chance() -> float:
    return secrets.randbelow(_CHANCES) / _CHANCES
