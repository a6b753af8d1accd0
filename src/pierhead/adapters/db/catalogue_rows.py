"""Values of the catalogue as rows, and back. What is looked for is a column; the rest is one JSON document.

Not here: statements and transactions (`catalogue`).
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import RowMapping

from pierhead.core.catalog import Stage, Step
from pierhead.core.packet import Part, PartKind, told_from_form, told_to_form
from pierhead.core.review import Binding, ChangeClass, Comment, Gate, Review, SignOff, Verdict
from pierhead.usecases.ports_catalogue import Entry, Move, Origin, Version
from pierhead.usecases.wire_forms import manifest_from_form, manifest_to_form

Row = dict[str, Any]


def entry_to_row(entry: Entry) -> Row:
    return {
        "name": entry.name,
        "document": _text(entry.document),
        "origin": str(entry.origin),
        "made_by": entry.by,
        "made_at": entry.at,
        "current": entry.current,
        "lock": entry.lock + 1,
    }


def entry_from_row(row: RowMapping) -> Entry:
    return Entry(
        name=row["name"],
        document=orjson.loads(row["document"]),
        origin=Origin(row["origin"]),
        by=row["made_by"],
        at=row["made_at"],
        current=row["current"],
        lock=row["lock"],
    )


def version_to_row(version: Version) -> Row:
    document = {
        "manifest": manifest_to_form(version.manifest),
        "binding": asdict(version.binding),
        "entry": version.document,
        "conditions": version.conditions,
        "submitted_by": version.submitted_by,
        "moved_at": version.moved_at,
        "reason": version.reason,
        "message": version.message,
        "successor": version.successor,
        "sunset_at": version.sunset_at,
    }
    return {
        "server": version.server,
        "version": version.version,
        "stage": str(version.stage),
        "published_at": version.published_at,
        "document": _text(document),
        "lock": version.lock + 1,
    }


def version_from_row(row: RowMapping) -> Version:
    kept: Mapping[str, Any] = orjson.loads(row["document"])
    return Version(
        server=row["server"],
        version=row["version"],
        stage=Stage(row["stage"]),
        manifest=manifest_from_form(kept["manifest"]),
        binding=Binding(**kept["binding"]),
        submitted_by=kept["submitted_by"],
        published_at=row["published_at"],
        moved_at=kept["moved_at"],
        reason=kept["reason"],
        message=kept["message"],
        successor=kept["successor"],
        sunset_at=kept["sunset_at"],
        lock=row["lock"],
        document=kept["entry"],
        conditions=tuple(kept["conditions"]),
    )


def move_to_row(move: Move, number: int) -> Row:
    return {
        "server": move.server,
        "number": number,
        "version": move.version,
        "step": str(move.step),
        "source": str(move.source),
        "target": str(move.target),
        "moved_by": move.by,
        "moved_at": move.at,
        "reason": move.reason,
    }


def move_from_row(row: RowMapping) -> Move:
    return Move(
        server=row["server"],
        version=row["version"],
        step=Step(row["step"]),
        source=Stage(row["source"]),
        target=Stage(row["target"]),
        by=row["moved_by"],
        at=row["moved_at"],
        reason=row["reason"],
    )


def review_to_row(review: Review) -> Row:
    document = {
        "binding": asdict(review.binding),
        "change": str(review.change),
        "submitted_by": review.submitted_by,
        "required": sorted(review.required),
        "due_at": [[str(gate), due] for gate, due in review.due_at],
        "sign_offs": [asdict(made) for made in review.sign_offs],
        "comments": [asdict(said) for said in review.comments],
        "registered_by": review.registered_by,
        "owner": review.owner,
        "packet_digest": review.packet_digest,
    }
    return {
        "id": review.id,
        "server": review.binding.server,
        "submitted_at": review.submitted_at,
        "closed_at": review.closed_at,
        "document": _text(document),
        "lock": review.lock + 1,
    }


def review_from_row(row: RowMapping) -> Review:
    kept: Mapping[str, Any] = orjson.loads(row["document"])
    return Review(
        id=row["id"],
        binding=Binding(**kept["binding"]),
        change=ChangeClass(kept["change"]),
        submitted_by=kept["submitted_by"],
        submitted_at=row["submitted_at"],
        required=frozenset(Gate(gate) for gate in kept["required"]),
        due_at=tuple((Gate(gate), due) for gate, due in kept["due_at"]),
        sign_offs=tuple(_sign_off(made) for made in kept["sign_offs"]),
        comments=tuple(Comment(**said) for said in kept["comments"]),
        closed_at=row["closed_at"],
        lock=row["lock"],
        registered_by=kept["registered_by"],
        owner=kept["owner"],
        packet_digest=kept.get("packet_digest", ""),
    )


def _sign_off(made: Mapping[str, Any]) -> SignOff:
    return SignOff(
        gate=Gate(made["gate"]),
        verdict=Verdict(made["verdict"]),
        by=made["by"],
        at=made["at"],
        reason=made["reason"],
        conditions=tuple(made["conditions"]),
        evidence=tuple(made["evidence"]),
        expires_at=made["expires_at"],
        auth=made.get("auth", ""),
        waiver_owner=made.get("waiver_owner", ""),
    )


def part_to_row(part: Part, content: bytes) -> Row:
    return {
        "bound": part.bound,
        "kind": str(part.kind),
        "server": part.server,
        "version": part.version,
        "digest": part.digest,
        "size": part.size,
        "told": _text(told_to_form(part.told)),
        "made_by": part.by,
        "made_at": part.at,
        "content": content,
    }


def part_from_row(row: RowMapping) -> Part:
    kind = PartKind(row["kind"])
    return Part(
        bound=row["bound"],
        server=row["server"],
        version=row["version"],
        kind=kind,
        digest=row["digest"],
        size=row["size"],
        told=told_from_form(kind, orjson.loads(row["told"])),
        by=row["made_by"],
        at=row["made_at"],
    )


def _text(document: object) -> str:
    return orjson.dumps(document).decode()
