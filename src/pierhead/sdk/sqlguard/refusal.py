"""Why a statement is refused, as a value a caller can act on.

Not here: a word about anything outside the role's view. Above: every module of the guard.
"""

from pierhead.core.errors import Invalid, UpstreamUnreachable


class SqlRefused(Invalid):
    """The statement will not run. `code` is one of CODES; the hint says what would."""

    default_code = "unsupported-syntax"


CODES = (
    "parse",
    "several-statements",
    "not-a-read",
    "unsupported-syntax",
    "unknown-function",
    "unknown-table",
    "unknown-column",
    "too-large",
)


def drifted(table: str) -> UpstreamUnreachable:
    """A table that the caller may read, and whose schema is no longer the one that was promised."""
    return UpstreamUnreachable(
        f"the schema of table {table[:128]} has changed, and nobody has accepted the change yet",
        hint="ask the owner of this source; they see the change with: pierhead contract diff",
        code="schema-drift",
    )


def unsupported(what: str, hint: str = "") -> SqlRefused:
    return SqlRefused(
        f"{what} is not supported in governed SQL",
        code="unsupported-syntax",
        hint=hint or "write it with SELECT, joins, subqueries, WITH, set operations and standard expressions",
    )
