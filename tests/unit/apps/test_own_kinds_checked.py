"""Every kind of server that comes with Pierhead keeps the standard, with everything switched on that it can do.

What is left is a warning, and answered by a waiver that says why; a waiver that answers nothing fails, too.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest

from pierhead.bootstrap.plugins import server_kinds
from pierhead.bootstrap.wire_check import CheckAsked, run_check
from pierhead.core.standard import State

_ENTRY: Final[dict[str, Any]] = {
    "owner": "data-platform",
    "support": "#data-help",
    "description": "What engineers of data ask about at night.",
    "access": {"groups": ["data-eng"]},
    "data_class": "internal",
    "on_call": "oncall:data",
    "runbook": "https://runbooks.corp.example/data",
}
_ENGINE: Final[dict[str, Any]] = {
    "roles": {"analyst": {"groups": ["data-eng"], "tables": ["orders"], "operations": ["read"]}},
    "programs": ["spiffe://corp.example/agents/incident"],
    "overwrite": {"tables": ["orders"], "groups": ["data-eng"]},
}
#: Rule, place, reason: what a kind is warned of, and why it stays so.
_WAIVED: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "airflow": (("L06", "tools", "fifteen tools with all writes on; at most 4,500 tokens"),),
    "knowledge": (("L08", "tools.knowledge_list_sources", "the sources are those of the entry"),),
    "presto": (
        ("S41", "tools.presto_run_query", "statements of a lake take minutes; cancelled in the engine after 300 s"),
        ("S41", "tools.presto_overwrite_partition", "a partition is written whole"),
    ),
    "spark": (("L06", "tools", "fourteen tools with all writes on; at most 4,500 tokens"),),
    "sql": (
        ("S10", "", "names and statements have no natural length; the host bounds each call, the guard each statement"),
        ("S17", "tools.call_function.idempotent", "what a function does twice is its own; each call takes its own yes"),
    ),
}


def waived(kind: str) -> list[dict[str, str]]:
    """The waivers of that kind, as a file of waivers has them."""
    said = _WAIVED.get("presto" if kind == "trino" else kind, ())
    return [
        {"rule": rule, "place": place, "owner": "pierhead", "reason": reason, "until": "2027-11-30"}
        for rule, place, reason in said
    ]


def entry(kind: str, folder: Path) -> dict[str, Any]:
    """An entry of that kind which switches on whatever it can."""
    own: dict[str, dict[str, Any]] = {
        "airflow": {
            "url": "https://airflow.corp.example",
            "login": {"token": {"file": str(folder / "token")}},
            "writes": ["clear", "trigger", "pause", "mark"],
            "operators": ["oncall:airflow"],
            "dag_owners": [{"dags": "*", "groups": ["data-eng"]}],
        },
        "knowledge": {
            "sources": {
                "runbooks": {
                    "folder": str(folder),
                    "holds": "runbooks",
                    "readers": ["everyone"],
                    "edits": "folder",
                    "edits_folder": str(folder),
                }
            },
        },
        "presto": {"url": "presto://pierhead@presto.corp.example:8080/lake/sales", **_ENGINE},
        "spark": {
            "event_logs": [str(folder)],
            "standalone": {"ui": "http://spark.corp.example:8080", "rest": "http://spark.corp.example:6066"},
            "writes": ["analyses", "kill", "resubmit"],
            "operators": ["oncall:spark"],
        },
        "sql": {
            "url": f"sqlite:///{folder / 'shop.db'}",
            "roles": {
                "clerk": {"groups": ["data-eng"], "tables": ["orders"], "operations": ["read", "create", "update"]}
            },
        },
        "trino": {"url": "trino://pierhead@trino.corp.example:8080/lake/sales", **_ENGINE},
    }
    return {**_ENTRY, "kind": kind, **own[kind]}


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(server_kinds()))
def test_every_tool_of_our_own_keeps_the_standard(kind: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("none")
    (tmp_path / "shop.db").touch()
    fleet = tmp_path / "fleet.json"
    fleet.write_text(
        json.dumps({"people": {"alice": {"groups": ["data-eng"]}}, "servers": {kind: entry(kind, tmp_path)}})
    )
    waivers = tmp_path / "waivers.json"
    waivers.write_text(json.dumps({"waivers": waived(kind)}))
    asked = CheckAsked(kind, fleet, tmp_path / "data", date(2026, 11, 22), waivers=waivers)
    report = run_check(asked, None)
    found = [
        f"{each.rule} {each.place}: {each.what}"
        for verdict in report.verdicts
        if verdict.state in {State.FAILED, State.WARNED}
        for each in verdict.breaches
    ]
    assert report.tokens.tools
    assert not found, "\n".join(found)
    assert not report.unused
