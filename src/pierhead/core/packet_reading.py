"""What the JSON parts of a packet say: CycloneDX, SARIF, and the statement inside a DSSE envelope.

Each is a stranger's text: bounded, no member twice, and refused with the place of the first fault. Nothing of it is
believed but its counts; whether a signature holds is `usecases/read_packet`'s to ask. Pure. Not here: JUnit
(`packet_report`).
"""

import binascii
import json
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never, cast

from pierhead.core.errors import Invalid
from pierhead.core.packet import Bill, PartKind, Scan, Statement, Told, largest
from pierhead.core.packet_report import read_report

_SPEC: Final = re.compile(r"1\.([2-9]|\d\d)")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_STATEMENT: Final = "https://in-toto.io/Statement/"
IN_TOTO: Final = "application/vnd.in-toto+json"
_MOST: Final = 50_000
_DEEPEST: Final = 40
_MOST_SIGNATURES: Final = 10
_LONGEST_NAME: Final = 200
_LEVELS: Final = frozenset({"error", "warning", "note", "none"})
_HINTS: Final[Mapping[PartKind, str]] = {
    PartKind.SBOM: "write CycloneDX as JSON: cyclonedx-py environment --output-format JSON",
    PartKind.SCAN: "write SARIF 2.1.0: most scanners have --format sarif",
    PartKind.SIGNATURE: "sign an in-toto statement as a DSSE envelope; see docs/how-to/hand-in-a-packet.md",
}

_Form = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope: what was signed, and the signatures. `message` is the exact text that they are over."""

    message: bytes = field(repr=False)
    signatures: tuple[bytes, ...]
    statement: Statement


def read_part(kind: PartKind, content: bytes) -> Told:
    """What a part says. Errors: Invalid (`unreadable-part`, `part-too-large`)."""
    if len(content) > largest(kind):
        message = f"the {kind} has {len(content)} bytes; at most {largest(kind)} are taken"
        raise Invalid(message, hint="hand in a shorter one", code="part-too-large")
    match kind:
        case PartKind.TESTS | PartKind.EVALS:
            return read_report(content)
        case PartKind.SBOM:
            return _bill(_object(kind, content))
        case PartKind.SCAN:
            return _scan(_object(kind, content))
        case PartKind.SIGNATURE:
            return read_envelope(content).statement
        case _:
            assert_never(kind)


def read_envelope(content: bytes) -> Envelope:
    """Errors: Invalid (`unreadable-part`)."""
    kind = PartKind.SIGNATURE
    whole = _object(kind, content)
    if whole.get("payloadType") != IN_TOTO:
        raise _bad(kind, f"payloadType is not {IN_TOTO}")
    payload = _bytes(kind, whole.get("payload"), "payload")
    made = _objects(kind, whole, "signatures")
    if not 0 < len(made) <= _MOST_SIGNATURES:
        raise _bad(kind, f"signatures has {len(made)} members; 1 to {_MOST_SIGNATURES} are read")
    signatures = tuple(_bytes(kind, one.get("sig"), f"signatures[{at}].sig") for at, one in enumerate(made))
    message = b"DSSEv1 %d %b %d %b" % (len(IN_TOTO), IN_TOTO.encode(), len(payload), payload)
    return Envelope(message, signatures, _statement(_object(kind, payload)))


def _statement(form: _Form) -> Statement:
    kind = PartKind.SIGNATURE
    if not str(form.get("_type", "")).startswith(_STATEMENT):
        raise _bad(kind, f"the payload's _type does not begin with {_STATEMENT}")
    found: list[str] = []
    for at, subject in enumerate(_objects(kind, form, "subject")):
        digest = subject.get("digest")
        sha256 = cast("_Form", digest).get("sha256") if isinstance(digest, Mapping) else None
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise _bad(kind, f"subject[{at}].digest.sha256 is no SHA-256 in hex")
        found.append(sha256)
    return Statement(tuple(dict.fromkeys(found)))


def _bill(form: _Form) -> Bill:
    kind, spec = PartKind.SBOM, form.get("specVersion")
    if form.get("bomFormat") != "CycloneDX":
        raise _bad(kind, "bomFormat is not CycloneDX")
    if not isinstance(spec, str) or not _SPEC.fullmatch(spec):
        raise _bad(kind, f"specVersion {str(spec)[:20]!r} is none that is read (1.2 and later)")
    metadata = form.get("metadata")
    subject = cast("_Form", metadata).get("component") if isinstance(metadata, Mapping) else None
    named = _named(cast("_Form", subject)) if isinstance(subject, Mapping) else ""
    return Bill(named, spec, sum(1 for _ in _components(form, "", 0)))


def _components(form: _Form, place: str, depth: int) -> Iterator[_Form]:
    """Every component, those within others too."""
    if depth > _DEEPEST:
        raise _bad(PartKind.SBOM, f"components are nested deeper than {_DEEPEST}")
    for at, one in enumerate(_objects(PartKind.SBOM, form, "components", place)):
        here = f"{place}components[{at}]."
        for member in ("type", "name"):
            if not isinstance(one.get(member), str) or not one[member]:
                raise _bad(PartKind.SBOM, f"{here}{member} is missing")
        yield one
        yield from _components(one, here, depth + 1)


def _named(component: _Form) -> str:
    words = [str(component[member]) for member in ("name", "version") if isinstance(component.get(member), str)]
    return " ".join(words)[:_LONGEST_NAME]


def _scan(form: _Form) -> Scan:
    kind = PartKind.SCAN
    if form.get("version") != "2.1.0":
        raise _bad(kind, f"version {str(form.get('version'))[:20]!r} is not 2.1.0")
    runs = _objects(kind, form, "runs")
    if not runs:
        raise _bad(kind, "runs is empty: nothing was scanned")
    scanners, levels = list[str](), Counter[str]()
    for at, run in enumerate(runs):
        scanners.append(_scanner(run, at))
        levels.update(_level(result, at) for result in _objects(kind, run, "results", f"runs[{at}]."))
    named = ", ".join(dict.fromkeys(scanners))[:_LONGEST_NAME]
    return Scan(named, levels["error"], levels["warning"], levels["note"])


def _scanner(run: _Form, at: int) -> str:
    tool = run.get("tool")
    driver = cast("_Form", tool).get("driver") if isinstance(tool, Mapping) else None
    name = cast("_Form", driver).get("name") if isinstance(driver, Mapping) else None
    if not isinstance(name, str) or not name:
        raise _bad(PartKind.SCAN, f"runs[{at}].tool.driver.name is missing")
    return name


def _level(result: _Form, at: int) -> str:
    """As SARIF has it: what says nothing of itself is a warning."""
    level = result.get("level", "warning")
    if level not in _LEVELS:
        raise _bad(PartKind.SCAN, f"a result of runs[{at}] has the level {str(level)[:20]!r}")
    return str(level)


def _object(kind: PartKind, content: bytes) -> _Form:
    try:
        value: object = json.loads(content, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _bad(kind, "it is no JSON object, each member once")
    return cast("_Form", value)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def _objects(kind: PartKind, form: _Form, member: str, place: str = "") -> Sequence[_Form]:
    """A member that is a list of objects; none, if it is not there."""
    values = form.get(member, [])
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in cast("list[object]", values)):
        raise _bad(kind, f"{place}{member} is no list of objects")
    found = cast("list[_Form]", values)
    if len(found) > _MOST:
        raise _bad(kind, f"{place}{member} has more than {_MOST} members")
    return found


def _bytes(kind: PartKind, value: object, place: str) -> bytes:
    try:
        return b64decode(value, validate=True) if isinstance(value, str) and value else _none(kind, place)
    except (binascii.Error, ValueError):
        return _none(kind, place)


def _none(kind: PartKind, place: str) -> bytes:
    raise _bad(kind, f"{place} is no base64")


def _bad(kind: PartKind, why: str) -> Invalid:
    return Invalid(f"the {kind} cannot be read: {why}", hint=_HINTS[kind], code="unreadable-part")
