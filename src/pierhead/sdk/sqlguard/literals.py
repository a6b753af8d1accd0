"""A statement's text without what a caller wrote as values: for records that keep statements.

Reads tokens only, so it also serves a statement that was refused. Not here: what may run.
"""

from sqlglot.errors import SqlglotError

from pierhead.sdk.sqlguard.dialects import sqlglot_dialect
from pierhead.sdk.sqlguard.view import Dialect

_LONGEST = 20_000


def without_literals(sql: str, dialect: Dialect) -> str:
    """`sql` with `?` for every literal and without comments; empty where it cannot be read.

    SQLite takes a quoted name that it does not know for a text, so quoted names go there, too.
    """
    try:
        tokens = sqlglot_dialect(dialect).tokenize(sql[:_LONGEST])
    except (SqlglotError, ValueError, IndexError):
        return ""
    hidden = {"NUMBER", "IDENTIFIER"} if dialect == "sqlite" else {"NUMBER"}
    kinds = ((token.token_type.name, token.text) for token in tokens)
    return " ".join("?" if kind in hidden or kind.endswith("STRING") else text for kind, text in kinds)
