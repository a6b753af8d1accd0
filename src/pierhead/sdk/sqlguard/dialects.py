"""sqlglot dialects as the guard uses them: one shared instance each, configured for regeneration.

Not here: any rule about what may run. Below: sqlglot alone.
"""

from collections.abc import Mapping
from typing import ClassVar

from sqlglot.dialects.dialect import Dialect as SqlglotDialect
from sqlglot.dialects.sqlite import SQLite

from pierhead.sdk.sqlguard.view import Dialect


class QuotedSQLite(SQLite):
    """SQLite reads `"email"` as the text 'email' when there is no such column; it never does so for `email`
    in backticks. Python 3.11 cannot switch the misfeature off, so we do not write double quotes.
    """

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS: ClassVar = ["`", '"', ("[", "]")]


_INSTANCES: Mapping[Dialect, SqlglotDialect] = {
    "sqlite": QuotedSQLite(),
    "postgres": SqlglotDialect.get_or_raise("postgres"),
    "duckdb": SqlglotDialect.get_or_raise("duckdb"),
    "mysql": SqlglotDialect.get_or_raise("mysql"),
    "trino": SqlglotDialect.get_or_raise("trino"),
    "tsql": SqlglotDialect.get_or_raise("tsql"),
    "oracle": SqlglotDialect.get_or_raise("oracle"),
    "snowflake": SqlglotDialect.get_or_raise("snowflake"),
}


def sqlglot_dialect(dialect: Dialect) -> SqlglotDialect:
    return _INSTANCES[dialect]
