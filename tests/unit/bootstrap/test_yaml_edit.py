"""One value set in a YAML text: the document says exactly what was asked for, and all else stands as it stood."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pierhead.bootstrap.yaml_edit import with_value
from pierhead.core.errors import Misconfigured

FILE = Path("roles.yaml")
WRITTEN = """\
# who reads what
roles:
  analyst:   # the first
    tables: [orders, products]  # short form
    operations:
      - read
    # the end of analyst
  support:
    tables: {customers: {operations: [read]}}
    sql: false
"""


def test_a_value_is_replaced_and_every_comment_stays() -> None:
    edited = with_value(FILE, WRITTEN, ("roles", "analyst", "tables"), ["orders"])
    assert edited == WRITTEN.replace("[orders, products]", "[orders]")


def test_a_block_list_becomes_one_line() -> None:
    edited = with_value(FILE, WRITTEN, ("roles", "analyst", "operations"), ["read", "create"])
    assert "    operations: [read, create]\n    # the end of analyst\n  support:" in edited


def test_a_new_member_stands_behind_the_others_of_its_mapping() -> None:
    edited = with_value(FILE, WRITTEN, ("roles", "analyst", "limits", "rows"), 50)
    assert yaml.safe_load(edited)["roles"]["analyst"]["limits"] == {"rows": 50}
    assert "# the end of analyst" in edited


def test_a_new_member_of_a_mapping_on_one_line_stands_on_it() -> None:
    edited = with_value(FILE, WRITTEN, ("roles", "support", "tables", "customers", "rows"), "region.eq.EU")
    assert "{customers: {operations: [read], rows: region.eq.EU}}" in edited


def test_an_empty_text_becomes_a_file() -> None:
    edited = with_value(FILE, "# roles of the shop", ("roles", "analyst", "tables"), ["orders", "products"])
    assert edited == "# roles of the shop\nroles:\n  analyst:\n    tables: [orders, products]\n"


def test_a_mapping_with_nothing_in_it_is_filled() -> None:
    edited = with_value(FILE, "roles:\n  analyst:\n", ("roles", "analyst", "tables"), ["orders"])
    assert yaml.safe_load(edited) == {"roles": {"analyst": {"tables": ["orders"]}}}


def test_a_list_has_no_members() -> None:
    with pytest.raises(Misconfigured, match="tables is a list"):
        with_value(FILE, WRITTEN, ("roles", "analyst", "tables", "orders"), [])


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
VALUES = st.recursive(
    st.booleans() | st.integers() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=6,
)


@given(
    document=st.dictionaries(NAMES, VALUES, min_size=1, max_size=4),
    place=st.lists(NAMES, min_size=1, max_size=3),
    value=st.lists(NAMES, max_size=3) | NAMES | st.integers(),
    style=st.sampled_from([None, True, False]),
    data=st.data(),
)
def test_it_is_right_or_refused_whatever_stands_there(
    document: dict[str, Any], place: list[str], value: object, style: bool | None, data: st.DataObject
) -> None:
    text = yaml.safe_dump(document, default_flow_style=style, allow_unicode=True)
    place[0] = data.draw(st.sampled_from([*document, place[0]]))
    try:
        edited = with_value(FILE, text, tuple(place), value)
    except Misconfigured:
        return
    expected: Any = yaml.safe_load(text)
    here = expected
    for key in place[:-1]:
        here[key] = here.get(key) or {}
        here = here[key]
    here[place[-1]] = value
    assert yaml.safe_load(edited) == expected
