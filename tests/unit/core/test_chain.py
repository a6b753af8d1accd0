"""Lines of a journal: only the very next one follows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.chain import START, Head, follow, next_line, read_line
from pierhead.core.errors import Invalid

payloads = st.lists(
    st.sampled_from((b"{}", b'{"kind":"call-lost","call_id":"a"}', b'{"a":"}"}')), min_size=1, max_size=6
)


def _lines(texts: list[bytes]) -> list[bytes]:
    lines, head = [], START
    for number, text in enumerate(texts):
        head, line = next_line(head, 1_700_000_000_000 + number, text)
        lines.append(line)
    return lines


def _walk(lines: list[bytes]) -> Head:
    head = START
    for line in lines:
        head = follow(head, read_line(line))
    return head


@given(payloads)
def test_what_is_written_reads_back_in_its_place(texts: list[bytes]) -> None:
    lines = _lines(texts)
    assert [read_line(line + b"\n").payload for line in lines] == texts
    assert _walk(lines).sequence == len(texts)


@given(payloads, st.data())
def test_no_byte_of_a_line_can_be_changed(texts: list[bytes], data: st.DataObject) -> None:
    lines = _lines(texts)
    number = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[number]) - 1))
    byte = data.draw(st.integers(32, 126).filter(lambda found: found != lines[number][place]))
    changed = lines[number][:place] + bytes([byte]) + lines[number][place + 1 :]
    with pytest.raises(Invalid):
        _walk([*lines[:number], changed, *lines[number + 1 :]])


@given(payloads.filter(lambda texts: len(texts) > 1), st.data())
def test_no_line_but_the_last_can_be_left_out(texts: list[bytes], data: st.DataObject) -> None:
    lines = _lines(texts)
    gone = data.draw(st.integers(0, len(lines) - 2))
    with pytest.raises(Invalid) as refused:
        _walk([line for number, line in enumerate(lines) if number != gone])
    assert refused.value.code == "chain-gap"


def test_each_break_is_told_apart() -> None:
    first, second = (read_line(line) for line in _lines([b"{}", b"{}"]))
    after = follow(START, first)
    for wrong, message in (
        (replace(second, sequence=3), "record 3 stands where 2 belongs"),
        (replace(second, previous="0" * 64), "record 2 does not name the hash of the record before it"),
        (replace(second, payload=b'{"a":1}'), "record 2 does not match its hash"),
    ):
        with pytest.raises(Invalid, match=message):
            follow(after, wrong)


@pytest.mark.parametrize("line", [b"", b"{}", b'{"seq":0}', b"\xff", b'{"seq": 1}'])
def test_what_is_no_record_is_unreadable(line: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        read_line(line)
    assert refused.value.code == "record-unreadable"
