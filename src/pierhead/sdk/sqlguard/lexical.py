"""Text -> one parsed statement, or a refusal. The first gate: sizes, characters, one statement, a read.

Not here: what the statement may touch. The checks on tokens come before the parser, so that a long or deep
text costs neither its time nor its stack.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as SqlglotDialect
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from pierhead.sdk.sqlguard.dialects import sqlglot_dialect
from pierhead.sdk.sqlguard.refusal import SqlRefused
from pierhead.sdk.sqlguard.view import Dialect

MAX_CHARACTERS = 20_000
MAX_TOKENS = 5_000
MAX_DEPTH = 60

# Controls, spaces that are not spaces, direction marks: two readers could see two statements.
_EXOTIC = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\xa0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\udfff\ufeff\ufff0-\uffff]"
)
_EXECUTABLE_COMMENT = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|(?:\#|--(?=\s))[^\n]*|/\*(?!M?!).*?\*/|(?P<executable>/\*M?!)""",
    re.DOTALL,
)
_EXPLAIN = re.compile(r"\s*EXPLAIN(?=[\s(])", re.IGNORECASE)
_READS = frozenset({"SELECT", "WITH", "VALUES", "("})
_READS_OF_DUCKDB = _READS | {"FROM", "PIVOT", "UNPIVOT", "TABLE"}
_READS_WITH_TABLE = _READS | {"TABLE"}
_READS_OF: Mapping[Dialect, frozenset[str]] = {
    "duckdb": _READS_OF_DUCKDB,
    "postgres": _READS_WITH_TABLE,
    "mysql": _READS_WITH_TABLE,
    "trino": _READS_WITH_TABLE,
}
# What may stand between EXPLAIN and its statement. ANALYZE runs it; PLAN FOR (Oracle) writes.
_EXPLAIN_OPTION = frozenset(
    {"FORMAT", "JSON", "TEXT", "TREE", "TRADITIONAL", "YAML", "XML", "COSTS", "VERBOSE", "SETTINGS", "SUMMARY"}
    | {"TYPE", "IO", "LOGICAL", "DISTRIBUTED", "VALIDATE", "GRAPHVIZ", "QUERY", "PLAN", "EXTENDED", "ON", "OFF"}
    | {"TRUE", "FALSE", "USING", "TABULAR", "=", ",", "(", ")"}
)


@dataclass(frozen=True, slots=True)
class Statement:
    root: exp.Expr
    is_explained: bool


def parse(sql: str, dialect: Dialect) -> Statement:
    """The single read in `sql`, or SqlRefused."""
    _check_text(sql, dialect)
    engine = sqlglot_dialect(dialect)
    explained = _EXPLAIN.match(sql)
    if explained:  # peeled from the text: some tokenizers swallow the rest of the line behind it
        sql = sql[explained.end() :]
    tokens = _tokenize(sql, engine)
    if explained:
        tokens = _without_options(tokens, dialect)
    _check_first(tokens, dialect)
    return Statement(_only_statement(engine, tokens, sql), is_explained=explained is not None)


def _check_text(sql: str, dialect: Dialect) -> None:
    if len(sql) > MAX_CHARACTERS:
        raise SqlRefused(
            f"the statement has {len(sql)} characters, at most {MAX_CHARACTERS} are read",
            code="too-large",
            hint="join or filter by a subquery instead of a long list",
        )
    found = _EXOTIC.search(sql)
    if found:
        raise SqlRefused(
            f"character U+{ord(found[0]):04X} at position {found.start()} is not read",
            code="parse",
            hint="write plain spaces and line ends",
        )
    if dialect == "mysql" and any(match["executable"] for match in _EXECUTABLE_COMMENT.finditer(sql)):
        raise SqlRefused("a comment that the engine would execute", hint="remove the /*! comment")


def _tokenize(sql: str, engine: SqlglotDialect) -> list[Token]:
    try:
        tokens = engine.tokenize(sql)
    except (SqlglotError, ValueError, IndexError) as error:
        _raise_unreadable(error)
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise SqlRefused("the statement is empty", code="parse", hint="send one SELECT")
    if len(tokens) > MAX_TOKENS:
        raise SqlRefused(
            f"the statement has {len(tokens)} words and signs, at most {MAX_TOKENS} are read", code="too-large"
        )
    if any(token.token_type == TokenType.SEMICOLON for token in tokens):
        raise SqlRefused(
            "more than one statement", code="several-statements", hint="send each statement in its own call"
        )
    _check_depth(tokens)
    return tokens


_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
_PREFIXES = frozenset({TokenType.NOT, TokenType.DASH, TokenType.TILDE, TokenType.PLUS})


def _check_depth(tokens: list[Token]) -> None:
    depth = run = 0
    for token in tokens:
        if token.token_type in _OPENING:
            depth += 1
        elif token.token_type in _CLOSING:
            depth -= 1
        run = run + 1 if token.token_type in _PREFIXES else 0
        if depth > MAX_DEPTH or run > MAX_DEPTH:
            raise SqlRefused(f"the statement is nested deeper than {MAX_DEPTH}", code="too-large")


def _without_options(tokens: list[Token], dialect: Dialect) -> list[Token]:
    """The statement behind EXPLAIN and its options; refused where EXPLAIN would do more than explain."""
    if dialect == "oracle":
        raise SqlRefused(
            "EXPLAIN writes a plan table in this engine",
            code="not-a-read",
            hint="ask the tool that explains statements",
        )
    for position, token in enumerate(tokens):
        word = token.text.upper()
        if word in _READS_OF_DUCKDB and word not in _EXPLAIN_OPTION:
            return tokens[position:]
        if word not in _EXPLAIN_OPTION:
            break
    raise SqlRefused(
        "only EXPLAIN of a read, without ANALYZE, is understood",
        code="not-a-read",
        hint="send the SELECT itself to the tool that explains or validates statements",
    )


def _check_first(tokens: list[Token], dialect: Dialect) -> None:
    reads = _READS_OF.get(dialect, _READS)
    first = tokens[0]
    if first.token_type in (TokenType.STRING, TokenType.IDENTIFIER) or first.text.upper() not in reads:
        raise SqlRefused(
            "the statement is not a read", code="not-a-read", hint="only SELECT, WITH … SELECT and VALUES run here"
        )


def _only_statement(engine: SqlglotDialect, tokens: list[Token], sql: str) -> exp.Expr:
    try:
        statements = engine.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, sql)
    except (SqlglotError, ValueError, TypeError, AttributeError, IndexError, KeyError, RecursionError) as error:
        _raise_unreadable(error)
    roots = [root for root in statements if root is not None]
    if len(roots) != 1:
        raise SqlRefused("more than one statement", code="several-statements", hint="send one at a time")
    return roots[0]


def _raise_unreadable(error: Exception) -> NoReturn:
    """The parser's own text quotes the statement back; its position is all a caller needs."""
    where = re.search(r"Line (\d+), Col: (\d+)", str(error))
    place = f" near line {where[1]}, column {where[2]}" if where else ""
    raise SqlRefused(
        f"the statement could not be read{place}", code="parse", hint="check the syntax for this engine"
    ) from None
