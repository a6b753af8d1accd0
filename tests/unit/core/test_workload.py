"""SPIFFE IDs in their one spelling."""

import pytest

from pierhead.core.errors import Invalid
from pierhead.core.workload import is_trust_domain, trust_domain_of


def test_a_spiffe_id_names_its_trust_domain() -> None:
    assert trust_domain_of("spiffe://corp.example/ns/agents/sa/triage") == "corp.example"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "corp.example/a",
        "spiffe://corp.example",
        "spiffe://corp.example/",
        "spiffe:///a",
        "SPIFFE://corp.example/a",
        "spiffe://Corp.example/a",
        "spiffe://corp.example/a/",
        "spiffe://corp.example//a",
        "spiffe://corp.example/./a",
        "spiffe://corp.example/a/..",
        "spiffe://corp.example/%61",
        "spiffe://corp.example/a?b",
        "spiffe://corp.example/a#b",
        "spiffe://corp.example:8443/a",
        "spiffe://user@corp.example/a",
        "spiffe://corp.example/a\n",
        "spiffe://corp.example/\u0430",
        "spiffe://corp.example/" + "a" * 2048,
    ],
)
def test_another_spelling_is_no_spiffe_id(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        trust_domain_of(text)
    assert refused.value.code == "bad-spiffe-id"


@pytest.mark.parametrize(("text", "is_one"), [("corp.example", True), ("Corp", False), ("", False), ("a/b", False)])
def test_a_trust_domain_is_a_lower_case_name(text: str, is_one: bool) -> None:
    assert is_trust_domain(text) is is_one
