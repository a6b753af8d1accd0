"""Listeners, TLS and clusters of Envoy, with the limits that an edge needs.

Buffers of 32 KiB, bounded connections, requests and heap: what one client can cost is a number. Certificates and trust
come from files that are replaced by rename, so that a new SVID needs no restart.
"""

from pathlib import Path
from typing import Final

from pierhead.adapters.envoy.shape import Shape, extension, typed

_BUFFER_BYTES: Final = 32 * 1024
_HEAP_BYTES: Final = 1024**3
_MOST_CONNECTIONS: Final = 10_000
_AT_ONCE: Final = 1000
_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def address(host: str, port: int) -> Shape:
    return {"socket_address": {"address": host, "port_value": port}}


def listener(host: str, port: int, manager: Shape, tls: Shape) -> Shape:
    """One port; a client has ten seconds for its handshake."""
    return {
        "name": "front",
        "address": address(host, port),
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "filter_chains": [{"filters": [manager], "transport_socket": tls, "transport_socket_connect_timeout": "10s"}],
    }


def tls(secrets: Path, only: str = "") -> Shape:
    """Our certificate, and a client's that the bundle signed: of `only` that SPIFFE ID; of anybody or none, if empty.

    A demand on its URI would make every client show one (Envoy then asks for it always), and people have none: before
    the gateway the rules name the workloads.
    """
    needed = {"match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": only}}]}
    return extension(
        "transport_sockets.tls.v3.DownstreamTlsContext",
        require_client_certificate=bool(only),
        common_tls_context={
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificate_sds_secret_configs": [_secret("svid", secrets)],
            "combined_validation_context": {
                "default_validation_context": needed if only else {},
                "validation_context_sds_secret_config": _secret("trust", secrets),
            },
        },
    )


def _secret(name: str, folder: Path) -> Shape:
    source = {"path": str(folder / f"{name}.json"), "watched_directory": {"path": str(folder)}}
    return {"name": name, "sds_config": {"path_config_source": source, "resource_api_version": "V3"}}


def cluster(name: str, place: str) -> Shape:
    """One upstream over HTTP/1.1; connections end before Pierhead would close them."""
    limits = {"max_connections": _AT_ONCE, "max_pending_requests": _AT_ONCE, "max_requests": _AT_ONCE}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _endpoint(place)}}]}]
    options = typed(
        "upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config={"http_protocol_options": {}},
        common_http_protocol_options={"idle_timeout": "60s"},
    )
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "circuit_breakers": {"thresholds": [limits]},
        "typed_extension_protocol_options": {_HTTP_OPTIONS: options},
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
    }


def _endpoint(place: str) -> Shape:
    if place.startswith("unix:"):
        return {"pipe": {"path": place.removeprefix("unix:")}}
    host, _, port = place.rpartition(":")
    return address(host, int(port))


def overload() -> Shape:
    """Memory and connections are bounded; near the bound, requests are refused rather than the process lost."""
    heap = extension("resource_monitors.fixed_heap.v3.FixedHeapConfig", max_heap_size_bytes=_HEAP_BYTES)
    connections = typed(
        "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=_MOST_CONNECTIONS,
    )
    bound = {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": connections}
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [heap, bound],
        "actions": [
            _action("shrink_heap", 0.95),
            _action("stop_accepting_requests", 0.98),
        ],
    }


def _action(name: str, at: float) -> Shape:
    trigger = {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": at}}
    return {"name": f"envoy.overload_actions.{name}", "triggers": [trigger]}
