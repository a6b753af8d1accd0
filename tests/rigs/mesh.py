"""A mesh for tests: registered workloads, keys of a trust bundle, and the header that a sidecar sends."""

import json
import time
from functools import cache
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from pierhead.bootstrap.mesh_settings import MeshSettings

DOMAIN = "corp.example"
CHAT = f"spiffe://{DOMAIN}/ns/chat/sa/assistant"
TRIAGE = f"spiffe://{DOMAIN}/ns/agents/sa/triage"
REPORT = f"spiffe://{DOMAIN}/ns/batch/sa/report"
STRANGER = f"spiffe://{DOMAIN}/ns/agents/sa/nobody"
FOREIGN = "spiffe://evil.example/ns/chat/sa/assistant"
DIGEST = "a1" * 32
WORKLOADS = {
    CHAT: {"surface": "chat", "environment": "production", "interactive": True},
    TRIAGE: {"surface": "agent", "environment": "production"},
    REPORT: {"surface": "agent", "environment": "experimental"},
}


@cache
def bundle_key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "svid-1"}, private=True)


def bundle(*keys: Any) -> bytes:
    entries = [{**key.as_dict(private=False), "use": "jwt-svid"} for key in (keys or (bundle_key(),))]
    return json.dumps({"keys": entries}).encode()


def mesh(folder: Path, **changes: Any) -> MeshSettings:
    """Settings of a mesh whose bundle lies in `folder`."""
    file = folder / "bundle.json"
    file.write_bytes(bundle())
    return MeshSettings(**{"trust_domain": DOMAIN, "bundle": file, "workloads": WORKLOADS, **changes})


def svid(subject: str, audience: Any, *, key: Any = None, header: Any = None, now: float = 0, **changes: Any) -> str:
    issued = int(now or time.time())
    claims = {"sub": subject, "aud": audience, "iat": issued, "exp": issued + 300, **changes}
    kept = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode(header or {"alg": "ES256", "kid": "svid-1"}, kept, key or bundle_key(), algorithms=["ES256"])


def forwarded(uri: str) -> str:
    """What Envoy says under SANITIZE_SET of a client with that certificate."""
    return f"By=spiffe://{DOMAIN}/pierhead/gateway;Hash={DIGEST};URI={uri}"
