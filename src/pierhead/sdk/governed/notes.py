"""What a call on a source leaves in the audit: names, versions, digests and counts. No value of any row.

Every lane notes through here, so that details read alike. Not here: where they are kept (`pierhead.note`).
"""

import hashlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from pierhead.sdk import note
from pierhead.sdk.governed.engine import Rows, SecondOpinionDiffers
from pierhead.sdk.governed.source import Acting, Ground
from pierhead.sdk.sqlguard import GovernedQuery, SqlRefused, View, without_literals

Facts = Mapping[str, Any]


def note_acting(lane: str, ground: Ground, acting: Acting) -> None:
    """Who acts, and under what: the first note of every lane."""
    note(lane=lane, role=acting.name, policy=ground.policy.version, schema=ground.catalog.version)


def note_statement(sql: str, view: View, *, with_text: bool) -> None:
    """The caller's statement, before anything is known of it."""
    note(**_statement(sql, view, with_text=with_text))


def permitted(query: GovernedQuery, sql: str, view: View, *, with_text: bool) -> Facts:
    """What is noted of a permitted statement, the same at each of its runs."""
    functions = {"functions": [f"{each.schema}.{each.name}" for each in query.functions]} if query.functions else {}
    return {
        **functions,
        **_statement(sql, view, with_text=with_text),
        "executed": digest(query.sql),
        "tables": [view.display_name(table) for table in query.tables],
        "columns": list(query.columns),
        "verdict": "permitted",
        "second_opinion": "agrees",
    }


def note_refusal(refusal: SqlRefused) -> None:
    note(verdict="refused", rule=refusal.code)


@contextmanager
def noting_disagreement(query: GovernedQuery) -> Generator[None]:
    """Around whatever asks the engine for its second opinion."""
    try:
        yield
    except SecondOpinionDiffers as differs:
        note(verdict="refused", rule=differs.code, second_opinion="differs", executed=digest(query.sql))
        raise


def note_answer(answer: Rows, count: int, cut: str) -> None:
    """What came of a run: how many rows were answered, and what ended them early."""
    note(rows=count, cut=cut)
    if answer.query_id:
        note(query_id=answer.query_id)


def note_count(count: int) -> None:
    """What came of a stream, whose rows were written as they came."""
    note(rows=count, cut="")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _statement(sql: str, view: View, *, with_text: bool) -> Facts:
    text = {"text": without_literals(sql, view.dialect)} if with_text else {}
    return {"statement": digest(sql), **text}
