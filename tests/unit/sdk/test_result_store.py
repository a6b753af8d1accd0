"""Results that are kept: read by whom they are of, piece by piece, until they expire or make room."""

from pathlib import Path

import pytest

from pierhead.core.errors import NotFound
from pierhead.core.identity import Caller, User, Workload
from pierhead.sdk.result_store import ResultStore

ANN = Caller(User("https://idp.example", "ann", frozenset()), "ide", "test", "call-1")
BEN = Caller(User("https://idp.example", "ben", frozenset()), "ide", "test", "call-2")
AGENT = Caller(Workload("spiffe://corp.example/agent"), "agent", "test", "call-3")
ELSEWHERE = Caller(User("https://idp.example", "ann", frozenset()), "ide", "prod", "call-4")
ROWS = [[number, f"row {number}"] for number in range(500)]


@pytest.fixture
def time() -> list[float]:
    return [1_000.0]


@pytest.fixture
def store(tmp_path: Path, time: list[float]) -> ResultStore:
    return ResultStore(tmp_path / "results", now=lambda: time[0], seconds=60, most_bytes=30_000)


def kept(store: ResultStore) -> str:
    handle = store.put(ANN, ["number", "text"], ROWS)
    assert handle is not None
    return handle.handle


def test_a_result_is_read_piece_by_piece(store: ResultStore) -> None:
    handle = kept(store)
    first = store.read(ANN, handle, limit=1_000)
    assert (first.head, len(first.items), first.next_offset, first.total) == (["number", "text"], 200, 200, 500)
    last = store.read(ANN, handle, offset=400, limit=200)
    assert (last.items[0], len(last.items), last.next_offset) == ([400, "row 400"], 100, None)


def test_rows_are_found_by_a_literal_text(store: ResultStore) -> None:
    found = store.read(ANN, kept(store), contains="ROW 49")
    assert [row[0] for row in found.items] == [49, *range(490, 500)]
    assert store.read(ANN, kept(store), contains="row .*").items == []


@pytest.mark.parametrize("other", [BEN, AGENT, ELSEWHERE])
def test_a_result_of_another_reads_as_absent(store: ResultStore, other: Caller) -> None:
    handle = kept(store)
    with pytest.raises(NotFound) as refused:
        store.read(other, handle)
    with pytest.raises(NotFound) as absent:
        store.read(other, "res_" + "0" * 32)
    assert (refused.value.code, refused.value.message) == (absent.value.code, absent.value.message)


@pytest.mark.parametrize("handle", ["../../etc/passwd", "res_", "res_" + "0" * 31 + "/", "", "res_" + "G" * 32])
def test_a_handle_never_becomes_a_path(store: ResultStore, handle: str) -> None:
    with pytest.raises(NotFound):
        store.read(ANN, handle)


def test_a_result_expires(store: ResultStore, time: list[float]) -> None:
    handle = kept(store)
    time[0] += 61
    with pytest.raises(NotFound):
        store.read(ANN, handle)


def test_the_oldest_makes_room_and_what_is_larger_than_all_is_not_kept(store: ResultStore, tmp_path: Path) -> None:
    for _ in range(6):
        assert store.put(ANN, [], ROWS) is not None
    assert sum(file.stat().st_size for file in (tmp_path / "results").iterdir()) <= 30_000
    assert store.put(ANN, [], ROWS * 20) is None


def test_only_the_server_reads_the_files(store: ResultStore, tmp_path: Path) -> None:
    file = tmp_path / "results" / kept(store)
    assert file.stat().st_mode & 0o077 == 0


def test_a_server_without_a_folder_keeps_results_while_it_runs() -> None:
    store = ResultStore(None, now=lambda: 0.0)
    assert store.read(ANN, kept(store), limit=1).items == [[0, "row 0"]]
    store.close()
