"""How a server's versions look, and the forms that move one on; only forms that you may send are shown.

Above: `page_server`. Not here: what the forms do (`changes`).
"""

from collections.abc import Mapping
from typing import Final

import htpy as h

from pierhead.apps.registry.web.inputs import BLANK, Filled, area, form, submit, text
from pierhead.apps.registry.web.parts import Column, count, empty, folded, moment, stage_badge, table, titled, visible
from pierhead.apps.registry.web.view_versions import VersionLine, VersionsView
from pierhead.core.catalog import Step

#: What the button says before the version, and what follows.
_STEPS: Final[Mapping[Step, tuple[str, str]]] = {
    Step.SUBMIT: ("Submit for review", "Its reviewers are asked, and nothing of it may change meanwhile."),
    Step.WITHDRAW: ("Withdraw from review", "Its review is closed; you can submit it again."),
    Step.DEPLOY: ("Deploy", "Clients get this version within two seconds."),
    Step.SUSPEND: ("Suspend", "Nobody can call it, everywhere within two seconds. You can resume it."),
    Step.RESUME: ("Resume", "It can be called again."),
    Step.DEPRECATE: ("Deprecate", "It can be called until the date you name; every client sees the message."),
    Step.QUARANTINE: ("Quarantine", "Nobody can call it; only security can end that."),
    Step.RETIRE: ("Retire", "This version ends. It cannot come back."),
}


def versions_section(server: str, view: VersionsView, now: float, token: str, filled: Filled = BLANK) -> h.Node:
    """Every version, and what you may do with it; a form as it was sent where something in it must change."""
    publish = [
        _publish(server, token) if view.may_publish else None,
        _enrol(server, token) if view.may_enrol else None,
    ]
    if not view.lines:
        return titled("Versions", empty("No version was submitted yet."), publish, identity="versions")
    columns = [Column("Version"), Column("Stage"), Column("Tools", is_number=True), Column("Since"), Column("Reason")]
    rows = [_row(line, now) for line in view.lines]
    return titled(
        "Versions",
        table("Versions", columns, rows),
        *(_changes(server, line, token, filled) for line in view.lines),
        publish,
        _history(view, now),
        identity="versions",
    )


def _row(line: VersionLine, now: float) -> list[h.Node]:
    current = h.span(class_="quiet")[" what clients get"] if line.is_current else None
    return [
        h.span[h.bdi[visible(line.version)], current],
        stage_badge(line.stage),
        str(line.tools),
        moment(line.moved_at, now),
        h.bdi[visible(line.reason)],
    ]


def _changes(server: str, line: VersionLine, token: str, filled: Filled) -> h.Node:
    if not line.steps and not line.may_roll_back:
        return None
    is_meant = filled.value("version") == line.version
    sent = filled if is_meant else BLANK
    forms = [_step(server, line, step, token, _of(sent, step)) for step in line.steps]
    if line.may_roll_back:
        forms.append(_roll_back(server, line, token, _of(sent, "")))
    return folded(f"Change version {visible(line.version)}", h.div(class_="stack wide")[forms], is_open=is_meant)


def _of(sent: Filled, step: str) -> Filled:
    """What was sent, for the form of that very step; a roll-back names none."""
    return sent if sent.value("step") == step else BLANK


def _step(server: str, line: VersionLine, step: Step, token: str, sent: Filled) -> h.Node:
    words, follows = _STEPS[step]
    return form(
        f"/servers/{server}/steps",
        token,
        h.p(class_="quiet")[follows],
        h.input(type="hidden", name="version", value=line.version),
        *(_farewell(sent) if step is Step.DEPRECATE else ()),
        area("Reason, for the record", "reason", sent, is_required=True),
        submit(f"{words}: version {visible(line.version)}", name="step", value=step),
    )


def _farewell(sent: Filled) -> tuple[h.Element, ...]:
    """What clients see of a deprecation."""
    return (
        area("Message to everyone who uses it", "message", sent, is_required=True),
        text("Server that comes after it, if any", "successor", sent),
        text("Last day it can be called (UTC)", "sunset_at", sent, is_required=True, kind="date"),
    )


def _roll_back(server: str, line: VersionLine, token: str, sent: Filled) -> h.Node:
    return form(
        f"/servers/{server}/roll-back",
        token,
        h.p(class_="quiet")["Clients get this version again, in place of the current one."],
        h.input(type="hidden", name="version", value=line.version),
        area("Reason, for the record", "reason", sent, is_required=True),
        submit(f"Roll back to version {visible(line.version)}"),
    )


def _publish(server: str, token: str) -> h.Node:
    return folded(
        "Make a version of what it shows now",
        form(
            f"/servers/{server}/versions",
            token,
            h.p(class_="quiet")["Its live definitions become a version that you can submit for review."],
            submit("Make a version"),
        ),
    )


def _enrol(server: str, token: str) -> h.Node:
    return folded(
        "Make the credential of its process",
        form(
            f"/servers/{server}/enrolment",
            token,
            h.p(class_="quiet")["It is shown once. The one that its process has now, if any, ends at once."],
            submit("Make the credential"),
        ),
    )


def suspend_switch(server: str, view: VersionsView, token: str) -> h.Node:
    """The switch that stops a server at once: one reason, one button."""
    current = next((line for line in view.lines if line.is_current and Step.SUSPEND in line.steps), None)
    if current is None:
        return None
    return titled(
        "Suspend at once",
        form(
            f"/servers/{server}/steps",
            token,
            h.p(class_="quiet")[_STEPS[Step.SUSPEND][1]],
            h.input(type="hidden", name="version", value=current.version),
            area("Reason, for the record", "reason", is_required=True),
            submit(f"Suspend version {visible(current.version)}", name="step", value=Step.SUSPEND),
        ),
    )


def _history(view: VersionsView, now: float) -> h.Node:
    if not view.moves:
        return None
    columns = [Column("When"), Column("Version"), Column("Step"), Column("By"), Column("Reason")]
    rows = [
        [
            moment(move.at, now),
            h.bdi[visible(move.version)],
            str(move.step),
            h.bdi[visible(move.by)],
            visible(move.reason),
        ]
        for move in view.moves
    ]
    return folded(f"History, {count(len(view.moves), 'move', 'moves')}", table("History", columns, rows))
