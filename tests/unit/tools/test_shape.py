"""Sizes: what is too large is found, and an exception may only shrink."""

from pathlib import Path

import pytest
from tools.findings import Source
from tools.shape import Allowed, check_shape, measure, percentile_90, read_exceptions


def _function(lines: int, name: str = "long") -> str:
    return f"def {name}():\n" + "    pass\n" * (lines - 1)


def _messages(text: str, *allowed: Allowed) -> list[str]:
    short = "".join(_function(2, f"short_{index}") for index in range(20))
    return [finding.message for finding in check_shape([Source("a.py", text), Source("b.py", short)], allowed)]


def test_a_function_of_the_maximum_passes_and_one_line_more_does_not() -> None:
    assert _messages(_function(50)) == []
    assert _messages(_function(51)) == ["long() has 51 lines; 50 is the limit: split it"]


def test_a_module_of_the_maximum_passes_and_one_line_more_does_not() -> None:
    assert _messages("x = 1\n" * 400) == []
    assert _messages("x = 1\n" * 401) == ["module has 401 lines; 400 is the limit: split it"]


def test_nested_functions_and_methods_are_measured_by_their_dotted_name() -> None:
    source = Source("a.py", "class A:\n    async def b(self):\n        def c():\n            pass\n")
    assert [(item.name, item.lines) for item in measure(source)] == [("", 4), ("A.b", 3), ("A.b.c", 2)]


def test_most_functions_must_be_short() -> None:
    text = "".join(_function(31, f"f{index}") for index in range(9))
    messages = [finding.message for finding in check_shape([Source("a.py", text)], [])]
    assert messages == ["9 of 10 functions have up to 31 lines; 30 is the limit"]


@pytest.mark.parametrize(("lengths", "expected"), [([], 0), ([7], 7), ([1] * 9 + [99], 1), ([1] * 8 + [99, 99], 99)])
def test_the_percentile_is_the_length_that_nine_of_ten_do_not_exceed(lengths: list[int], expected: int) -> None:
    assert percentile_90(lengths) == expected


def test_an_exact_exception_with_a_reason_is_put_up_with() -> None:
    assert _messages(_function(55), Allowed("a.py", "long", 55, "one table")) == []


def test_an_exception_may_not_grow() -> None:
    assert _messages(_function(56), Allowed("a.py", "long", 55, "one table")) == [
        "long() grew from 55 to 56 lines: it may only shrink"
    ]


def test_an_exception_follows_the_code_that_shrank() -> None:
    assert _messages(_function(53), Allowed("a.py", "long", 55, "one table")) == ["a.py long: shrank; write lines = 53"]


def test_an_exception_within_the_limit_or_without_code_is_a_finding() -> None:
    assert _messages(_function(9), Allowed("a.py", "long", 55, "r")) == [
        "a.py long: is within the limit now; remove the entry"
    ]
    assert _messages("", Allowed("a.py", "gone", 55, "r")) == ["a.py gone: is not there; remove the entry"]


def test_an_exception_needs_a_reason() -> None:
    assert _messages(_function(55), Allowed("a.py", "long", 55, " ")) == ["a.py long: an exception needs a reason"]


def test_exceptions_are_read_from_their_file(tmp_path: Path) -> None:
    file = tmp_path / "exceptions.toml"
    assert read_exceptions(file) == []
    file.write_text('[[exception]]\npath = "a.py"\nlines = 401\nreason = "r"\n', encoding="utf-8")
    assert read_exceptions(file) == [Allowed("a.py", "", 401, "r")]
