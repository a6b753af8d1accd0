"""Scopes of tools: what asking gives, what a token of them is good for, and what one is told that lacks some."""

import pytest

from pierhead.core.catalog import Effect
from pierhead.core.scope import (
    EVERY,
    READ,
    REGISTRY,
    WHOLE,
    ScopeMissing,
    covers,
    granted,
    is_within,
    is_word,
    least,
    of_both,
    offered,
    scope_missing,
    scope_of,
    step_up,
    step_up_of,
)


@pytest.mark.parametrize(
    ("asked", "resource", "given"),
    [
        ("", "/mcp/shop", "mcp"),
        ("mcp", "/mcp/shop", "mcp"),
        ("mcp shop.read", "/mcp/shop", "mcp"),
        ("shop.read", "/mcp/shop", "shop.read"),
        ("shop.write shop.read shop.read", "/mcp/shop", "shop.read shop.write"),
        ("shop.write", "/mcp/shop", "shop.write"),
        ("bank.write shop.read", "/mcp/shop", "shop.read"),
        ("bank.write", "/mcp/shop", "shop.read"),
        ("mcp.write", "/mcp/shop", "shop.read"),
        ("openid offline_access", "/mcp/shop", "shop.read"),
        ("shop.admin SHOP.write shop.write\tx", "/mcp/shop", "shop.read"),
        (EVERY, "/mcp/shop", "shop.read"),
        ("", "/mcp", "mcp"),
        ("mcp.read", "/mcp", "mcp.read"),
        ("bank.write shop.read", "/mcp", "bank.write shop.read"),
        ("openid", "/mcp", "mcp.read"),
        ("mcp", "/api/v1", ""),
        ("", REGISTRY, READ),
        ("mcp shop.write", REGISTRY, READ),
        ("registry:admin", REGISTRY, EVERY),
    ],
)
def test_asking_gives_what_is_a_scope_of_the_resource_and_no_more(asked: str, resource: str, given: str) -> None:
    assert granted(asked, resource) == given


@pytest.mark.parametrize(
    ("scopes", "reads", "writes"),
    [
        (set[str](), False, False),
        ({"mcp"}, True, True),
        ({"shop.read"}, True, False),
        ({"shop.write"}, False, True),
        ({"mcp.read"}, True, False),
        ({"mcp.write"}, False, True),
        ({"bank.read", "bank.write"}, False, False),
        ({"registry:admin", "shop", "read", "shop.*", ".read"}, False, False),
    ],
)
def test_a_token_is_good_for_what_its_scopes_name(scopes: set[str], *, reads: bool, writes: bool) -> None:
    assert covers(scopes, scope_of("shop", Effect.READ)) is reads
    assert covers(scopes, scope_of("shop", Effect.WRITE)) is writes
    assert covers(scopes, scope_of("shop", Effect.DESTRUCTIVE)) is writes


@pytest.mark.parametrize(
    ("asked", "had", "within"),
    [
        ("shop.read", "mcp", True),
        ("shop.read", "mcp.read", True),
        ("shop.write", "mcp.read", False),
        ("shop.read shop.write", "shop.read", False),
        ("mcp", "shop.read shop.write", False),
        ("registry:read", "registry:read registry:write", True),
        ("registry:admin", "registry:read", False),
        ("registry:read", "mcp.read", False),
    ],
)
def test_what_is_asked_for_again_lies_within_what_was_had(asked: str, had: str, *, within: bool) -> None:
    assert is_within(asked, had) is within


@pytest.mark.parametrize(
    ("token", "workload", "left"),
    [
        ({"shop.write"}, WHOLE, {"shop.write"}),
        (WHOLE, {"mcp.read"}, {"mcp.read"}),
        ({"shop.read", "shop.write"}, {"mcp.read"}, {"shop.read"}),
        ({"mcp.read"}, {"shop.read", "bank.write"}, {"shop.read"}),
        ({"shop.write", "registry:admin"}, {"shop.read"}, set[str]()),
        (WHOLE, set[str](), set[str]()),
        (set[str](), {"mcp.read"}, set[str]()),
    ],
)
def test_a_person_through_a_workload_has_what_both_are_good_for(
    token: set[str], workload: set[str], left: set[str]
) -> None:
    assert of_both(frozenset(token), frozenset(workload)) == left


@pytest.mark.parametrize(
    ("scopes", "effect", "needed"),
    [
        (set[str](), Effect.READ, "shop.read"),
        ({"shop.read"}, Effect.WRITE, "shop.read shop.write"),
        (set[str](), Effect.DESTRUCTIVE, "shop.read shop.write"),
        ({"bank.write", 'x"y', "registry:read"}, Effect.READ, "bank.write shop.read"),
    ],
)
def test_all_scopes_that_are_needed_are_named_at_once(scopes: set[str], effect: Effect, needed: str) -> None:
    missing = scope_missing(frozenset(scopes), "shop", effect)
    assert missing.needed == needed
    assert needed in missing.message
    told = step_up_of(step_up(missing))
    assert isinstance(told, ScopeMissing)
    assert told.needed == needed


@pytest.mark.parametrize(
    "header",
    [
        b"Bearer",
        b'Bearer error="insufficient_scope", scope=""',
        b'Bearer error="insufficient_scope", scope="a", resource_metadata="https://evil.example"',
        b'Bearer error="insufficient_scope", scope="a\r\nx: y"',
        b'Basic realm="x"',
    ],
)
def test_any_other_words_of_a_server_name_no_scope(header: bytes) -> None:
    assert step_up_of(header) is None


def test_what_is_offered_is_two_words_and_the_least_is_to_read() -> None:
    assert (offered("shop"), offered("")) == (("shop.read", "shop.write"), ("mcp.read", "mcp.write"))
    assert (least("shop"), least("")) == ("shop.read", "mcp.read")
    assert [word for word in ("mcp", "a.read", "a.write", "a.b", "registry:read", "") if is_word(word)] == [
        "mcp",
        "a.read",
        "a.write",
    ]
