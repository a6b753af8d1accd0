"""Conditions on arguments: what they mean, what they refuse to mean, and how a wrong one is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.bounds import UNBOUNDED, Bounds, read_bounds
from pierhead.core.condition import LONGEST, Condition, parse_condition, unread
from pierhead.core.errors import Invalid
from pierhead.core.reach import EVERY

VALUES: dict[str, Any] = {
    "limit": 10,
    "ratio": 0.5,
    "table": "core.users",
    "tables": ["core.users", "ads.clicks"],
    "dry": True,
    "note": None,
    "filter": {"region": "EU", "deep": {"level": 3}},
}


@pytest.mark.parametrize(
    "text",
    [
        "limit == 10",
        "limit == 10.0",
        "limit != 11",
        "limit < 11 and limit <= 10",
        "limit > 9 and limit >= 10",
        "1 <= limit <= 10",
        "ratio < 1",
        "limit > -1",
        'table == "core.users"',
        'table < "d"',
        'table in ["core.users", "x"]',
        'table not in ["x"]',
        '"ads.clicks" in tables',
        'within(tables, ["core.users", "ads.clicks", "x"])',
        "within([], tables)",
        "len(tables) == 2",
        "len(table) == 10",
        'starts_with(table, "core.")',
        'ends_with(table, ".users")',
        "dry",
        "not dry == false",
        "dry == true and dry != 1",
        "note == null",
        "note == null or note <= 3",
        'filter.region == "EU" and filter.deep.level == 3',
        'tables == ["core.users", "ads.clicks"]',
        'tables != ["core.users"]',
        "false or true",
        "not (true and false)",
        "[1, true] != [1, 1]",
    ],
)
def test_a_condition_that_is_true_holds(text: str) -> None:
    assert parse_condition(text).failing(VALUES) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("limit == 11", "it does not hold"),
        ("limit != 10", "it does not hold"),
        ("limit < 10", "it does not hold"),
        ("limit > 10", "it does not hold"),
        ("limit <= 9", "it does not hold"),
        ("limit >= 11", "it does not hold"),
        ("1 <= limit <= 9", "it does not hold"),
        ("dry == 1", "it does not hold"),
        ("limit == true", "it does not hold"),
        ("true and false", "it does not hold"),
        ("false or false", "it does not hold"),
        ('within(tables, ["core.users"])', "it does not hold"),
        ('starts_with(table, "ads.")', "it does not hold"),
        ('ends_with(table, ".clicks")', "it does not hold"),
        ('tables == ["ads.clicks", "core.users"]', "it does not hold"),
        ('tables == ["core.users"]', "it does not hold"),
        ("absent == 1", "the call gives no absent"),
        ("not absent == 1", "the call gives no absent"),
        ("true and absent == 1", "the call gives no absent"),
        ("filter.absent == 1", "there is no absent in what it names"),
        ("table.absent == 1", "there is no absent in what it names"),
        ('limit < "11"', "it compares what has no order"),
        ("note <= 3", "it compares what has no order"),
        ("dry < 2", "it compares what has no order"),
        ("0 < dry", "it compares what has no order"),
        ('"a" in table', "it looks for a member of what is no list"),
        ("within(table, tables)", "it looks for members of what is no list"),
        ("within(tables, table)", "it looks for a member of what is no list"),
        ("len(limit) == 2", "it takes the length of what has none"),
        ('starts_with(limit, "1")', "it reads as a text what is none"),
        ("starts_with(table, limit)", "it reads as a text what is none"),
        ("limit", "it is neither true nor false"),
        ("limit and dry", "a part of it is neither true nor false"),
        ("not limit", "a part of it is neither true nor false"),
        ("note or dry", "a part of it is neither true nor false"),
    ],
)
def test_what_is_false_or_cannot_be_judged_does_not_hold_and_says_why(text: str, why: str) -> None:
    assert parse_condition(text).failing(VALUES) == why


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("limit <=", "line 1, column 9: it cannot be read"),
        ("", "it cannot be read"),
        ("limit is 3", "column 1: 'is' is not part of the language"),
        ("limit + 1 == 3", "column 1: 'limit + 1' is not part of the language"),
        ("limit == limit + 1", "column 10: 'limit + 1' is not part of the language"),
        ("__import__('os') == 1", "is none of the functions ends_with, len, starts_with, within"),
        ("len(x, y) == 1", "is none of the functions"),
        ("len(x=y) == 1", "is none of the functions"),
        ("table.strip() == 1", "is none of the functions"),
        ("len(len(table)) == 1", "is not part of the language"),
        ("[x for x in tables] == 1", "is not part of the language"),
        ("tables[0] == 1", "is not part of the language"),
        ("(lambda: 1) == 1", "is not part of the language"),
        ("True", "'True' is not part of the language"),
        ("-table == 1", "is not part of the language"),
        ("-true == 1", "is not part of the language"),
        ("b'x' == 1", "is not part of the language"),
        ("1 if dry else 2", "is not part of the language"),
        ("f'{table}' == 1", "is not part of the language"),
        ("a = 1", "it cannot be read"),
        ("limit == 1; limit", "it cannot be read"),
        ("x == '\0'", "it cannot be read"),
    ],
)
def test_what_is_not_part_of_the_language_is_refused_at_its_column(text: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_condition(text)
    assert told in refused.value.message
    assert refused.value.message.startswith("cannot read condition ")
    assert refused.value.code == "policy-syntax"
    assert refused.value.hint


def test_a_condition_has_its_bounds() -> None:
    parse_condition("a".ljust(LONGEST, "a"))
    with pytest.raises(Invalid, match="at most 2000 characters"):
        parse_condition("a" * (LONGEST + 1))
    parse_condition("not " * 30 + "a")
    with pytest.raises(Invalid, match="nested too deeply"):
        parse_condition("not " * 31 + "a")
    with pytest.raises(Invalid, match=r"cannot be read|nested too deeply"):
        parse_condition("(" * 900 + "a" + ")" * 900)


def test_a_condition_on_several_lines_is_one() -> None:
    assert parse_condition("limit <= 10\n  and dry\n") == Condition("limit <= 10   and dry")


def test_a_condition_tells_what_it_reads() -> None:
    condition = parse_condition("len(tables) < 3 and filter.region == table or note == null")
    assert condition.names == {"tables", "filter", "table", "note"}
    assert list(unread((condition,), {"tables": {}, "filter": {}})) == ["note", "table"]
    assert list(unread((), {})) == []


json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from("abc"), json),
    st.sampled_from(["a == b", "a < b", "a in b", "not a", "a and b", "len(a) == b", "within(a, b)", "a.b == c"]),
)
def test_no_value_makes_a_condition_fail_otherwise_than_in_words(values: dict[str, Any], text: str) -> None:
    assert isinstance(parse_condition(text).failing(values), str)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        condition = parse_condition(text)
    except Invalid:
        return
    assert isinstance(condition.failing({}), str)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("limit > 1", set[str]()),
        ("estimate.rows > 1", {"rows"}),
        ("estimate.rows > 1 and estimate.cost < 2", {"rows", "cost"}),
        ("estimate.rows > limit and other.bytes > 1", {"rows"}),
        ("estimate.deep.rows > 1", {"deep"}),
        ('within("rows", estimate)', {""}),
        ('estimate.rows > 1 or within("x", estimate)', {"rows", ""}),
        ("len(other.estimate) > 1", set[str]()),
    ],
)
def test_what_it_reads_of_one_argument_is_told_by_name_and_the_whole_of_it_too(text: str, found: set[str]) -> None:
    assert parse_condition(text).members("estimate") == found


def test_a_text_that_cannot_be_read_is_told_where_it_goes_wrong() -> None:
    for text, column in (("limit == == 1", 10), ("limit \x00", 8), ("limit == 1 and wrong(limit)", 16)):
        with pytest.raises(Invalid, match=rf"column {column}\b"):
            parse_condition(text)


def test_bounds_only_ever_narrow() -> None:
    one, two = parse_condition("limit <= 10"), parse_condition("dry")
    loose, tight = Bounds(EVERY, (one,)), Bounds(frozenset({"help"}), (one, two))
    assert tight.is_within(loose)
    assert not loose.is_within(tight)
    assert loose.is_within(UNBOUNDED)
    assert not UNBOUNDED.is_within(loose)
    assert not Bounds(EVERY, (one, two)).is_within(Bounds(frozenset({"help"}), ()))
    assert Bounds(frozenset(), ()).is_within(Bounds(frozenset({"help"}), ()))


def test_bounds_are_read_as_they_are_written_and_told_in_words() -> None:
    assert read_bounds(None, None) == UNBOUNDED
    assert read_bounds([], None) == Bounds(frozenset(), ())
    assert read_bounds(None, "dry") == Bounds(EVERY, (Condition("dry"),))
    both = read_bounds(["b", "a"], ["dry", "limit <= 1"])
    assert list(both.told()) == ["used only in the channels a, b", "used only when dry", "used only when limit <= 1"]
    assert list(read_bounds([], None).told()) == ["used in no channel"]
    assert list(UNBOUNDED.told()) == []
