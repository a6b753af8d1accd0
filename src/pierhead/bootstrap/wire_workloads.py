"""Who verifies workloads, for gateway and registry alike. Not here: where each stands (`mesh_settings`)."""

from pathlib import Path
from typing import TYPE_CHECKING

from pierhead.bootstrap.mesh_settings import MeshSettings
from pierhead.usecases.ports import Clock

if TYPE_CHECKING:
    from pierhead.adapters.spiffe import Workloads


def workloads_of(mesh: MeshSettings, clock: Clock) -> "Workloads | None":
    """None where the settings name no trust domain: then no workload is anybody."""
    if not mesh.trust_domain:
        return None
    from pierhead.adapters.spiffe import Lives, Workloads  # noqa: PLC0415 - a registry without a mesh never needs it

    lives = Lives(mesh.svid_life_s, mesh.jwt_svid_life_s)
    return Workloads(mesh.trust_domain, mesh.registered, lambda: _bundle(mesh.bundle), clock, lives)


def _bundle(file: Path | None) -> bytes:
    """The trust bundle as it is now; without one no JWT-SVID is good. Errors: OSError."""
    return file.read_bytes() if file is not None else b'{"keys":[]}'
