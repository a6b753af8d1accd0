"""Roles of a SQL source: parsed strictly, deny by default, compiled against the schema."""

from typing import Any

import pytest

from pierhead.core.errors import Forbidden, Misconfigured
from pierhead.core.identity import Both, Caller, Principal, User, Workload
from pierhead.sdk.governed.catalog import Catalog, StoredColumn, StoredTable
from pierhead.sdk.governed.policy import parse_policy
from pierhead.sdk.governed.views import compile_role
from pierhead.sdk.sqlguard import View


def table(name: str, *columns: str, kind: Any = "table", schema: str = "main") -> StoredTable:
    return StoredTable(schema, name, kind, tuple(StoredColumn(column, "TEXT", True, False) for column in columns))


CATALOG = Catalog(
    "sqlite",
    "",
    "main",
    (
        table("customers", "id", "name", "email"),
        table("sales_2025", "id"),
        table("sales_2026", "id"),
        table("sales_view", "id", kind="view"),
        table("secrets", "token"),
        table("orders", "id", schema="other"),
    ),
)


def view(tables: Any, **rest: Any) -> View:
    policy = parse_policy({"analyst": {"tables": tables, **rest}})
    return compile_role("analyst", policy.roles["analyst"], CATALOG).view


def seen(compiled: View) -> dict[str, list[str]]:
    return {compiled.display_name(each): [column.name for column in each.columns] for each in compiled.tables}


def caller(*groups: str, principal: Principal | None = None) -> Caller:
    return Caller(principal or User("https://idp", "ann", frozenset(groups)), "ide", "test", "c")


def test_the_short_form_grants_what_it_names() -> None:
    assert seen(view(["customers"], operations=["read"])) == {"customers": ["id", "name", "email"]}


def test_no_operations_mean_nothing() -> None:
    assert seen(view(["customers"])) == {}
    assert seen(view(["customers"], operations=[])) == {}
    assert seen(view({"customers": {}})) == {}
    assert seen(view([], operations=["read"])) == {}


def test_columns_are_included_and_excluded_in_table_order() -> None:
    rule = {"operations": ["read"], "columns": {"exclude": ["email"]}}
    assert seen(view({"customers": rule})) == {"customers": ["id", "name"]}
    rule["columns"] = {"include": ["name", "id"], "exclude": ["id"]}
    assert seen(view({"customers": rule})) == {"customers": ["name"]}
    rule["columns"] = {"include": []}
    assert seen(view({"customers": rule})) == {"customers": []}


def test_a_pattern_matches_tables_and_never_views() -> None:
    assert list(seen(view({"sales_*": {"operations": ["read"]}}))) == ["sales_2025", "sales_2026"]
    assert list(seen(view({"sales_view": {"operations": ["read"]}}))) == ["sales_view"]


def test_an_exact_name_wins_over_a_pattern() -> None:
    assert list(seen(view({"sales_*": {"operations": ["read"]}, "sales_2025": {}}))) == ["sales_2026"]


def test_a_table_outside_the_default_schema_is_named_with_it() -> None:
    assert list(seen(view({"other.orders": {"operations": ["read"]}}))) == ["other.orders"]


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"a": {"tables": ["customers"], "operation": ["read"]}}, "roles.a.operation"),
        ({"a": {"tables": ["customers"], "operations": ["raed"]}}, "roles.a.tables.customers"),
        ({"a": {}}, "roles.a.tables"),
        ({"a": {"tables": {"customers": {"operations": ["read", "drop"]}}}}, "operations"),
        ({"a": {"tables": {"customers": {"rows": "id.egal.1"}}}}, "no operator egal"),
        ({"a": {"tables": {"customers": {"rows": ""}}}}, "rows"),
        ({"a": {"tables": {"customers": {"rows": "id.eq.${claims.}"}}}}, "rows"),
        ({"a": {"tables": {"customers": {"columns": {"mask": {"email": "nul"}}}}}}, "a mask is null, const"),
        ({"a": {"tables": {"customers": {"columns": {"mask": {"email": "bucket:0"}}}}}}, "a mask is null, const"),
        ({"a": {"tables": {"customers": {"columns": {"mask": {"email": "last4:2"}}}}}}, "a mask is null, const"),
        ({"a": {"tables": [], "functions": {"net_price": {"operations": ["update"]}}}}, "functions"),
        ({"a": {"tables": [], "limits": {"in_flight": 0}}}, "in_flight"),
        ({"a": {"tables": [], "limits": {"rate": {"callers": 1}}}}, "rate"),
        ({"a": {"tables": [], "limits": {"bytes": 10}}}, "bytes"),
        ({"a": {"tables": [], "login": {}}}, "login"),
        ({"a": {"tables": [], "login": {"user": "u", "password": "p", "password_file": "f"}}}, "login"),
        ({"a": {"tables": [], "keys": ["k1"]}, "b": {"tables": []}}, "roles.b"),
        ({"a": {"tables": [], "groups": ["x"]}, "b": {"tables": []}}, "roles.b"),
        ({"a": {"tables": [], "limits": {"rows": 0}}}, "rows"),
        ({"a": {"tables": [], "limits": {"rows": 5000}}}, "rows"),
        ({"a": {"tables": [], "limits": {"time": "soon"}}}, "time"),
        ({"a": {"tables": [], "sql": "no"}}, "sql"),
        ([], "roles"),
    ],
)
def test_what_is_not_understood_or_not_enforced_does_not_load(roles: Any, said: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        parse_policy(roles)
    assert refusal.value.code == "bad-sql-policy"
    assert said in refusal.value.message


@pytest.mark.parametrize(
    "tables",
    [
        {"custmers": {"operations": ["read"]}},
        {"customers": {"operations": ["read"], "columns": {"exclude": ["emial"]}}},
        {"customers": {"operations": ["read"], "columns": {"include": ["nmae"]}}},
        {"customers": {"operations": ["read"], "columns": {"mask": {"emial": "null"}}}},
        {"customers": {"operations": ["read"], "columns": {"write": ["emial"]}}},
    ],
)
def test_a_misspelt_name_does_not_start(tables: Any) -> None:
    with pytest.raises(Misconfigured):
        view(tables)


def test_the_first_role_held_acts_alone() -> None:
    policy = parse_policy(
        {
            "support": {"tables": [], "groups": ["support"]},
            "analyst": {"tables": [], "groups": ["analysts"], "workloads": ["spiffe://x/agent"]},
            "boss": {"tables": [], "users": ["ann"]},
        }
    )
    assert policy.acting(caller("analysts", "support")) == "support"
    assert policy.acting(caller("analysts")) == "analyst"
    assert policy.acting(caller()) == "boss"
    assert policy.acting(caller(principal=Workload("spiffe://x/agent"))) == "analyst"
    both = Both(User("https://idp", "bob", frozenset({"support"})), Workload("spiffe://x/other"))
    assert policy.acting(caller(principal=both)) == "support"
    with pytest.raises(Forbidden):
        policy.acting(caller(principal=User("https://idp", "bob", frozenset())))


def test_a_role_may_be_asked_for_only_where_it_is_held() -> None:
    policy = parse_policy(
        {
            "support": {"tables": [], "groups": ["support"]},
            "analyst": {"tables": [], "groups": ["analysts"]},
        }
    )
    assert policy.acting(caller("analysts", "support"), "analyst") == "analyst"
    assert policy.acting(caller("analysts", "support"), "support") == "support"
    for asked in ("support", "boss", "Analyst", " "):
        with pytest.raises(Forbidden):
            policy.acting(caller("analysts"), asked)


def test_a_key_holds_the_roles_that_name_it_and_is_no_user_of_that_name() -> None:
    policy = parse_policy(
        {
            "boss": {"tables": [], "users": ["k1"]},
            "analyst": {"tables": [], "keys": ["k1", "ann"]},
        }
    )
    key = User("pierhead:keys", "k1", frozenset())
    assert policy.acting(caller(principal=key)) == "analyst"
    with pytest.raises(Forbidden):
        policy.acting(caller())
    assert policy.acting(caller(principal=User("https://idp", "k1", frozenset()))) == "boss"


def test_a_masked_column_is_read_as_its_mask_and_a_hashed_one_is_not_there() -> None:
    masks = {"email": "null", "name": "hash"}
    (customers,) = view({"customers": {"operations": ["read"], "columns": {"mask": masks}}}).tables
    assert [column.name for column in customers.columns] == ["id", "email"]
    assert customers.columns_read == {"id"}


@pytest.mark.parametrize(("mask", "type_"), [("year", "text"), ("bucket", "text"), ("bucket", "date"), ("year", "int")])
def test_a_mask_that_its_column_cannot_take_does_not_start(mask: str, type_: str) -> None:
    stored = StoredTable("public", "t", "table", (StoredColumn("c", type_, True, False),))
    catalog = Catalog("postgres", "shop", "public", (stored,))
    policy = parse_policy({"a": {"tables": {"t": {"operations": ["read"], "columns": {"mask": {"c": mask}}}}}})
    with pytest.raises(Misconfigured, match=f"{mask} does not fit"):
        compile_role("a", policy.roles["a"], catalog)


def test_a_single_role_without_holders_is_everyones() -> None:
    assert parse_policy({"analyst": {"tables": []}}).acting(caller()) == "analyst"


def test_a_single_role_with_holders_is_theirs_alone() -> None:
    with pytest.raises(Forbidden):
        parse_policy({"analyst": {"tables": [], "groups": ["x"]}}).acting(caller("y"))


def test_no_role_is_nobodys() -> None:
    with pytest.raises(Forbidden):
        parse_policy({}).acting(caller("any"))


def test_a_change_of_policy_changes_its_version() -> None:
    one, other = parse_policy({"a": {"tables": ["x"]}}), parse_policy({"a": {"tables": ["y"]}})
    assert one.version != other.version
    assert one.version == parse_policy({"a": {"tables": ["x"]}}).version
