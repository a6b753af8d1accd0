"""sqlglot dialects as the guard uses them: one shared instance each, configured for regeneration.

Not here: any rule about what may run. Below: sqlglot alone.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as SqlglotDialect
from sqlglot.dialects.mysql import MySQL
from sqlglot.dialects.oracle import Oracle
from sqlglot.dialects.sqlite import SQLite

from pierhead.sdk.sqlguard.view import Dialect

# Strings and quoted names are passed over.
_EXCEPT = re.compile(r"""(?P<kept>'(?:[^']|'')*'|"[^"]*")|\bEXCEPT\b""")


class QuotedSQLite(SQLite):
    """SQLite reads `"email"` as the text 'email' when there is no such column; it never does so for `email`
    in backticks. Python 3.11 cannot switch the misfeature off, so we do not write double quotes.
    """

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS: ClassVar = ["`", '"', ("[", "]")]


class MariaDB(MySQL):
    """MySQL, written so that MariaDB reads it too: it has no REGEXP_LIKE, and it has MEDIAN.

    sqlglot's compiled writers cannot be derived from, so what they write otherwise is written here, from the
    inside out, and stands in the tree as text.
    """

    def generate(self, expression: exp.Expr, copy: bool = True, **opts: Any) -> str:  # noqa: ANN401 - sqlglot's
        tree = expression.copy() if copy else expression
        for node in reversed(list(tree.find_all(exp.RegexpLike, exp.Median))):
            parts = [super(MariaDB, self).generate(part, **opts) for part in node.iter_expressions()]
            if isinstance(node, exp.Median):
                node.replace(exp.Var(this=f"MEDIAN({parts[0]})"))
            elif not node.args.get("flag"):
                node.replace(exp.Var(this=f"(({parts[0]}) REGEXP ({parts[1]}))"))
        return super().generate(tree, copy=False, **opts)


class OracleWithMinus(Oracle):
    """Oracle, which reads EXCEPT only since 21c and MINUS always."""

    def generate(self, expression: exp.Expr, copy: bool = True, **opts: Any) -> str:  # noqa: ANN401 - sqlglot's
        text = super().generate(expression, copy=copy, **opts)
        return _EXCEPT.sub(lambda found: found[0] if found["kept"] else "MINUS", text)


_INSTANCES: Mapping[Dialect, SqlglotDialect] = {
    "sqlite": QuotedSQLite(),
    "postgres": SqlglotDialect.get_or_raise("postgres"),
    "duckdb": SqlglotDialect.get_or_raise("duckdb"),
    "mysql": MariaDB(),
    "trino": SqlglotDialect.get_or_raise("trino"),
    "tsql": SqlglotDialect.get_or_raise("tsql"),
    "oracle": OracleWithMinus(),
    "snowflake": SqlglotDialect.get_or_raise("snowflake"),
}


def sqlglot_dialect(dialect: Dialect) -> SqlglotDialect:
    return _INSTANCES[dialect]
