"""Which roles a served database has: each held by its keys alone, and the printed key never writes."""

from typing import Any

from pierhead.bootstrap.serve_roles import Narrowing, roles_in_force
from pierhead.core.api_key import ApiKey

READS = {"tables": ["orders"], "operations": ["read"]}
WRITES: dict[str, Any] = {"tables": {"orders": {"operations": ["read", "update"]}}, "functions": ["net"]}
KEYS = [ApiKey("k1", "", "first", 0, 1), ApiKey("k2", "", "second", 0, 1), ApiKey("k3", "", "gone", 0, 1)]


def test_without_a_file_the_printed_key_reads_the_default_schema() -> None:
    roles, printed = roles_in_force(None, ["orders", "sold"], KEYS, "own", Narrowing())
    assert printed == "local"
    assert roles == {"local": {"tables": ["orders", "sold"], "operations": ["read"], "keys": ["own"]}}


def test_each_role_is_held_by_the_keys_made_for_it_and_by_nobody_else() -> None:
    roles, printed = roles_in_force({"first": READS, "second": READS, "third": READS}, [], KEYS, "own", Narrowing())
    assert printed == "first"
    assert {name: role["keys"] for name, role in roles.items()} == {
        "first": ["k1", "own"],
        "second": ["k2"],
        "third": ["nobody"],
    }


def test_the_printed_key_holds_what_of_the_first_role_reads() -> None:
    roles, printed = roles_in_force({"first": WRITES, "first-read-only": WRITES}, [], KEYS, "own", Narrowing())
    assert printed == "first-read-only-read-only"
    assert roles[printed] == {"tables": {"orders": {"operations": ["read"]}}, "keys": ["own"]}
    assert roles["first"]["keys"] == ["k1"]
    assert roles["first-read-only"]["keys"] == ["nobody"]


def test_read_only_takes_writing_from_every_role() -> None:
    only_writes = {"tables": ["orders"], "operations": ["create"]}
    roles, printed = roles_in_force(
        {"first": WRITES, "second": only_writes}, [], KEYS, "own", Narrowing(reads_only=True)
    )
    assert printed == "first"
    assert roles["first"] == {"tables": {"orders": {"operations": ["read"]}}, "keys": ["k1", "own"]}
    assert roles["second"]["operations"] == []


def test_sql_can_be_taken_from_every_role() -> None:
    roles, _ = roles_in_force({"first": {**READS, "sql": True}}, [], [], "own", Narrowing(without_sql=True))
    assert roles["first"]["sql"] is False
