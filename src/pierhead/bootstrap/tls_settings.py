"""The section `tls`: Pierhead's own certificate on the public port, and whose client certificates are taken there.

Everything is off until it is said; what is said in part does not start. Not here: Envoy's certificates (`mesh`).
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from pierhead.core.errors import Misconfigured


class TlsSettings(BaseModel):
    """TLS that the gateway terminates itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate: Path | None = Field(None, description="the gateway's certificate with its chain, PEM; empty: no TLS")
    key: Path | None = Field(None, description="its key, PEM")
    bundle: Path | None = Field(
        None, description="X.509 bundle of mesh.trust_domain, PEM: workloads may show SVIDs; empty: none is asked for"
    )


def refuse_half_tls(tls: TlsSettings, public_url: str, trust_domain: str) -> None:
    """Errors: Misconfigured (`half-secured`)."""
    faults = {
        "tls.certificate and tls.key belong together": (tls.certificate is None) == (tls.key is None),
        "tls.bundle is set, but tls.certificate is not": tls.bundle is None or tls.certificate is not None,
        "tls.bundle is set, but mesh.trust_domain is not": tls.bundle is None or bool(trust_domain),
        "tls.certificate is set, but platform.public_url is no https URL": tls.certificate is None
        or public_url.startswith("https://"),
    }
    for fault, is_right in faults.items():
        if not is_right:
            raise Misconfigured(fault, hint="see docs/how-to/terminate-tls.md", code="half-secured")
