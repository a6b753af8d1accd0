"""A real Envoy on loopback, run from a rendered configuration, and clients with certificates of a local authority."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from tests.components import envoy
from tests.rigs.gateway import WallClock
from tests.rigs.mesh import DOMAIN, mesh

from pierhead.adapters.local_authority import Authority, Svid, write_secrets
from pierhead.bootstrap.mesh_settings import MeshSettings
from pierhead.bootstrap.settings import read_settings
from pierhead.bootstrap.wire_mesh import gateway_configuration
from pierhead.core.reach import Row

GATEWAY = f"spiffe://{DOMAIN}/pierhead/gateway"
READY_S = 30


@dataclass
class Certificates:
    """One authority, and what it signed, in files under `folder`."""

    folder: Path
    authority: Authority = field(default_factory=lambda: Authority.new(DOMAIN, WallClock()))

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        write_secrets(self.folder, self.authority.svid(GATEWAY, ["127.0.0.1", "localhost"]), self.authority.bundle)
        (self.folder / "trust.pem").write_text(self.authority.bundle)

    def context(self, spiffe_id: str = "", authority: Authority | None = None) -> ssl.SSLContext:
        """How a client speaks TLS here: with the certificate of that workload, or without one."""
        context = ssl.create_default_context(cadata=self.authority.bundle)
        if spiffe_id:
            _load(context, self.folder, (authority or self.authority).svid(spiffe_id))
        return context

    def client(self, spiffe_id: str = "", authority: Authority | None = None) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(verify=self.context(spiffe_id, authority), timeout=60, trust_env=False)


def _load(context: ssl.SSLContext, folder: Path, svid: Svid) -> None:
    pair = folder / "client.pem"
    pair.write_text(svid.certificate + svid.key)
    context.load_cert_chain(pair)


def meshed_by(folder: Path, port: int, admin_port: int, authz_s: float = 30) -> MeshSettings:
    """The settings of a mesh behind an Envoy on that port; patient, for a machine may be busy."""
    return mesh(
        folder,
        sidecar=f"unix:{folder}/sidecar.sock",
        authz=f"unix:{folder}/authz.sock",
        envoy_port=port,
        envoy_admin_port=admin_port,
        secrets=folder / "secrets",
        authz_timeout_s=authz_s,
    )


def configured(setting: MeshSettings, opened: Mapping[str, tuple[Row, ...]]) -> dict[str, Any]:
    """What is rendered for the gateway's Envoy of that mesh, under these rows."""
    url = f"https://127.0.0.1:{setting.envoy_port}"
    settings = read_settings({("platform", "public_url"): url}, None, {}).settings
    return gateway_configuration(settings.model_copy(update={"mesh": setting}), opened)


def validate(configuration: Mapping[str, Any], folder: Path) -> str:
    """What Envoy finds wrong with a configuration; nothing if it accepts it."""
    file = folder / "validated.json"
    file.write_text(json.dumps(configuration))
    command = [envoy(), "--mode", "validate", "-c", file, "-l", "warn"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 and "deprecated" not in done.stderr else done.stderr[-2000:]


@asynccontextmanager
async def running(configuration: Mapping[str, Any], folder: Path) -> AsyncGenerator[Path]:
    """Envoy, once it says that it is live; its log."""
    file, log = folder / "envoy.json", folder / "envoy.log"
    file.write_text(json.dumps(configuration))
    command = [envoy(), "-c", file, "--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"]
    admin = configuration["admin"]["address"]["socket_address"]["port_value"]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, start_new_session=True)
    try:
        await _live(admin, process, log)
        yield log
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _live(admin: int, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(READY_S), httpx2.AsyncClient(trust_env=False) as client:
        while True:
            assert process.returncode is None, log.read_text()  # noqa: ASYNC240 - the test is over
            try:
                if (await client.get(f"http://127.0.0.1:{admin}/ready")).text.strip() == "LIVE":
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.02)
