"""The statement protocol of Trino and Presto, spoken by one small async client for both.

    async with client.running(sql, session, seconds=10, is_read=True) as statement:
        async for rows in statement.batches(): ...

A statement is posted, then its pages are fetched one `nextUri` after the other; leaving the block early ends it in
the engine. Inside: `session` (who asks, as headers), `pages` (what an answer says), `values` (its cells), `literals`
(bound values), `client` (the conversation). It opens no socket of its own: a server hands it an HTTP client. Not
here: what may run (sdk/sqlguard), and what a caller may be told of a failure, whose text is the engine's own.
"""

from pierhead.sdk.statements.client import Running, StatementClient
from pierhead.sdk.statements.literals import filled, literal
from pierhead.sdk.statements.pages import ResultColumn, StatementFailed
from pierhead.sdk.statements.session import Flavour, Session

__all__ = (
    "Flavour",
    "ResultColumn",
    "Running",
    "Session",
    "StatementClient",
    "StatementFailed",
    "filled",
    "literal",
)
