"""What a task's last exception says, in the words of operators, hooks, databases and services that DAGs call.

Above: `failures`. Beside: the one table of rules (`sdk/failure_rules`), which is asked where nothing here fits. Words
are of kinds of failures, none of one library's messages alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pierhead.sdk.failure_rules import Category, Verdict, line_at


@dataclass(frozen=True, slots=True)
class _Words:
    """Words of which one must be there, for a category."""

    rule: str
    category: Category
    pattern: "re.Pattern[str]"


def _of(rule: str, category: Category, *words: str) -> _Words:
    return _Words(f"raised.{rule}", category, re.compile("|".join(words), re.IGNORECASE | re.MULTILINE))


#: How a traceback shows that a program was to be started.
_STARTING: Final = "in _execute_child"

#: The first that fits counts.
_KNOWN: Final = (
    # What should be around the code, and is not.
    _of(
        "connection-unknown",
        "dependency",
        r"conn_id .{1,120} isn't defined",
        r"VARIABLE_NOT_FOUND",
        r"Variable \S{1,120} (?:not found|does not exist)",
    ),
    _of(
        "configuration",
        "dependency",
        r"^(?:\w+\.)*\w*Config(?:uration|ured)?(?:Exception|Error)?: ",
        r"environment variable .{1,80}(?:not set|missing|required)",
        r"python (?:path|interpreter) .{1,200}(?:must exist|not found|does not exist)",
    ),
    _of(
        "program-missing",
        "dependency",
        rf"{_STARTING}\n(?:.*\n)*?.*FileNotFoundError: .*No such file or directory: '[^']*'",
        r"No such file or directory: '[^']*/bin/[^'/]+'",
    ),
    # Services that do not answer, or answer that they cannot.
    _of(
        "upstream",
        "dependency",
        r"^(?:\w+\.)*External\w*Failed\w*: ",
        r"(?:external (?:DAG|task)s?|DagRun) .{0,200}failed",
    ),
    _of("dag-missing", "missing_input", r"\bdag(?:_id)?\b.{0,160}(?:does not exist|not found)", "DagNotFound"),
    _of(
        "http-absent",
        "missing_input",
        r"\b4(?:04|10)\b.{0,16}(?:Not Found|Gone|Client Error)",
        r"status.?code\W{1,5}404|returned error: 4(?:04|10)\b",
    ),
    _of(
        "http-limit",
        "dependency",
        r"\b429[: ]{1,2}(?:Too Many|Client Error)",
        r"status.?code\W{1,5}429|returned error: 429",
        r"too many requests|rate.?limit(?:ed| exceeded)",
        r"(?:reduce|exceeded) your (?:request )?rate|\bthrottl(?:ed|ing)\b",
    ),
    _of("http-denied", "permission", r"returned error: 40[13]\b|status.?code\W{1,5}40[13]"),
    _of(
        "http-broken",
        "dependency",
        r"\b50[0-3] Server Error",
        r"\b50[0-3]\b.{0,8}(?:Internal Server|Not Implemented|Bad Gateway|Service Unavail)",
        r"status.?code\W{1,5}50[0-3]|returned error: 50[0-3]",
    ),
    _of(
        "no-connection",
        "dependency",
        r"RemoteDisconnected|EndpointConnectionError|NameResolutionError",
        r"connection (?:aborted|reset|refused)|server closed the connection|network is unreachable",
        r"unable to connect|could not (?:connect|translate host)|too many (?:clients|connections)",
        r"failed to establish (?:a |any )?(?:new )?connection|does not support SSL",
    ),
    # Processes that a task began, and that are gone.
    _of(
        "worker-process",
        "killed",
        "process pool was terminated abruptly",
        "worker process .{0,60}unexpectedly terminated",
    ),
    # Data and databases.
    _of("role", "permission", r"\b(?:role|user|login) \S{1,120} does not exist"),
    _of("database-file", "missing_input", "unable to open database file"),
    _of(
        "value",
        "schema_mismatch",
        r"invalid input syntax for|value (?:out of range|too long for)",
        r"columns? expected but not found|do not match columns|extra data after last|missing data for column",
        r"^(?:\w+\.)*(?:InvalidTextRepresentation|DatatypeMismatch|NumericValueOutOfRange): ",
    ),
    _of(
        "damaged",
        "schema_mismatch",
        r"^(?:\w+\.)*Bad(?:Zip|Gzip)File: |not in \w+ format|not a (?:zip|gzip|bzip2|xz|tar|parquet) file",
        r"end-of-central-directory signature|invalid compressed data|file could not be opened successfully",
    ),
    _of("locked", "timeout", r"database (?:table )?is locked|could not obtain lock|lock wait|deadlock detected"),
    _of("disk", "dependency", "no space left on device|disk quota exceeded"),
    _of(
        "not-found",
        "missing_input",
        r"^(?:\w+\.)*(?!Module|Package|Class|Command|Key|Plugin)\w*NotFound: ",
        r"(?:can ?not|could not|unable to) find (?:the )?(?:cwd|director\w+|folder|file|path)\b",
    ),
)
_OF_PROGRAMS: Final = (
    _of("absent", "missing_input", r"\b(?:does not|doesn't) exist\b"),
    _of("package", "dependency", "no matching distribution found|could not find a version that satisfies"),
    _of("jar", "dependency", "unable to access jarfile|could not find or load main class"),
)
_SHELL: Final = re.compile(r"^\S*sh: (?:-c: )?line \d+: (?:syntax error|\w+: unbound variable)")
_LATE: Final = re.compile(r"time(?:d|s)? ?-?out", re.IGNORECASE)
#: Nobody listened, however long was waited for it.
_REFUSED: Final = re.compile(r"connection refused|name or service not known|no route to host", re.IGNORECASE)
_OF_CONNECTION: Final = re.compile(
    r"^(?:\w+\.)*(?:\w*Connections?\w{0,12}(?:Error|Exception|Failure)|BrokenPipeError)(?=:|$)", re.MULTILINE
)
#: An exception that a library of tables raised over the columns or the values that it was given.
_OF_TABLES: Final = re.compile(
    r'^ +File "(?:[^"]*/)?(?:pandas|polars|pyarrow|dask)/[^"]*", line \d+.*\n(?: {4,}.*\n)*'
    r"(?:\w+\.)*(?:KeyError: |(?:Value|Type)Error: .*(?:convert|parse|invalid literal|merge on|column|field)).*",
    re.MULTILINE | re.IGNORECASE,
)


def said_by_exception(traceback: str) -> Verdict | None:
    """By a traceback that ended a task, chain and all; nothing where it says nothing known."""
    lines = traceback.splitlines()
    text = "\n".join(line for line in lines if not line[:1].isspace() or line.endswith(_STARTING))
    for known in _KNOWN:
        found = list(known.pattern.finditer(text))
        quote = line_at(text, _first_of_line(text, found)) if found else ""
        is_late = known.rule == "raised.no-connection" and _LATE.search(quote) and not _REFUSED.search(quote)
        if quote and not is_late:
            return Verdict(known.category, "confirmed", (known.rule,), quote)
    return _said_by_tables(traceback)


def said_by_name(traceback: str) -> Verdict | None:
    """By the name alone of the exception that ended a task, whose words say nothing: a connection that is gone."""
    found = list(_OF_CONNECTION.finditer(traceback))
    if not found or "\n  File " in traceback[found[-1].end() :]:
        return None
    return Verdict("dependency", "likely", ("raised.connection",), line_at(traceback, found[-1].end() - 1))


def _first_of_line(text: str, found: "Sequence[re.Match[str]]") -> int:
    """Where the words end that stand first in the last line with some of them."""
    begin = text.rfind("\n", 0, found[-1].end() - 1) + 1
    return next(each.end() - 1 for each in found if each.end() > begin)


def _said_by_tables(traceback: str) -> Verdict | None:
    """Of a table that has other columns, or other values in them, than the code expects."""
    found = list(_OF_TABLES.finditer(traceback))
    if not found or found[-1].end() < len(traceback.rstrip()):
        return None
    return Verdict("schema_mismatch", "likely", ("raised.tables",), line_at(traceback, found[-1].end() - 1))


def said_by_program(output: Sequence[str]) -> Verdict | None:
    """By the last line of a program's output that says something known: how its shell refused it, or as above."""
    for line in reversed(output):
        for known in (*_OF_PROGRAMS, *_KNOWN):
            if known.pattern.search(line):
                return Verdict(known.category, "likely", (known.rule,), line_at(line, 0))
    return None


def refused_by_shell(output: Sequence[str]) -> Verdict | None:
    """A script that its own shell gives up: what else its words may mean, it is code."""
    last = next((line for line in reversed(output) if _SHELL.search(line)), None)
    return None if last is None else Verdict("code_error", "likely", ("raised.shell",), line_at(last, 0))
