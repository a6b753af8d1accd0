"""What a PrestoDB 0.287 expects to read, out of its plans as it wrote them, less what nobody reads of them."""

from typing import Any

from pierhead.sdk.governed.trino_plan import Steps, constraints_of, scanned, steps_of

UNKNOWN = "NaN"


def statistics(average: float | str = UNKNOWN, nulls: float = 0.0) -> dict[str, Any]:
    return {"nullsFraction": nulls, "averageRowSize": average, "distinctValuesCount": 5000.0}


def estimate(rows: float | str, columns: dict[str, Any], total: float | str = UNKNOWN) -> dict[str, Any]:
    return {"outputRowCount": rows, "totalSize": total, "confident": True, "variableStatistics": columns}


def step(name: str, *before: dict[str, Any], estimates: list[dict[str, Any]], details: str = "") -> dict[str, Any]:
    return {"name": name, "details": details, "children": list(before), "estimates": estimates}


NARROW = {"amount<double>": statistics(), "id<bigint>": statistics()}
FILTERED = step(
    "ScanFilter",
    estimates=[estimate(10_000.0, NARROW, 834_050.0), estimate(2_000.0, NARROW)],
    details="LAYOUT: sales.orders{}\nid := id:bigint:0:REGULAR (1:45)\namount := amount:double:1:REGULAR (1:45)\n"
    'ds:string:-13:PARTITION_KEY\n    :: [["2026-11-18"], ["2026-11-19"]]\n',
)


def test_what_is_read_counts_before_a_filter_and_as_the_engine_counts_it() -> None:
    plan = step(
        "Output", step("RemoteStreamingExchange", FILTERED, estimates=[]), estimates=[estimate(2_000.0, NARROW)]
    )
    assert steps_of(plan) == Steps(rows=10_000.0, bytes=180_000.0, answered=2_000.0)


def test_widths_are_those_of_the_types_and_of_the_statistics() -> None:
    columns = {
        "price<decimal(12,2)>": statistics(),
        "large<decimal(38,2)>": statistics(),
        "day<date>": statistics(),
        "text<varchar(79)>": statistics(48.0, nulls=0.5),
        "odd<map(varchar, bigint)>": statistics(),
    }
    plan = step("TableScan", estimates=[estimate(2.0, columns)], details="$hashvalue := combine_hash(0) (1:1)\n")
    assert steps_of(plan).bytes == 2 * (9 + 17 + 5 + (5 + 24) + 55)


def test_a_column_without_statistics_is_taken_for_wide() -> None:
    plan = step("TableScan", estimates=[estimate(10.0, {})], details="a := a:varchar:0 (1:8)\nb := b:bigint:1 (1:9)\n")
    assert steps_of(plan) == Steps(rows=10.0, bytes=2 * 10 * 55.0, answered=10.0)


def test_a_part_that_is_unknown_leaves_all_of_it_unknown() -> None:
    unknown = step("TableScan", estimates=[estimate(UNKNOWN, {})])
    assert steps_of(step("InnerJoin", FILTERED, unknown, estimates=[])) == Steps(None, None, None)
    assert steps_of(step("InnerJoin", FILTERED, step("Unnamed", estimates=[]), estimates=[])).bytes is None
    sized = step("TableScan", estimates=[estimate(UNKNOWN, {}, 4_000.0)])
    assert steps_of(sized) == Steps(rows=None, bytes=4_000.0, answered=None)


def test_constants_are_not_read() -> None:
    assert steps_of(step("Values", estimates=[estimate(2.0, {})])) == Steps(rows=0, bytes=0, answered=2.0)


def constrained(*days: str) -> dict[str, Any]:
    ranges = [{"low": {"value": day, "bound": "EXACTLY"}, "high": {"value": day, "bound": "EXACTLY"}} for day in days]
    column = {"columnName": "ds", "typeSignature": "varchar", "domain": {"nullsAllowed": False, "ranges": ranges}}
    table = {"catalog": "barn", "schemaTable": {"schema": "sales", "table": "orders"}}
    return {"inputTableColumnInfos": [{"table": table, "columnConstraints": [column]}]}


def test_every_partition_there_is_narrows_nothing() -> None:
    everything = constrained("2026-11-17", "2026-11-18")
    [scan] = scanned(everything, constraints_of(everything))
    assert scan.filtered == frozenset()
    [scan] = scanned(constrained("2026-11-18"), constraints_of(everything))
    assert (scan.schema, scan.table, scan.filtered) == ("sales", "orders", {"ds"})
