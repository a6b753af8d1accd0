"""What Kubernetes YAML breaks of the standard: pods (S36), the network (S37), the proxy beside a server (S38).

Read as it stands or as Helm renders it; nothing is applied. Above: `bootstrap/wire_check`. Not here: the image.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import yaml

from pierhead.core.standard import Breach, Evidence, Look
from pierhead.core.standard_rules import breach

_PODS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "ReplicaSet"})
_ENVOY: Final = re.compile(r"http_connection_manager|forward_client_cert_details|envoy", re.IGNORECASE)
_Form = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Resource:
    place: str
    kind: str
    form: _Form


def check_clusters(files: Mapping[str, str]) -> Evidence:
    """The evidence of the source K. Without a pod, a policy or a proxy, its rules stay unseen."""
    found: list[Breach] = []
    resources: list[_Resource] = []
    for name, text in files.items():
        try:
            resources += _resources(name, text)
        except yaml.YAMLError:
            found.append(breach("S36", f"{name}:1", "it is no YAML", "render it first"))
    pods = [each for each in resources if each.kind in _PODS]
    found += [each for pod in pods for each in _pod(pod)]
    found += _network(resources, pods)
    proxies = {name: text for name, text in files.items() if _ENVOY.search(text)}
    found += [each for name, text in proxies.items() for each in _proxy(name, text)]
    unlooked: dict[tuple[str, Look], str] = {}
    if not pods and not found:
        unlooked["S36", Look.CLUSTER] = unlooked["S37", Look.CLUSTER] = "no pods in these files"
    if not proxies:
        unlooked["S38", Look.CLUSTER] = "no proxy in these files"
    return Evidence(tuple(dict.fromkeys(found)), frozenset({Look.CLUSTER}), unlooked)


def _resources(name: str, text: str) -> Iterator[_Resource]:
    for node in yaml.compose_all(text, yaml.SafeLoader):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped
        if isinstance(node, yaml.MappingNode):
            form: _Form = cast("_Form", yaml.SafeLoader("").construct_document(node))  # pyright: ignore[reportUnknownMemberType] - untyped
            yield _Resource(f"{name}:{node.start_mark.line + 1}", str(form.get("kind", "")), form)


def _pod(resource: _Resource) -> Iterator[Breach]:
    spec = _spec(resource)
    at = resource.place
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield breach("S36", at, f"it shares {name} with its node")
    if any("hostPath" in volume for volume in _list(spec.get("volumes"))):
        yield breach("S36", at, "it mounts a folder of its node")
    if spec.get("automountServiceAccountToken") is not False:
        yield breach("S36", at, "it is given a token of the cluster", "automountServiceAccountToken: false")
    around = _map(spec.get("securityContext"))
    for container in [*_list(spec.get("containers")), *_list(spec.get("initContainers"))]:
        yield from _container(at, container, around)


def _container(at: str, container: _Form, around: _Form) -> Iterator[Breach]:
    own = _map(container.get("securityContext"))
    name = str(container.get("name", ""))[:60]
    profile = _map(own.get("seccompProfile") or around.get("seccompProfile")).get("type")
    wanted = {
        "runAsNonRoot: true": own.get("runAsNonRoot", around.get("runAsNonRoot")) is True,
        "readOnlyRootFilesystem: true": own.get("readOnlyRootFilesystem") is True,
        "allowPrivilegeEscalation: false": own.get("allowPrivilegeEscalation") is False,
        "capabilities: {drop: [ALL]}": "ALL" in (_map(own.get("capabilities")).get("drop") or ""),
        "seccompProfile: {type: RuntimeDefault}": profile in {"RuntimeDefault", "Localhost"},
        "privileged: false": not own.get("privileged"),
        "resources: {limits: ...}": {"cpu", "memory"} <= _map(_map(container.get("resources")).get("limits")).keys(),
    }
    lacking = [said for said, holds in wanted.items() if not holds]
    if lacking:
        yield breach("S36", at, f"the container {name!a} lacks {'; '.join(lacking)}")


def _spec(resource: _Resource) -> _Form:
    spec = _map(resource.form.get("spec"))
    if resource.kind == "CronJob":
        spec = _map(_map(spec.get("jobTemplate")).get("spec"))
    return spec if resource.kind == "Pod" else _map(_map(spec.get("template")).get("spec"))


def _map(value: object) -> _Form:
    return cast("_Form", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[_Form]:
    """The mappings of a list; whatever else stands in it says nothing."""
    return [_map(each) for each in cast("list[object]", value)] if isinstance(value, list) else []


def _network(resources: list[_Resource], pods: list[_Resource]) -> Iterator[Breach]:
    policies = [each for each in resources if each.kind == "NetworkPolicy"]
    if pods and not policies:
        yield breach("S37", pods[0].place, "no NetworkPolicy stands before it")
    for policy in policies:
        spec = _map(policy.form.get("spec"))
        if not all(each in (spec.get("policyTypes") or "") for each in ("Ingress", "Egress")):
            yield breach("S37", policy.place, "it says nothing of one direction", "policyTypes: [Ingress, Egress]")
        for way, peers, what in (("ingress", "from", "in everybody"), ("egress", "to", "out to anywhere")):
            for rule in _list(spec.get(way)):
                named = _list(rule.get(peers))
                if not named or any(_is_everywhere(each) for each in named):
                    yield breach("S37", policy.place, f"it lets {what}")


def _is_everywhere(peer: _Form) -> bool:
    block = _map(peer.get("ipBlock"))
    empty = any(key in peer and not peer[key] for key in ("podSelector", "namespaceSelector")) and len(peer) == 1
    return block.get("cidr") in {"0.0.0.0/0", "::/0"} or empty


def _proxy(name: str, text: str) -> Iterator[Breach]:
    wanted = {
        r"forward_client_cert_details:\s*SANITIZE(_SET)?\b": "it passes on certificates that others claim",
        r"use_remote_address:\s*true": "it believes X-Forwarded-For of anybody",
        r"headers_with_underscores_action:\s*REJECT_REQUEST": "it passes headers with underscores",
        r"normalize_path:\s*true": "it does not normalise paths",
        r"(stream_idle_timeout|request_headers_timeout|request_timeout):": "it waits for ever",
        r"per_connection_buffer_limit_bytes:": "it buffers without a bound",
    }
    for pattern, what in wanted.items():
        if not re.search(pattern, text):
            yield breach("S38", f"{name}:1", what)
    admin = re.search(r"^admin:(?:\n[ \t]+.*)*", text, re.MULTILINE)
    if admin and re.search(r"address:\s*[\"']?(0\.0\.0\.0|::)", admin[0]):
        line = text[: admin.start()].count("\n") + 1
        yield breach("S38", f"{name}:{line}", "its admin port is open to other machines")
