"""The public corpus against the guard alone: the verdict is the tree's."""

import pytest
from tests.shop import CANARIES, Entry, analyst_view, entries

from pierhead.sdk.sqlguard import CODES, SqlRefused, govern

# Not refused but made harmless: the statement reads permitted columns only. The integration tests run these.
HARMLESS = {
    "postgres-d152": "a whole row is its permitted columns",
    "postgres-d155": "a whole row is its permitted columns",
    "postgres-d156": "the row has no such field any more",
    "postgres-d157": "a whole row is its permitted columns",
    "sqlite-d097": "NATURAL joins permitted columns",
    "duckdb-d118": "no permitted column matches",
    "duckdb-d120": "a whole row is its permitted columns",
    "duckdb-d122": "a star is the permitted columns",
    "duckdb-d127": "a whole row is its permitted columns",
    "tsql-d121": "FOR JSON shapes permitted columns",
}
# Left to limits that only a running engine has.
LEFT_TO_LIMITS = {"trino-d117": "the cost of a regular expression"}


@pytest.mark.parametrize("entry", [e for e in entries() if e.expected == "deny"], ids=lambda e: e.id)
def test_an_attack_is_refused_or_known_to_be_harmless(entry: Entry) -> None:
    if entry.id in HARMLESS | LEFT_TO_LIMITS:
        query = govern(entry.sql, analyst_view(entry.dialect), max_rows=50)
        assert "secrets" not in query.sql
        return
    with pytest.raises(SqlRefused) as refusal:
        govern(entry.sql, analyst_view(entry.dialect), max_rows=50)
    assert refusal.value.code in CODES
    assert refusal.value.message
    spoken = refusal.value.hint
    assert not any(word in spoken for word in (*CANARIES, "secrets", "salaries", "email", "leaky"))


@pytest.mark.parametrize("entry", [e for e in entries() if e.expected == "allow"], ids=lambda e: e.id)
def test_a_legitimate_read_is_governed(entry: Entry) -> None:
    query = govern(entry.sql, analyst_view(entry.dialect), max_rows=50)
    assert query.sql
    assert query.explain == entry.sql.startswith("EXPLAIN")
    assert query.limit == 51


@pytest.mark.parametrize("identifier", sorted(HARMLESS | LEFT_TO_LIMITS))
def test_every_exception_names_an_entry_of_the_corpus(identifier: str) -> None:
    assert identifier in {entry.id for entry in entries()}
