"""What a caller learns of an error of SQL Server, Oracle or Snowflake: by number or class, never by the driver's text.

Apart from the engines, so that it can be tested without their drivers.
"""

from collections.abc import Mapping
from typing import Final

from pierhead.sdk import UpstreamUnreachable
from pierhead.sdk.governed.engine import out_of_memory, rejected, took_too_long

# What a caller may be told, by ORA number. The server's text may hold values of hidden rows.
_ORACLE_REASONS: Final[Mapping[int, str]] = {
    904: "there is no such column where it is used",
    918: "a column name is ambiguous",
    937: "a column must appear in GROUP BY or in an aggregate",
    942: "the source's own login may not read this",
    979: "a column must appear in GROUP BY or in an aggregate",
    1031: "the source's own login may not read this",
    1427: "a subquery gave more than one row",
    1476: "a value does not fit the operation",
    1722: "a value does not fit the operation",
}
_ORACLE_TIME_IS_UP: Final = frozenset({1013, 3136, 3156, 4024, 54})
_ORACLE_NO_MEMORY: Final = frozenset({4030, 4031, 1489, 1652})
_ORACLE_AWAY: Final = frozenset({1005, 1017, 1033, 1034, 1089, 3113, 3114, 3135, 12514, 12541, 28000, 28001})
_SNOWFLAKE_REASONS: Final[Mapping[int, str]] = {
    904: "there is no such column where it is used",
    979: "a column must appear in GROUP BY or in an aggregate",
    1427: "a subquery gave more than one row",
    2003: "the source's own login may not read this",
    100035: "a value does not fit the operation",
    100038: "a value does not fit the operation",
    100051: "a value does not fit the operation",
}
_SNOWFLAKE_TIME_IS_UP: Final = frozenset({604, 625, 630})
_SNOWFLAKE_NO_MEMORY: Final = frozenset({300005})


def told_by_mssql(kind: str, driver_error: str, text: str, seconds: float) -> Exception:
    """What a caller learns of an error, from its class, its ODBC meaning, and whether a known word is in its text."""
    if "Timeout expired" in driver_error or "Operation canceled" in driver_error or "Lock request time" in text:
        return took_too_long(seconds)
    if "SHOWPLAN permission denied" in text:
        return UpstreamUnreachable(
            "this source's login may not ask for plans, so nothing runs", hint="the owner grants SHOWPLAN to it"
        )
    if "insufficient system memory" in text:
        return out_of_memory()
    if kind in ("OperationalError", "InterfaceError") or "Login failed" in text:
        return UpstreamUnreachable(
            "the database does not answer", hint="try again later, or tell the owner", code="database-unreachable"
        )
    return rejected()


def told_by_oracle(number: int, seconds: float) -> Exception:
    """What a caller learns of an error, from the number in ORA-00904 or DPY-4024."""
    if number in _ORACLE_TIME_IS_UP:
        return took_too_long(seconds)
    if number in _ORACLE_NO_MEMORY:
        return out_of_memory()
    if number in _ORACLE_AWAY or 6000 <= number < 6010 or number == 4011:  # noqa: PLR2004 - the driver's own, DPY-60xx
        return UpstreamUnreachable(
            "the database does not answer", hint="try again later, or tell the owner", code="database-unreachable"
        )
    reason = _ORACLE_REASONS.get(number)
    return rejected(reason) if reason else rejected()


def told_by_snowflake(number: int, kind: str, seconds: float) -> Exception:
    """What a caller learns of an error, from its number and class."""
    if number in _SNOWFLAKE_TIME_IS_UP:
        return took_too_long(seconds)
    if number in _SNOWFLAKE_NO_MEMORY:
        return out_of_memory()
    if kind in ("OperationalError", "InterfaceError", "HttpError") or number // 1_000 in (250, 251, 390):
        return UpstreamUnreachable(
            "the database does not answer", hint="try again later, or tell the owner", code="database-unreachable"
        )
    reason = _SNOWFLAKE_REASONS.get(number)
    return rejected(reason) if reason else rejected()
