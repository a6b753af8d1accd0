"""The HTTP filters of Envoy, in the order they stand: limit, token, rules, Pierhead's own word, route.

What a client says of itself is taken away before the first of them. Not here: what the rules are (`rules`).
"""

from collections.abc import Sequence
from typing import Final

from pierhead.adapters.envoy.shape import Shape, extension, typed

PERSON: Final = "person"
"""Where the verified claims of a token lie, for the rules."""

CHANNEL: Final = "pierhead-channel"
"""The header in which a chat surface says what channel it speaks for."""

JWT: Final = "envoy.filters.http.jwt_authn"
_AUTHZ: Final = "envoy.filters.http.ext_authz"
_AUTHZ_PATH: Final = "/authz"
_USER: Final = "x-forwarded-user"
_CLAIMED: Final = (
    *("x-forwarded-user", "x-forwarded-groups", "x-forwarded-email", "x-user", "x-groups", "x-remote-user"),
    *("x-auth-user", "x-spiffe-id", "pierhead-assertion"),
)


def connection_manager(routes: Sequence[Shape], chain: Sequence[Shape]) -> Shape:
    """HTTP as an edge reads it: bounded, normalised, the peer's certificate in place of any that is claimed."""
    removed = [{"remove": name} for name in _CLAIMED]
    hosts = [{"name": "all", "domains": ["*"], "routes": list(routes)}]
    return extension(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="front",
        use_remote_address=True,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        forward_client_cert_details="SANITIZE_SET",
        set_current_client_cert_details={"uri": True, "cert": True},
        common_http_protocol_options={
            "idle_timeout": "900s",
            "max_connection_duration": "600s",  # who connected then shows a certificate of now
            "headers_with_underscores_action": "REJECT_REQUEST",
            "max_headers_count": 100,
        },
        http2_protocol_options={
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 64 * 1024,
            "initial_connection_window_size": 1024 * 1024,
        },
        max_request_headers_kb=32,
        request_headers_timeout="10s",
        request_timeout="30s",
        stream_idle_timeout="300s",
        early_header_mutation_extensions=[
            extension("http.early_header_mutation.header_mutation.v3.HeaderMutation", mutations=removed)
        ],
        route_config={"virtual_hosts": hosts},
        http_filters=list(chain),
    )


def route(prefix: str, *, asks: bool = True) -> Shape:
    """What begins so goes on, without a limit on its answer: streams last. `asks`: Pierhead is asked first."""
    unasked = {_AUTHZ: typed("filters.http.ext_authz.v3.ExtAuthzPerRoute", disabled=True)}
    way = {"match": {"prefix": prefix}, "route": {"cluster": "pierhead", "timeout": "0s"}}
    return way if asks else {**way, "typed_per_filter_config": unasked}


def rate_limit(requests_per_s: int) -> Shape:
    """So many requests a second, whoever sends them; then 429."""
    always = {"default_value": {"numerator": 100}}
    bucket = {"max_tokens": requests_per_s, "tokens_per_fill": requests_per_s, "fill_interval": "1s"}
    return extension(
        "filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="front",
        token_bucket=bucket,
        filter_enabled=always,
        filter_enforced=always,
    )


def jwt(public_url: str, servers: Sequence[str]) -> Shape:
    """A token, where there is one, is good and for the very server it is sent to; 401 otherwise.

    No token is no fault here: a workload has none, and who has neither learns from Pierhead where to sign in.
    """
    provider = {
        "issuer": public_url,
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "forward": True,
        "payload_in_metadata": PERSON,
        "claim_to_headers": [{"header_name": _USER, "claim_name": "sub"}],
        "remote_jwks": {
            "http_uri": {"uri": f"{public_url}/oauth/jwks", "cluster": "pierhead", "timeout": "5s"},
            "cache_duration": "300s",
            "retry_policy": {"num_retries": 2},
        },
    }
    rules = [{"match": {"path": "/mcp"}, "requires": _token_for(f"{public_url}/mcp")}]
    for name in servers:
        needed = _token_for(f"{public_url}/mcp/{name}")
        rules.append({"match": {"path": f"/mcp/{name}"}, "requires": needed})
        rules.append({"match": {"prefix": f"/data/{name}/"}, "requires": needed})
    return extension("filters.http.jwt_authn.v3.JwtAuthentication", providers={PERSON: provider}, rules=rules)


def _token_for(audience: str) -> Shape:
    good = {"provider_and_audiences": {"provider_name": PERSON, "audiences": [audience]}}
    return {"requires_any": {"requirements": [good, {"allow_missing": {}}]}}


def rbac(policies: Shape) -> Shape:
    """What no policy allows is refused: 403."""
    return extension("filters.http.rbac.v3.RBAC", rules={"action": "ALLOW", "policies": policies})


def ext_authz(public_url: str, within_s: float) -> Shape:
    """Pierhead's word on layer 1, or a refusal when it does not come in time."""
    asked = ("authorization", "x-forwarded-client-cert", "pierhead-workload-token", CHANNEL, "user-agent")
    told = ("www-authenticate", "content-type")
    return extension(
        "filters.http.ext_authz.v3.ExtAuthz",
        transport_api_version="V3",
        failure_mode_allow=False,
        validate_mutations=True,
        status_on_error={"code": "ServiceUnavailable"},
        allowed_headers={"patterns": [{"exact": name} for name in asked]},
        http_service={
            "server_uri": {"uri": public_url, "cluster": "authz", "timeout": f"{within_s:.3f}s"},
            "path_prefix": _AUTHZ_PATH,
            "authorization_response": {"allowed_client_headers": {"patterns": [{"exact": name} for name in told]}},
        },
    )


def router() -> Shape:
    return extension("filters.http.router.v3.Router")
