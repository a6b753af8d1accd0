"""Patterns that can take for ever, and those that only look like it."""

import pytest

from pierhead.core.pattern import runs_away


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(a+)+$",
            "(a|a)*$",
            "(x+x+)+y",
            "([a-z]+)*",
            "(.*,)*$",
            "((ab)*)*",
            "(a|aa)+$",
            r"(\d+\s?)+$",
            r"(\w+\s*)+:",
        ),
        *(
            "(?:(?:a*)b*)*c",
            "(([a-z])+.)+",
            "(.*){20}",
            r"\s*\s*\s*x",
            "(a+){10,}",
            "(?P<x>a+)+",
            "x(y(a+)+)z",
            "((a)|(a))*",
        ),
        *("(?:[a-z]|[a-c])+", "(a{2,}b?)*", r"([\p{L}]+)*", r"(\p{L}a+)*"),
        *("([=!]{1,2}[a-z]*)+$", "(=+[a-z]+)*", "([=a]{1,2}[a-z]+)+", "([=!]{1,2}(?:a+)?)+$"),
    ],
)
def test_what_can_take_for_ever_is_told(pattern: str) -> None:
    assert runs_away(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "^[a-z]+$",
            "^[a-z]+(-[a-z]+)*$",
            r"^\d{4}-\d{2}$",
            "(a|b)*",
            "(ab|ac)+",
            "^(?:[a-z]+,)*$",
            r"\(x+\)+",
            "[(+*]+",
        ),
        *(
            "(?=a+)b",
            "(?i)abc",
            "a{,3}",
            "(a+)?",
            "(a+){2}",
            "{}",
            "x{}",
            "(|a)",
            "[]a]+",
            r"\x41+",
            "(abc)*",
            "a|b",
            "()*",
        ),
        *("(?:ab)+", r"^\w+@\w+\.\w+$", "", ")", "(", "(?:/[a-z]+)+"),
        *("^[a-z]+([=!,]{1,2}[./a-z]+)+$", "(-{2}[a-z]*)+", "([a-z]+[;,]{1,3})*"),
    ],
)
def test_what_only_looks_like_it_is_taken(pattern: str) -> None:
    assert not runs_away(pattern)
