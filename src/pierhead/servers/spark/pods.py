"""What became of an application's containers, from copies: pods and their events as Kubernetes gives them in JSON, the
report on an application as YARN's ResourceManager gives it (`/ws/v1/cluster/apps/ID`).

Copies are made while things happen: Kubernetes forgets events within the hour. A file holds one object, a list, or one
object a line. Not here: making the copies, judging.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

import orjson

from pierhead.sdk.failure_rules import Fact, fact_of

Thing = Mapping[str, Any]

_MOST_FILES: Final = 2_000
_LARGEST: Final = 16 * 2**20
_APPLICATION: Final = ("spark-app-selector", "spark-app-id")
_NAMES: Final = ("sparkoperator.k8s.io/app-name", "spark-app-name", "app.kubernetes.io/instance")
_ENDED_WELL: Final = frozenset({0})
#: Executors are ended by their driver, or with it: that they were says nothing.
_ENDED_BY_OTHERS: Final = frozenset({143})
_TOLD: Final = ("Evict", "Preempt", "OOM", "Kill", "Fail", "BackOff", "NodeNotReady", "Taint", "ErrImage")
_SOURCE: Final = "pods"
_ENDED_BADLY: Final = frozenset({"FAILED", "KILLED"})
_LONGEST_REPORT: Final = 4_000
_LONGEST: Final = 400
#: Since Hadoop 3: "is running 52428800B beyond the 'PHYSICAL' memory limit".
_BEYOND: Final = re.compile(r"beyond the '(PHYSICAL|VIRTUAL)' memory")


@dataclass(slots=True)
class Pods:
    """The facts, and the names of the pods, which logs may be named after; YARN's application has its own."""

    facts: list[Fact] = field(default_factory=list[Fact])
    names: list[str] = field(default_factory=list[str])

    @property
    def is_found(self) -> bool:
        return bool(self.names)


def pods_of(folders: Sequence[Path], application: str) -> Pods:
    """What is copied of the pods of one application, by its labels or by a pod's name. Errors: OSError."""
    found, events = Pods(), list[Thing]()
    roles: dict[str, str] = {}
    for thing in _things(folders):
        report = thing.get("app")
        if isinstance(report, dict):
            told = cast("Thing", report)
            if told.get("id") == application:
                found.names.append(application)
                found.facts += _of_yarn(told)
        elif thing.get("kind") == "Event" or "involvedObject" in thing:
            events.append(thing)
        elif _is_of(thing, application):
            name, role = _name(thing), _role(thing)
            roles[name] = role
            found.names.append(name)
            found.facts += _of_pod(thing, name, role)
    for event in events:
        name = str(event.get("involvedObject", {}).get("name", ""))
        if name in roles:
            found.facts += _of_event(event, name, roles[name])
    return found


def _things(folders: Sequence[Path]) -> Iterator[Thing]:
    files = sorted(each for folder in folders for each in folder.glob("**/*.json*") if not each.is_symlink())
    for file in files[:_MOST_FILES]:
        if file.stat().st_size <= _LARGEST:
            yield from _parsed(file.read_bytes())


def _parsed(content: bytes) -> Iterator[Thing]:
    try:
        wholes: list[object] = [orjson.loads(content)]
    except orjson.JSONDecodeError:
        wholes = [_line(line) for line in content.splitlines()]
    for whole in wholes:
        if isinstance(whole, dict):
            thing = cast("Thing", whole)
            items = thing.get("items")
            yield from (cast("list[Thing]", items) if isinstance(items, list) else [thing])


def _line(line: bytes) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _is_of(pod: Thing, application: str) -> bool:
    labels = _labels(pod)
    if any(labels.get(label) == application for label in (*_APPLICATION, *_NAMES)):
        return True
    return _name(pod) in {application, f"{application}-driver"}


def _name(thing: Thing) -> str:
    return str(thing.get("metadata", {}).get("name", ""))


def _labels(pod: Thing) -> Thing:
    return cast("Thing", pod.get("metadata", {}).get("labels") or {})


def _role(pod: Thing) -> str:
    role = str(_labels(pod).get("spark-role", ""))
    return role or ("executor" if "-exec-" in _name(pod) else "driver")


def _of_pod(pod: Thing, name: str, role: str) -> Iterator[Fact]:
    status = pod.get("status", {})
    if status.get("reason"):
        words = f"{role} {name} {status['reason']}: {status.get('message', '')}"
        yield from _told(words, str(status.get("startTime", "")))
    for container in status.get("containerStatuses") or ():
        for state in (container.get("state", {}), container.get("lastState", {})):
            ended, waits = state.get("terminated"), state.get("waiting")
            if ended and not _says_nothing(ended, role):
                words = f"{role} {name} {ended.get('reason', '')}, exit code {ended.get('exitCode')}"
                yield from _told(f"{words} {ended.get('message') or ''}".strip(), str(ended.get("finishedAt", "")))
            if waits:
                yield from _told(f"{role} {name} {waits.get('reason', '')}: {waits.get('message', '')}", "")


def _says_nothing(ended: Thing, role: str) -> bool:
    code = ended.get("exitCode")
    return code in _ENDED_WELL or (role == "executor" and code in _ENDED_BY_OTHERS)


def _of_event(event: Thing, name: str, role: str) -> Iterator[Fact]:
    reason = str(event.get("reason", ""))
    if reason != "Killing" and reason.startswith(_TOLD):
        at = str(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or "")
        yield from _told(f"{role} {name} {reason}: {event.get('message', '')}", at)


def _of_yarn(report: Thing) -> Iterator[Fact]:
    """Its final state and its diagnostics, which YARN writes on several lines."""
    final, words = str(report.get("finalStatus", "")), " ".join(str(report.get("diagnostics", "")).split())
    if final in _ENDED_BADLY:
        at = float(report.get("finishedTime") or 0) / 1000
        line = f"driver {report['id']} {final}: {words}"[:_LONGEST_REPORT]
        plain = _BEYOND.sub(r"beyond \1 memory", line)
        fact = fact_of("container", plain, at, "yarn") or fact_of("driver", plain, at, "yarn", is_final=True)
        yield replace(fact, quote=line[:_LONGEST]) if fact else Fact("container", "", at, "yarn", line, is_final=True)


def _told(words: str, at: str) -> Iterator[Fact]:
    line = " ".join(words.split())[:400]
    fact = fact_of("container", line, _moment(at), _SOURCE)
    yield fact or Fact("container", "", _moment(at), _SOURCE, line)


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
