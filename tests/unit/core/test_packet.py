"""Parts of a packet, read: what they say, and what of a stranger's file is refused, with its place."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.packets import FAILING, PASSING, SBOM, SCAN, Signer, enveloped, statement

from pierhead.core.errors import Invalid
from pierhead.core.packet import (
    LARGEST_PART,
    Bill,
    Part,
    PartKind,
    Report,
    Scan,
    Statement,
    Told,
    is_tested,
    packet_digest,
    told_from_form,
    told_to_form,
)
from pierhead.core.packet_reading import read_envelope, read_part

ONE, TWO = "1" * 64, "2" * 64


def part(kind: PartKind, told: Told, digest: str = ONE) -> Part:
    return Part("b", "clock", "1", kind, digest, 3, told, "bob", 1.0)


def refused(kind: PartKind, content: bytes) -> str:
    with pytest.raises(Invalid) as invalid:
        read_part(kind, content)
    assert invalid.value.code == "unreadable-part"
    assert invalid.value.hint
    return invalid.value.message


@pytest.mark.parametrize("kind", [PartKind.TESTS, PartKind.EVALS])
def test_a_report_tells_how_many_passed_failed_and_were_skipped(kind: PartKind) -> None:
    assert read_part(kind, PASSING) == Report(cases=3, failed=0, skipped=1)
    assert read_part(kind, FAILING) == Report(cases=3, failed=1, skipped=1)


@pytest.mark.parametrize(
    ("inside", "report"),
    [
        ("<testcase><error/><skipped/></testcase>", Report(1, 1, 0)),
        ("<testcase><skipped/><failure/></testcase>", Report(1, 1, 0)),
        ('<testsuite failures="1" errors="1"><testcase/></testsuite>', Report(1, 2, 0)),
        ('<testsuite failures=" 0 "><testcase/></testsuite>', Report(1, 0, 0)),
        ("", Report(0, 0, 0)),
    ],
)
def test_of_what_a_case_shows_and_a_suite_claims_the_worse_is_believed(inside: str, report: Report) -> None:
    assert read_part(PartKind.TESTS, f"<testsuites>{inside}</testsuites>".encode()) == report


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "line 1"),
        (b"<testsuite>", "line 1"),
        (b"<html/>", "begins with <html>"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><testsuite>&a;</testsuite>', "document type"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>', "document type"),
        (b'<testsuite failures="many"/>', "'many' is no number"),
        (b'<testsuite failures="-1"/>', "is no number"),
        (b"<testsuite>" * 30, "nested deeper"),
        (b"<testsuite>" + b"<a/>" * 100_001 + b"</testsuite>", "more than"),
        (b'<?xml version="1.0" encoding="no-such"?><testsuite/>', "the report cannot be read"),
        (b"\xff\xfe<\x00", "the report cannot be read"),
    ],
)
def test_a_report_that_is_none_or_brings_entities_is_refused(content: bytes, why: str) -> None:
    assert why in refused(PartKind.TESTS, content)


@given(st.binary(max_size=200))
def test_no_bytes_make_a_reader_fail_otherwise(content: bytes) -> None:
    for kind in PartKind:
        with contextlib.suppress(Invalid):
            read_part(kind, content)


def test_a_bill_of_materials_counts_components_within_components() -> None:
    assert read_part(PartKind.SBOM, SBOM) == Bill("clock 1.2.3", "1.6", 3)


@pytest.mark.parametrize("metadata", [None, {}, {"component": None}, {"component": {"name": 3}}, []])
def test_a_bill_of_materials_need_not_say_of_what(metadata: object) -> None:
    form = {**json.loads(SBOM), "metadata": metadata}
    assert read_part(PartKind.SBOM, json.dumps(form).encode()) == Bill("", "1.6", 3)


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "library", "name": "x"}
    for _ in range(depth):
        inner = {"type": "library", "name": "x", "components": [inner]}
    return inner


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"bomFormat": "SPDX"}, "bomFormat is not CycloneDX"),
        ({"specVersion": "1.1"}, "specVersion '1.1' is none that is read"),
        ({"specVersion": None}, "specVersion"),
        ({"components": {}}, "components is no list of objects"),
        ({"components": ["x"]}, "components is no list of objects"),
        ({"components": [{"type": "library", "name": ""}]}, "components[0].name is missing"),
        ({"components": [{"name": "x"}]}, "components[0].type is missing"),
        (
            {"components": [{"type": "library", "name": "x", "components": [{"type": "file"}]}]},
            "components[0].components[0].name is missing",
        ),
        ({"components": [nested(50)]}, "nested deeper than 40"),
        ({"components": [{"type": "file", "name": "x"}] * 50_001}, "more than 50000"),
    ],
)
def test_a_bill_of_materials_that_is_none_is_refused_with_the_place(changed: dict[str, Any], why: str) -> None:
    assert why in refused(PartKind.SBOM, json.dumps({**json.loads(SBOM), **changed}).encode())


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"a":1,"a":2}', b"[" * 100_000, b"\xff"])
@pytest.mark.parametrize("kind", [PartKind.SBOM, PartKind.SCAN])
def test_what_is_no_json_object_is_refused(kind: PartKind, content: bytes) -> None:
    assert "no JSON object" in refused(kind, content)


def test_a_scan_tells_who_looked_and_what_was_found_by_level() -> None:
    assert read_part(PartKind.SCAN, SCAN) == Scan("semgrep, grype", errors=1, warnings=1, notes=1)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"version": "2.0.0"}, "version '2.0.0' is not 2.1.0"),
        ({"runs": []}, "nothing was scanned"),
        ({"runs": [{}]}, "runs[0].tool.driver.name is missing"),
        ({"runs": [{"tool": {"driver": {"name": ""}}}]}, "runs[0].tool.driver.name is missing"),
        ({"runs": [{"tool": {"driver": {"name": "x"}}, "results": 1}]}, "runs[0].results is no list"),
        ({"runs": [{"tool": {"driver": {"name": "x"}}, "results": [{"level": "high"}]}]}, "the level 'high'"),
    ],
)
def test_a_scan_that_is_none_is_refused_with_the_place(changed: dict[str, Any], why: str) -> None:
    assert why in refused(PartKind.SCAN, json.dumps({**json.loads(SCAN), **changed}).encode())


def test_a_signature_says_what_it_is_over_and_what_exactly_was_signed() -> None:
    content = Signer().envelope(ONE, TWO, ONE)
    assert read_part(PartKind.SIGNATURE, content) == Statement((ONE, TWO))
    envelope = read_envelope(content)
    assert envelope.message.startswith(b"DSSEv1 28 application/vnd.in-toto+json ")
    assert [len(one) for one in envelope.signatures] == [64]


def _envelope(**changed: Any) -> bytes:
    return json.dumps({**json.loads(Signer().envelope(ONE)), **changed}).encode()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (_envelope(payloadType="text/plain"), "payloadType"),
        (_envelope(payload="%"), "payload is no base64"),
        (_envelope(payload=None), "payload is no base64"),
        (_envelope(signatures=[]), "signatures has 0 members"),
        (_envelope(signatures=[{"sig": "AA=="}] * 11), "signatures has 11 members"),
        (_envelope(signatures=[{"sig": "%"}]), "signatures[0].sig is no base64"),
        (enveloped(b"[]", [b"x"]), "no JSON object"),
        (enveloped(b"{}", [b"x"]), "_type"),
        (enveloped(json.dumps(statement("short")).encode(), [b"x"]), "subject[0].digest.sha256"),
        (enveloped(json.dumps({**statement(), "subject": [{}]}).encode(), [b"x"]), "subject[0].digest.sha256"),
    ],
)
def test_a_signature_that_is_none_is_refused_with_the_place(content: bytes, why: str) -> None:
    assert why in refused(PartKind.SIGNATURE, content)


@pytest.mark.parametrize("kind", list(PartKind))
def test_a_part_is_bounded_before_it_is_read(kind: PartKind) -> None:
    with pytest.raises(Invalid) as invalid:
        read_part(kind, b" " * (LARGEST_PART + 1))
    assert invalid.value.code == "part-too-large"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (PartKind.TESTS, Report(3, 1, 0)),
        (PartKind.SBOM, Bill("x", "1.6", 2)),
        (PartKind.SCAN, Scan("x", 1, 2, 3)),
        (PartKind.SIGNATURE, Statement((ONE, TWO))),
    ],
)
def test_what_a_part_says_comes_back_from_its_form(kind: PartKind, told: Told) -> None:
    assert told_from_form(kind, json.loads(json.dumps(told_to_form(told)))) == told


GOOD, BAD, EMPTY, ALL_SKIPPED = Report(2, 0, 1), Report(2, 1, 0), Report(0, 0, 0), Report(2, 0, 2)


@pytest.mark.parametrize(
    ("tests", "evals", "tested"),
    [
        (GOOD, GOOD, True),
        (GOOD, BAD, False),
        (BAD, GOOD, False),
        (GOOD, EMPTY, False),
        (ALL_SKIPPED, GOOD, False),
        (GOOD, None, False),
        (None, GOOD, False),
    ],
)
def test_only_tests_and_evaluations_that_ran_and_pass_count(
    tests: Report | None, evals: Report | None, *, tested: bool
) -> None:
    given = ((PartKind.TESTS, tests), (PartKind.EVALS, evals))
    parts = [part(kind, told) for kind, told in given if told is not None]
    assert is_tested([*parts, part(PartKind.SBOM, Bill("x", "1.6", 2))]) is tested


def test_a_packet_has_one_digest_over_all_of_it_in_any_order() -> None:
    tests, scan = part(PartKind.TESTS, GOOD), part(PartKind.SCAN, Scan("x", 0, 0, 0), TWO)
    assert packet_digest([tests, scan]) == packet_digest([scan, tests]) != packet_digest([tests])
    assert packet_digest([]) == ""
