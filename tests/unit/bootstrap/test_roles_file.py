"""The roles file: what `config set` makes of it, and what it never lets in."""

from pathlib import Path

import pytest

from pierhead.bootstrap.plugins import databases
from pierhead.bootstrap.roles_file import changed_roles, read_queries, read_roles
from pierhead.bootstrap.roles_keys import place_of, value_of
from pierhead.core.errors import Misconfigured


def set_(file: Path, key: str, value: str) -> None:
    place = place_of(key)
    changed_roles(file, place, value_of(place[1:], value, databases().roles_schema()))


def test_faucets_two_commands_make_a_role(tmp_path: Path) -> None:
    file = tmp_path / "data" / "roles.yaml"
    set_(file, "roles.analyst.tables", "orders, products")
    set_(file, "roles.analyst.operations", "read")
    assert file.read_text() == "roles:\n  analyst:\n    tables: [orders, products]\n    operations: [read]\n"


def test_a_file_of_comments_is_a_beginning(tmp_path: Path) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text("# who reads what\n")
    set_(file, "roles.analyst.tables", "orders")
    assert file.read_text() == "# who reads what\nroles:\n  analyst:\n    tables: [orders]\n"


def test_a_role_may_be_set_member_by_member(tmp_path: Path) -> None:
    file = tmp_path / "roles.yaml"
    for key, value in {
        'roles.support.tables."sales.orders".operations': "read,update",
        'roles.support.tables."sales.orders".columns.exclude': "email",
        'roles.support.tables."sales.orders".columns.mask.phone': "last4",
        "roles.support.sql": "false",
        "roles.support.limits.rows": "10",
        "roles.support.limits.time": "5s",
        "roles.support.groups": "",
    }.items():
        set_(file, key, value)
    assert read_roles(file) == {
        "support": {
            "tables": {
                "sales.orders": {
                    "operations": ["read", "update"],
                    "columns": {"exclude": ["email"], "mask": {"phone": "last4"}},
                }
            },
            "sql": False,
            "limits": {"rows": 10, "time": "5s"},
            "groups": [],
        }
    }


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("roles.analyst.operations", "read,fly", "read"),
        ("roles.analyst.operation", "read", "unknown setting"),
        ("roles.analyst.limits.row", "5", "unknown setting"),
        ("roles.analyst.limits.rows", "many", "limits.rows"),
        ("roles.analyst.limits.rows", "0", "limits.rows"),
        ("roles.analyst.limits.time", "soon", "500ms"),
        ("roles.analyst.sql", "maybe", "true or false"),
        ("roles.analyst.limits", "5", "no single value"),
        ("roles.analyst", "read", "no single value"),
        ("roles..tables", "orders", "cannot read the key"),
        ("roles.analyst.tables.", "orders", "cannot read the key"),
        ("roles.analyst.tables.orders.operations", "read", "is a list"),
    ],
)
def test_what_no_role_can_say_changes_nothing(tmp_path: Path, key: str, value: str, said: str) -> None:
    file = tmp_path / "roles.yaml"
    set_(file, "roles.analyst.tables", "orders")
    before = file.read_bytes()
    with pytest.raises(Misconfigured, match=said):
        set_(file, key, value)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_tables_that_are_written_out_are_not_lost_to_a_list(tmp_path: Path) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text("roles: {a: {tables: {customers: {operations: [read], columns: {exclude: [email]}}}}}\n")
    with pytest.raises(Misconfigured, match="written out in full"):
        set_(file, "roles.a.tables", "customers")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "roles:\n",
        "roles: []\n",
        "rolles: {a: {tables: []}}\n",
        "roles: {a: {tables: [x]}}\nmore: 1\n",
        "roles: {a",
        "\x00",
    ],
)
def test_a_file_that_is_no_roles_file_is_not_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text(text)
    with pytest.raises(Misconfigured) as fault:
        read_roles(file)
    assert fault.value.code == "bad-roles"


def test_several_roles_need_no_holders_here(tmp_path: Path) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text("roles: {a: {tables: [x], operations: [read]}, b: {tables: []}}\n")
    assert list(read_roles(file)) == ["a", "b"]


QUERIED = """\
roles:
  analyst: {tables: [orders], operations: [read]}
queries:
  some: {sql: "SELECT id FROM orders", description: Some., roles: [analyst]}
"""


def test_queries_stand_beside_roles_and_stay_when_a_role_changes(tmp_path: Path) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text(QUERIED)
    set_(file, "roles.analyst.tables", "orders,products")
    assert read_queries(file) == {
        "some": {"sql": "SELECT id FROM orders", "description": "Some.", "roles": ["analyst"]}
    }


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[analyst]}\n", "[nobody_such]}\n", "there is no role nobody_such"),
        ("some:", "run_query:", "every SQL server has a tool of that name"),
        ("some:", "Some-Query:", "lower-case letters"),
        ("Some.,", "Some., parameter: {},", "queries.some.parameter"),
        ("Some.,", "Some., parameters: {from: {type: date}},", "reserved word"),
        ("Some.,", "Some., parameters: {day: {type: date, default: soon}},", "the default is not of type date"),
        ("Some.,", "Some., parameters: {day: {type: day}},", "queries.some.parameters.day.type"),
        ("queries:\n  some:", "querys:\n  some:", "unknown key querys"),
    ],
)
def test_a_query_that_means_nothing_is_not_read(tmp_path: Path, before: str, after: str, said: str) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text(QUERIED.replace(before, after))
    with pytest.raises(Misconfigured) as refused:
        read_roles(file)
    assert said in refused.value.message
