"""What `"t$partitions"` of each engine and connector says of keys and counts, by the columns they really have."""

from pierhead.servers.presto.partitions import Partitioning, partitioning_out_of

ROW = 'row("min" bigint, "max" bigint, "null_count" bigint)'


def test_trino_has_the_keys_of_iceberg_in_one_row() -> None:
    types = {"partition": "row(ds date, hour integer)", "record_count": "bigint", "file_count": "bigint"}
    found = partitioning_out_of(types)
    assert (found.kind, found.keys, found.types) == ("iceberg", ("ds", "hour"), ("date", "integer"))
    assert (found.prefix, found.count) == ("p.partition.", "p.record_count")
    assert found.narrowing_is_told


def test_prestodb_has_the_keys_of_iceberg_before_the_counts() -> None:
    types = {"ds": "date", "row_count": "bigint", "file_count": "bigint", "total_size": "bigint", "id": ROW}
    found = partitioning_out_of(types)
    assert found == Partitioning("iceberg", ("ds",), ("date",), "p.", "p.row_count")
    assert not found.narrowing_is_told


def test_an_iceberg_table_of_prestodb_without_partitions_has_no_keys() -> None:
    types = {"row_count": "bigint", "file_count": "bigint", "total_size": "bigint", "id": ROW}
    assert partitioning_out_of(types).keys == ()


def test_hive_has_the_keys_alone() -> None:
    assert partitioning_out_of({"ds": "varchar", "hour": "integer"}).keys == ("ds", "hour")
    assert partitioning_out_of({"row_count": "integer"}) == Partitioning("hive", ("row_count",), ("integer",))
