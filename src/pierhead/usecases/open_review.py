"""The review of a version, as it begins: what is bound, which gates apply, and how long each has.

Above: `advance_server` (somebody submits), `trust_fleet` (the operator vouches). Not here: deciding (`sign_off`).
"""

from pierhead.core.definitions import gravest
from pierhead.core.review import Review, due_at, required_gates, stricter
from pierhead.usecases.ports_catalogue import Entry, Version
from pierhead.usecases.read_reviews import changes_between
from pierhead.usecases.registry_desk import RegistryDesk


def open_review(entry: Entry, version: Version, before: Version | None, by: str, desk: RegistryDesk) -> Review:
    """A new review of `version`, which would follow `before`; a risk that either declares counts.

    Errors: Invalid (`bad-entry`), for a document that can no longer be read.
    """
    now = desk.clock.now()
    risk = desk.declarations.read(entry.name, version.document).risk
    if before is not None:
        risk = stricter(risk, desk.declarations.read(entry.name, before.document).risk)
    changes = changes_between(before, version)
    required = required_gates(risk, version.manifest.tools, changes)
    owner = version.document.get("owner")
    return Review(
        id=desk.ids.new(),
        binding=version.binding,
        change=gravest(*changes),
        submitted_by=by,
        submitted_at=now,
        required=required,
        due_at=due_at(required, now, desk.review_days),
        sign_offs=(),
        comments=(),
        closed_at=None,
        lock=0,
        registered_by=entry.by,
        owner=owner if isinstance(owner, str) else "",
    )
