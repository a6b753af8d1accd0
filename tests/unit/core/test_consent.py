"""What a consent covers: kinds of use, of the same client, for a time."""

from dataclasses import replace
from typing import Final

import pytest

from pierhead.core.consent import API, READS, WRITES, Consent, consent_id, stands_in, uses_of, with_more
from pierhead.core.scope import ALL, READ, WRITE

NOW: Final = 1_795_000_000.0
YES: Final = Consent(
    "cns_1", "https://mcp", "alice", "c1", "Claude", "claude.ai", "d1", (READS,), NOW, NOW + 90, NOW + 90
)


@pytest.mark.parametrize(
    ("scopes", "resource", "uses"),
    [
        ("warehouse.read", "/mcp/warehouse", (READS,)),
        ("airflow.read warehouse.read warehouse.write", "/mcp", (READS, WRITES)),
        ("mcp", "/mcp/warehouse", (ALL,)),
        ("mcp.write", "/mcp", (WRITES,)),
        ("registry:write registry:read", "/r/me", (READ, WRITE)),
        ("", "/api/v1", (API,)),
    ],
)
def test_scopes_of_any_server_are_kinds_of_use(scopes: str, resource: str, uses: tuple[str, ...]) -> None:
    assert uses_of(scopes.split(), resource) == uses


@pytest.mark.parametrize(
    ("had", "asked", "is_covered"),
    [
        ((READS,), (READS,), True),
        ((READS,), (READS, WRITES), False),
        ((READS, WRITES), (ALL,), False),
        ((ALL,), (READS, WRITES), True),
        ((ALL,), (API,), False),
        ((READS,), (READ,), False),
        ((READ, WRITE), (READ,), True),
    ],
)
def test_it_covers_no_kind_of_use_that_was_not_agreed_to(
    had: tuple[str, ...], asked: tuple[str, ...], is_covered: bool
) -> None:
    assert stands_in(replace(YES, uses=had), "d1", asked, NOW) is is_covered


def test_it_ends_with_its_time_and_when_the_client_describes_itself_otherwise() -> None:
    assert stands_in(YES, "d1", (READS,), NOW + 89.9)
    assert not stands_in(YES, "d1", (READS,), NOW + 90)
    assert not stands_in(YES, "d2", (READS,), NOW)


def test_a_yes_for_more_keeps_what_stands() -> None:
    more = replace(YES, uses=(API,), given_at=NOW + 10)
    assert with_more(more, YES, NOW + 10).uses == (API, READS)
    assert with_more(more, None, NOW + 10) == more
    assert with_more(more, replace(YES, described="d0"), NOW + 10) == more
    assert with_more(more, replace(YES, asked_again_at=NOW + 10), NOW + 10) == more


def test_each_person_client_and_place_has_one() -> None:
    parts = ("https://mcp", "alice", "c1", "claude.ai")
    others = [(*parts[:n], "x", *parts[n + 1 :]) for n in range(4)]
    assert len({consent_id(*each) for each in (parts, *others)}) == 5
    assert consent_id(*parts) == consent_id(*parts)
