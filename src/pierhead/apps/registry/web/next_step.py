"""What comes next for a version that is on its way: told to those who answer for the server, where they look first.

Above: `page_server`. Not here: the forms that take a step (`page_versions`), who may take it (`usecases/rights`).
"""

from collections.abc import Sequence

import htpy as h

from pierhead.apps.registry.web.parts import GATES, Tone, notice, to, visible
from pierhead.apps.registry.web.view_versions import ReviewLine, VersionsView
from pierhead.core.catalog import Stage
from pierhead.core.review import GateState

_WAITS = frozenset({GateState.PENDING, GateState.EXPIRED})


def next_step(view: VersionsView) -> h.Node:
    """The step that the newest version waits for; nothing for those who cannot take it, and where nothing waits."""
    if not view.may_publish:
        return None
    if not view.lines:
        sentence = "Once it runs and shows its tools, make a version of them; then submit that for review."
        return notice(Tone.NOTE, "Next: a version.", sentence, to("#versions", "Make one"))
    newest = view.lines[0]
    version = visible(newest.version)
    match newest.stage:
        case Stage.REGISTERED:
            return notice(Tone.NOTE, "Next: a review.", f"Submit version {version}.", to("#versions", "Submit it"))
        case Stage.REJECTED:
            reason = visible(newest.reason).rstrip(".")
            sentence = f"Version {version} was sent back: {reason}. Mend it, then submit it again."
            return notice(Tone.WAIT, "Next: another try.", sentence, to("#versions", "Its versions"))
        case Stage.IN_REVIEW:
            return _waiting(newest.version, view.reviews)
        case Stage.APPROVED:
            sentence = f"Every gate signed version {version}; clients get it when you deploy it."
            return notice(Tone.NOTE, "Next: deploy it.", sentence, to("#versions", "Deploy it"))
        case _:
            return None


def _waiting(version: str, reviews: Sequence[ReviewLine]) -> h.Node:
    """Whom it waits for: reviewers, or its owner, where one of them asked for changes."""
    review = next((each for each in reviews if each.version == version and each.closed_at is None), None)
    if review is None:
        return None
    asked = [GATES[gate.gate] for gate in review.gates if gate.state is GateState.CHANGES_REQUESTED]
    if asked:
        sentence = f"{' and '.join(asked)} asked for changes to version {visible(version)}."
        return notice(Tone.WAIT, "Next: changes.", sentence, to(f"/reviews/{review.id}", "What they said"))
    missing = [GATES[gate.gate] for gate in review.gates if gate.state in _WAITS]
    sentence = f"Version {visible(version)} waits for {' and '.join(missing)}."
    return notice(Tone.NOTE, "In review.", sentence, to(f"/reviews/{review.id}", "Its review"))
