"""What is kept of arguments: shapes, never values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.json import Json
from pierhead.core.redaction import kept_details, redact


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


def test_notes_keep_their_values_but_no_secret() -> None:
    noted: dict[str, Json] = {"rows": 12, "tables": ["orders"], "cut": "", "access_token": "t0p", "is_cut": False}
    assert kept_details(noted) == {**noted, "access_token": "[secret]"}
    assert kept_details({"a": {"p" * 70 + "assword": "t0p"}}) == {"a": {"p" * 61 + "...": "[secret]"}}


@given(st.dictionaries(st.text(max_size=80), st.text(max_size=5000) | trees | st.lists(st.text()), max_size=80))
def test_notes_are_small_whatever_is_noted(noted: dict[str, Json]) -> None:
    assert len(json.dumps(kept_details(noted), ensure_ascii=False)) < 6000


def test_what_goes_beyond_the_room_for_notes_says_so() -> None:
    assert kept_details({"text": "x" * 3000}) == {"text": "x" * 2048 + "[cut]"}
    many = kept_details({"tables": ["orders"] * 2000})["tables"]
    assert isinstance(many, list)
    assert many[-1] == "[cut]"
    assert 300 < len(many) < 500
    assert kept_details({f"n{number}": "x" * 1000 for number in range(9)})["[cut]"] is True
    deep: Json = "end"
    for _ in range(10):
        deep = [deep]
    assert "[deep]" in json.dumps(kept_details({"deep": deep}))
