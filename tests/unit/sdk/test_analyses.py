"""Records of root causes: held to their evidence, kept once, found again."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pierhead.core.errors import Conflict, Invalid, NotFound
from pierhead.core.identity import Caller, User
from pierhead.sdk.analyses import Analyses
from pierhead.sdk.root_cause import RootCause, held_to

ONE, TWO = "ev_0123456789abcdef", "ev_fedcba9876543210"
LEDGER = {ONE: "FileNotFoundError:\n  s3://bucket/dt=2026-11-20", TWO: "latest partition 2026-11-19"}


def caller(name: str) -> Caller:
    return Caller(User("https://idp", name, frozenset()), "ide", "dev", "c")


def record(**changed: Any) -> RootCause:
    plain: dict[str, Any] = {
        "title": "input is late",
        "fingerprints": ["fp_1"],
        "impact": [{"entity": "core.users", "class": "affected", "evidence": [TWO], "quote": "latest partition"}],
        "root_cause": {
            "claim": "the partition of 11-20 did not land",
            "confidence": "confirmed",
            "evidence": [ONE],
            "quote": "FileNotFoundError: s3://bucket/dt=2026-11-20",
        },
        "fix": {"kind": "rerun", "proposal": "clear once it lands", "approval_class": "approve"},
    }
    return RootCause.model_validate({**plain, **changed})


def test_a_confirmed_cause_needs_a_quote_from_its_evidence() -> None:
    assert held_to(record(), LEDGER, is_whole=True).root_cause.confidence == "confirmed"
    bare = record(root_cause={"claim": "x", "confidence": "confirmed", "evidence": [ONE]})
    assert held_to(bare, LEDGER, is_whole=True).root_cause.confidence == "likely"
    possible = record(root_cause={"claim": "x", "confidence": "possible", "evidence": [ONE]})
    assert held_to(possible, LEDGER, is_whole=True) == possible


def test_false_citations_are_refused_all_at_once() -> None:
    false = record(
        root_cause={"claim": "x", "confidence": "likely", "evidence": [ONE], "quote": "disk full"},
        timeline=[{"at": "02:00", "what": "x", "evidence": ["ev_0000000000000000"]}],
    )
    with pytest.raises(Invalid) as refused:
        held_to(false, LEDGER, is_whole=True)
    assert refused.value.code == "false-citation"
    assert "ev_0000000000000000" in refused.value.message
    assert "root_cause" in refused.value.message


def test_what_another_server_observed_proves_nothing_here_and_is_no_fault() -> None:
    assert held_to(record(), {}, is_whole=False).root_cause.confidence == "likely"
    assert held_to(record(), {ONE: LEDGER[ONE]}, is_whole=False).root_cause.confidence == "confirmed"


def test_a_cause_without_evidence_is_no_record() -> None:
    with pytest.raises(ValidationError):
        record(root_cause={"claim": "x", "confidence": "possible", "evidence": []})


@pytest.mark.anyio
async def test_the_same_key_keeps_one_record(tmp_path: Path) -> None:
    kept = Analyses(tmp_path)
    first = await kept.draft("application_1", record(), "key", caller("agent"))
    assert (first.state, first.subject, first.author) == ("draft", "application_1", caller("agent").name)
    assert await kept.draft("application_1", record(), "key", caller("agent")) == first
    with pytest.raises(Conflict) as reused:
        await kept.draft("application_1", record(title="other"), "key", caller("agent"))
    assert reused.value.code == "key-reused"
    assert (await kept.draft("application_1", record(), "key", caller("ann"))).id != first.id
    kept.close()
    again = Analyses(tmp_path)
    assert await again.read(first.id) == first
    assert (tmp_path / "analyses.db").stat().st_mode & 0o077 == 0
    again.close()


@pytest.mark.anyio
async def test_published_ones_come_first_and_are_found_by_fingerprint_and_words() -> None:
    kept = Analyses(None)
    old = await kept.draft("application_1", record(), "1", caller("ann"))
    new = await kept.draft("application_2", record(title="heap too small", fingerprints=["fp_2"]), "2", caller("ann"))
    assert [each.id for each in await kept.search()] == [new.id, old.id]
    assert (await kept.publish(old.id, caller("bob"))).published_by == caller("bob").name
    assert (await kept.publish(old.id, caller("eve"))).published_by == caller("bob").name
    assert [each.id for each in await kept.search(limit=1)] == [old.id]
    assert [each.id for each in await kept.search(fingerprint="fp_2")] == [new.id]
    assert [each.id for each in await kept.search(query="Heap SMALL")] == [new.id]
    assert await kept.search(query="absolutely unrelated words") == []
    with pytest.raises(NotFound):
        await kept.publish("ana_none", caller("bob"))
    kept.close()


@pytest.mark.anyio
async def test_secrets_are_not_kept() -> None:
    kept = Analyses(None)
    told = await kept.draft("a", record(not_checked=["password=hunter2"]), "1", caller("ann"))
    assert told.record.not_checked == ("password=[redacted:password]",)
    kept.close()
