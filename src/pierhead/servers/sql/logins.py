"""What a source's own login could do besides what the roles need, judged.

The guard is the first wall and the login the second: a hole in one must not be a hole in both. Not here: asking the
engine (`check_login` of engines/), and how to make a better login (grants.py).
"""

from collections.abc import Iterator
from typing import Final

from pierhead.sdk.database import Finding
from pierhead.sdk.governed.engine import LoginReport, TableNames
from pierhead.sdk.governed.policy import Policy
from pierhead.sdk.governed.source import Ground
from pierhead.servers.sql.grants import needs

_SHOWN: Final = 6


def findings(report: LoginReport, ground: Ground, policy: Policy) -> tuple[Finding, ...]:
    """One line a question; `danger` is what the SQL lane should not run under."""
    return tuple(_findings(report, ground, policy))


def _findings(report: LoginReport, ground: Ground, policy: Policy) -> Iterator[Finding]:
    yield Finding("login", "ok", report.name or "the engine knows no users; its file is the border")
    if report.name:
        yield _danger("superuser", holds=report.is_superuser, said="every grant and every row rule is passed by")
        owned = f"owns {_listed(report.owned, ground)}: an owner may read, change and drop them"
        yield _danger("ownership", holds=bool(report.owned), said=owned)
        yield _danger("files", holds=report.reaches_files, said="reaches files or programs of the database's machine")
    wanted = needs(ground, policy)
    written = frozenset((need.schema, need.table) for need in wanted if need.writes)
    yield _advice("writing", report.writable - written, "can write what no role writes:", ground)
    read = frozenset((need.schema, need.table) for need in wanted)
    yield _advice("reading", report.readable - read, "can read what no role reads:", ground)


def _danger(check: str, *, holds: bool, said: str) -> Finding:
    return Finding(check, "danger", said) if holds else Finding(check, "ok", "no")


def _advice(check: str, tables: TableNames, said: str, ground: Ground) -> Finding:
    return Finding(check, "advice", f"{said} {_listed(tables, ground)}") if tables else Finding(check, "ok", "no")


def _listed(tables: TableNames, ground: Ground) -> str:
    names = sorted(name if schema == ground.catalog.schema else f"{schema}.{name}" for schema, name in tables)
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
