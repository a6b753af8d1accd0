"""The review of a version, as it begins: what is bound, which gates apply, and how long each has.

Above: `advance_server` (somebody submits), `trust_fleet` (the operator vouches). Not here: deciding (`sign_off`).
"""

from collections.abc import Sequence

from pierhead.core.definitions import ChangeClass, gravest
from pierhead.core.packet import Part, is_tested, packet_digest
from pierhead.core.review import Gate, Review, due_at, required_gates, rises, stricter
from pierhead.usecases.ports_catalogue import Entry, Version
from pierhead.usecases.read_reviews import changes_between
from pierhead.usecases.registry_desk import RegistryDesk


def open_review(
    entry: Entry, version: Version, before: Version | None, by: tuple[str, Sequence[Part]], desk: RegistryDesk
) -> Review:
    """A new review of `version`, which would follow `before`; a risk that either declares counts.

    Shapes: `by` is who submits it, and the packet that they handed in.
    Errors: Invalid (`bad-entry`), for a document that can no longer be read.
    """
    now, (submitter, packet) = desk.clock.now(), by
    required, changes = _required(entry, version, before, packet, desk)
    owner = version.document.get("owner")
    return Review(
        id=desk.ids.new(),
        binding=version.binding,
        change=gravest(*changes),
        submitted_by=submitter,
        submitted_at=now,
        required=required,
        due_at=due_at(required, now, desk.review_days),
        sign_offs=(),
        comments=(),
        closed_at=None,
        lock=0,
        registered_by=entry.by,
        owner=owner if isinstance(owner, str) else "",
        packet_digest=packet_digest(packet),
    )


def _required(
    entry: Entry, version: Version, before: Version | None, packet: Sequence[Part], desk: RegistryDesk
) -> tuple[frozenset[Gate], frozenset[ChangeClass]]:
    """The gates that apply, and the classes of what differs."""
    risk, changes = desk.declarations.read(entry.name, version.document).risk, changes_between(before, version)
    tested, tools = is_tested(packet), version.manifest.tools
    if before is None:
        return required_gates(risk, tools, changes, is_tested=tested), changes
    earlier = desk.declarations.read(entry.name, before.document).risk
    required = required_gates(stricter(risk, earlier), tools, changes, is_tested=tested)
    return required | ({Gate.LEGAL} if rises(earlier, risk) else set[Gate]()), changes
