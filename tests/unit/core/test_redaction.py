"""What is kept of arguments: shapes, never values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.json import Json
from pierhead.core.redaction import redact


def test_shapes_are_kept_and_values_are_not() -> None:
    value = {"sql": "SELECT 1", "limit": 10, "dry": True, "none": None, "rows": [1, 2], "inner": {"rate": 0.5}}
    assert redact(value) == {
        "sql": "[text 8]",
        "limit": "[number]",
        "dry": "[boolean]",
        "none": None,
        "rows": "[list 2]",
        "inner": {"rate": "[number]"},
    }


@pytest.mark.parametrize(
    "name",
    ["password", "Passphrase", "db_passwd", "client_secret", "accessToken", "api_key", "apikey", "Authorization",
     "cookie", "credentials", "private_key", "dsn", "session_id"],
)  # fmt: skip
def test_a_member_that_speaks_of_a_secret_is_withheld_whole(name: str) -> None:
    assert redact({name: {"kind": "x", "length": 12}}) == {name: "[secret]"}


def test_deep_and_wide_values_are_cut() -> None:
    deep: Json = "end"
    for _ in range(10):
        deep = {"a": deep}
    assert json.dumps(redact(deep)).count("{") == 6
    assert "[deep]" in json.dumps(redact(deep))
    wide = redact({f"k{index}": 1 for index in range(80)})
    assert isinstance(wide, dict)
    assert len(wide) == 50


def test_long_names_are_cut() -> None:
    kept = redact({"n" * 65: 1, "m" * 64: 1})
    assert kept == {"n" * 61 + "...": "[number]", "m" * 64: "[number]"}


MARK = "c0ffee-7351"
leaves: st.SearchStrategy[Json] = st.just(MARK) | st.just(73517351) | st.just(7351.7351) | st.none() | st.booleans()
trees: st.SearchStrategy[Json] = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4)
)


@given(trees)
def test_no_value_is_ever_kept(value: Json) -> None:
    kept = json.dumps(redact(value))
    assert MARK not in kept
    assert "7351" not in kept
    assert "true" not in kept
    assert "false" not in kept
