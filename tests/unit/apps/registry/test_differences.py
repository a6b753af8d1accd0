"""What differs between two versions, piece by piece: nothing is lost, and long texts stay quick."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.samples import TOOL

from pierhead.apps.registry.web.differences import Piece, entry_differences, lines, tool_differences, words


@given(before=st.text(), after=st.text())
def test_both_texts_can_be_put_together_again(before: str, after: str) -> None:
    pieces = words(before, after)

    assert "".join(piece.text for piece in pieces if piece.kind != "in") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "out") == after


def test_words_that_stay_are_not_said_to_change() -> None:
    assert words("at most 1,000 rows", "at most 5,000 rows") == (
        Piece("same", "at most "),
        Piece("out", "1,000"),
        Piece("in", "5,000"),
        Piece("same", " rows"),
    )
    assert lines("a\nb", "a\nc") == (Piece("same", "a"), Piece("out", "b"), Piece("in", "c"))


def test_a_text_too_long_to_compare_is_shown_whole() -> None:
    long = "word " * 5000

    assert [piece.kind for piece in words(long, long + "more")] == ["out", "in"]


def test_tools_are_added_removed_changed_or_the_same() -> None:
    changed = replace(TOOL, description="Other words.")
    added, gone = replace(TOOL, name="new"), replace(TOOL, name="gone")
    found = tool_differences([TOOL, gone], [changed, added])

    assert [(each.tool, each.what) for each in found] == [
        ("gone", "removed"),
        ("new", "added"),
        ("run_query", "changed"),
    ]
    assert tool_differences([TOOL], [TOOL]) == ()


def test_members_of_an_entry_differ_by_what_they_hold() -> None:
    [egress, url] = entry_differences({"kind": "http", "url": "a"}, {"kind": "http", "url": "b", "egress": ["x"]})

    assert (egress.member, [piece.kind for piece in egress.pieces]) == ("egress", ["in"])
    assert url.pieces == (Piece("out", '"a"'), Piece("in", '"b"'))
