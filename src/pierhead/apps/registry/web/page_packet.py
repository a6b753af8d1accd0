"""What was handed in with a version, a section for each part; what is missing is said to be missing.

What a submitter hands in is theirs: counts are what their report says, and only a signature is checked by us. Not here:
what would be signed and how it differs (`page_review`), keeping and reading parts (`usecases/keep_packet`).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import htpy as h
from starlette.requests import Request
from starlette.responses import Response

from pierhead.apps.registry.packet_files import file_headers
from pierhead.apps.registry.web.parts import (
    Column,
    Tone,
    badge,
    count,
    empty,
    facts,
    folded,
    moment,
    notice,
    table,
    titled,
    to,
    visible,
)
from pierhead.apps.registry.web.shapes import Shape
from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.apps.registry.web.view_review import ExactTool, PacketView, ReviewView, reviewed_part
from pierhead.core.errors import NotFound
from pierhead.core.packet import Bill, Part, PartKind, Report, Scan, Statement
from pierhead.core.token_weight import METHOD
from pierhead.usecases.read_packet import Signed

_HEADS: Final = {
    PartKind.TESTS: "Tests",
    PartKind.EVALS: "Evaluations",
    PartKind.SBOM: "Bill of materials",
    PartKind.SIGNATURE: "Signature",
    PartKind.SCAN: "Scan",
}
_OVER: Final = {"tools": "the tools", "entry": "the entry", "program": "the program that is run"}


async def packet_file(site: Site, viewer: Viewer, request: Request) -> Response:
    """A file that somebody handed in: to be kept, never to be shown by the browser. Errors: NotFound."""
    wanted = str(request.path_params["part"])
    if wanted not in set(PartKind):
        raise NotFound("a packet has no such part", hint=f"one of {', '.join(PartKind)}")
    kind = PartKind(wanted)
    version, content = await reviewed_part(site, viewer, str(request.path_params["id"]), kind)
    return Response(content, 200, dict(file_headers(version, kind)))


def packet_section(view: ReviewView) -> h.Node:
    """Every part there could be, each with what it says."""
    packet = view.packet
    return titled(
        "Handed in with it",
        h.p(class_="quiet")["By the submitter. Counts are what the reports say; signatures are checked here."],
        notice(Tone.BAD, "Changed.", "A part was replaced after this review was opened.") if packet.is_other else None,
        *(_part(view, kind) for kind in PartKind),
        identity="packet",
    )


def _part(view: ReviewView, kind: PartKind) -> h.Element:
    found = view.packet.packet.part(kind)
    if found is None:
        return h.section(class_="tool stack")[
            h.div(class_="row")[h.h3[_HEADS[kind]], badge("Not provided", Shape.DASH, Tone.FLAT)]
        ]
    said, label = _said(found, view.packet.packet.signed)
    return h.section(class_="tool stack")[
        h.div(class_="row")[h.h3[_HEADS[kind]], label],
        h.p[said],
        folded("The file", _file(view, found)),
    ]


def _file(view: ReviewView, part: Part) -> h.Node:
    place = f"/reviews/{view.line.id}/packet/{part.kind}"
    return facts(
        [
            ("Size", f"{part.size:,} bytes"),
            ("SHA-256", h.code[part.digest]),
            ("Handed in", [h.bdi[visible(part.by)], " ", moment(part.at, view.now)]),
            ("Download", to(place, f"{_HEADS[part.kind]} as handed in") if view.packet.may_keep else "for reviewers"),
        ]
    )


def _said(part: Part, signed: Signed | None) -> tuple[h.Node, h.Element]:
    """In a sentence, and as a mark."""
    match part.told:
        case Report() as report:
            return _report(report)
        case Bill() as bill:
            of = [" of ", h.bdi[visible(bill.subject)]] if bill.subject else ""
            said = [count(bill.components, "component", "components"), of, f", CycloneDX {bill.spec}."]
            return said, badge("Readable", Shape.CHECK, Tone.FLAT)
        case Scan() as scan:
            return _scan(scan)
        case Statement():
            return _signature(signed)


def _report(report: Report) -> tuple[h.Node, h.Element]:
    passed = report.cases - report.failed - report.skipped
    ended = f"{max(passed, 0):,} passed, {report.failed:,} failed, {report.skipped:,} skipped"
    said = f"{count(report.cases, 'case', 'cases')}: {ended}."
    if report.passes:
        return said, badge("Passes", Shape.CHECK, Tone.GOOD)
    return said, badge("Does not pass", Shape.CROSS, Tone.BAD)


def _scan(scan: Scan) -> tuple[h.Node, h.Element]:
    found = f": {count(scan.errors, 'error', 'errors')}, {count(scan.warnings, 'warning', 'warnings')}, "
    said = [h.bdi[visible(scan.scanners)], found, f"{count(scan.notes, 'note', 'notes')}."]
    if scan.errors:
        return said, badge("Found errors", Shape.CROSS, Tone.BAD)
    is_clean = not scan.warnings
    return said, badge(
        "No errors", Shape.CHECK if is_clean else Shape.EXCLAMATION, Tone.GOOD if is_clean else Tone.WAIT
    )


def _signature(signed: Signed | None) -> tuple[h.Node, h.Element]:
    if signed is None or not signed.is_verified:
        why = signed.why_not if signed else "it cannot be read"
        key = [" It was made by the key ", h.code[visible(signed.key)], "."] if signed and signed.key else ""
        return [f"Not verified: {why}.", key], badge("Not verified", Shape.EXCLAMATION, Tone.BAD)
    over = " and ".join(_OVER[each] for each in signed.over)
    said = ["Verified by the key ", h.code[visible(signed.key)], f", over {over}."]
    return said, badge("Verified", Shape.CHECK, Tone.GOOD)


def egress_section(hosts: Sequence[str]) -> h.Node:
    """Where the server sends data, as its owner declares it."""
    shown = h.ul[(h.li[h.code[visible(host)]] for host in hosts)] if hosts else empty("No host is declared.")
    return titled("Hosts that it sends data to", shown, identity="egress")


def token_section(tools: Iterable[ExactTool], before: PacketView) -> h.Node:
    """What each tool costs every client that lists it, and cost before."""
    kept = sorted(tools, key=lambda tool: -tool.tokens)
    heads = [Column("Tool"), Column("Tokens", is_number=True), Column("Before", is_number=True)]
    rows: list[list[h.Node]] = [
        [h.code[visible(tool.name)], f"{tool.tokens:,}", _before(before, tool.name)] for tool in kept
    ]
    total, earlier = sum(tool.tokens for tool in kept), sum(before.tokens_before.values())
    rows.append([h.strong["All of them"], f"{total:,}", f"{earlier:,}" if before.tokens_before else "none"])
    told = f"What every client pays for in every conversation ({METHOD})."
    return titled("Tokens", h.p(class_="quiet")[told], table("Tokens of each tool", heads, rows), identity="tokens")


def _before(before: PacketView, name: str) -> str:
    return f"{before.tokens_before[name]:,}" if name in before.tokens_before else "none"
