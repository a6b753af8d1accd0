"""What a task's log amounts to: a category by the one table of rules, the line that shows it, ids elsewhere."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pierhead.sdk.failure_rules import Category, Verdict, classify, line_at
from pierhead.sdk.failure_table import SAID
from pierhead.sdk.failure_text import facts_in_text
from pierhead.sdk.redacting import redact
from pierhead.sdk.tracebacks import find_exceptions
from pierhead.servers.airflow.answers import ExceptionTold
from pierhead.servers.airflow.logs import Line, Tail
from pierhead.servers.airflow.said import refused_by_shell, said_by_exception, said_by_name, said_by_program

_MOST_EXCEPTIONS: Final = 5
_LONGEST: Final = 800
_IDS: Final = (
    ("spark", re.compile(r"\bapplication_\d{10,16}_\d{4,8}\b")),
    ("spark", re.compile(r"\bapp-\d{14}-\d{4}\b")),
    ("spark", re.compile(r"\bspark-[0-9a-f]{32}\b")),
    ("spark", re.compile(r"\blocal-\d{13}\b")),
    ("trino", re.compile(r"\b20\d{6}_\d{6}_\d{5}_[a-z0-9]{5}\b")),
)


#: An exception of Airflow's own around the end of a program that it ran: what that said tells why.
_AROUND: Final = re.compile(
    r"(?:AirflowException|CalledProcessError|RuntimeError)\b.*"
    r"(?:non-zero (?:exit|return)|returned non-zero|Bash command failed|Cannot execute: |Error code is: )",
    re.DOTALL,
)
#: An exception that says no more than that something outside, or told before, has failed.
_OUTSIDE: Final = re.compile(
    r"^(?:\w+\.)*"
    r"(?:AirflowException|TaskDeferralError|RuntimeError|Exception|\w*(?:Job|Pod|Container|Batch|Spark)\w*): "
    r".*(?:fail|exit|abort|see .{0,20}log|returned)|^SystemExit: \d+$",
    re.IGNORECASE | re.MULTILINE,
)
#: What programs only warn of, they go on after.
_WARNED: Final = re.compile(r"(?:\S{1,80}: )?\[?warn(?:ing)?\]?[: ]", re.IGNORECASE)
_RAISED_FROM: Final = "\nThe above exception was the direct cause of the following exception:"
_ENDED: Final = "Task failed with exception"
#: What Airflow 3 says when it has read a DAG and runs the task, and when the task has ended, however it did.
_BEGUN: Final = "Worker startup parse complete"
_ENDINGS: Final = (_ENDED, "::group::Post Execute", "Process exited", "Process terminated", "Task finished")
_LEFT: Final = re.compile(r"(?:Process exited abnormally|Task exited): exit code (-?\d+)")
#: What a task wrote by itself, as Airflow 3 names it.
_PRINTED: Final = frozenset({"task.stdout", "task.stderr"})
_COMPLAINT: Final = re.compile(r"\b(?:error|fatal|critical|fail(?:ed|ure)|cannot|could not|abort)", re.IGNORECASE)
_MODULE: Final = "raised."
_PLAIN: Final = re.compile(r"[A-Z]\w*(?::|$)")
_UNTOLD: Final = frozenset({"unknown", "code_error"})
_EXIT: Final = re.compile(r"(?:exit (?:code|status)|Error code is:|return code) (-?\d{1,3})")
_EXITS: Final[dict[int, Category]] = {
    126: "permission",
    127: "dependency",
    124: "timeout",
    137: "killed",
    -9: "killed",
    143: "killed",
    -15: "killed",
}
_MOST_OUTPUT: Final = 60


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of one attempt that failed."""

    verdict: Verdict = field(default_factory=lambda: Verdict("unknown", "possible"))
    exceptions: list[ExceptionTold] = field(default_factory=list[ExceptionTold])
    external_ids: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    @property
    def fingerprint(self) -> str:
        return self.exceptions[-1].fingerprint if self.exceptions else ""


def failure_of(tail: Tail) -> Failure:
    """Judge a log: Airflow's own news and the echo of a command say nothing of why it failed."""
    every = list(tail.lines())
    begun = next((place for place, line in enumerate(reversed(every)) if line.text.startswith(_BEGUN)), None)
    since = every if begun is None else every[len(every) - begun :]  # before it, files of DAGs were read
    lines = [line for line in since if line.is_of_the_task]
    around = _around(lines)
    told = [line for line in lines if line is not around]
    texts = [part for line in told for part in line.text.splitlines()]
    verdict = _judged(lines)
    if (
        verdict.category == "unknown"
        and begun is not None
        and not any(line.text.startswith(_ENDINGS) for line in since)
    ):
        verdict = _broken_off(lines)
    found = find_exceptions([redact(text) for text in _named(texts)])[-_MOST_EXCEPTIONS:]
    if not found and around is not None:
        found = find_exceptions(redact(_with(around.text, verdict.quote)))[-1:]
    exceptions = [
        ExceptionTold(
            kind=each.kind.removeprefix(_MODULE),
            message=each.message[:_LONGEST],
            frames="\n".join(each.frames_head)[:_LONGEST],
            fingerprint=each.fingerprint,
            count=each.count,
        )
        for each in found
    ]
    return Failure(verdict, exceptions, _external("\n".join(texts)))


def _named(texts: Sequence[str]) -> list[str]:
    """What Airflow 3 tells of an exception has no module, and a name such as `UndefinedTable` alone reads as a word."""
    return [
        f"{_MODULE}{text}" if before.startswith('  File "') and _PLAIN.match(text) else text
        for before, text in zip(("", *texts), texts, strict=False)
    ]


def _around(lines: Sequence[Line]) -> Line | None:
    """What Airflow says around the end of a program that the task ran."""
    return next((line for line in reversed(lines) if line.level == "error" and _AROUND.search(line.text)), None)


def _with(around: str, quote: str) -> str:
    """What Airflow says of any program that failed, and what that one said: another failure, another fingerprint."""
    return around if not quote or quote in around else f"{around.rstrip()} It said: {quote}"


def _judged(lines: Sequence[Line]) -> Verdict:
    """By the exception that ended the task; where it only wraps what was told before it, by everything."""
    ended = next((line for line in reversed(lines) if line.text.startswith(_ENDED)), None)
    if ended is None or _AROUND.search(ended.text):
        return _of_process(lines) or _by_output(lines)
    known = said_by_exception(ended.text)
    if known is not None:
        return known
    own = _by_output([ended])
    if own.category in _UNTOLD and (known := _by_cause(ended.text) or said_by_name(ended.text)) is not None:
        return known
    whole = _by_output(lines) if own.category == "unknown" or _OUTSIDE.search(ended.text) else own
    return _quoting(own, ended.text) if whole.category in _UNTOLD else whole


def _quoting(verdict: Verdict, traceback: str) -> Verdict:
    """With the line that names the exception, where it is judged by having been raised: hints may follow that."""
    *_, after = traceback.rpartition('\n  File "')
    raised = next((line for line in after.splitlines()[1:] if line and not line[0].isspace()), "")
    return replace(verdict, quote=line_at(raised, 0)) if raised and verdict.category == "code_error" else verdict


def _by_cause(traceback: str) -> Verdict | None:
    """By what an exception was raised from, where that says more than the exception itself."""
    before, _, _ = traceback.rpartition(_RAISED_FROM)
    if not before:
        return None
    known = said_by_exception(before) or classify(facts_in_text(before.splitlines(), "driver", "task log"))
    return known if known.category not in _UNTOLD else None


def _of_process(lines: Sequence[Line]) -> Verdict | None:
    """A process that left by itself, without an exception: by what it had written, else by its exit code."""
    last = lines[-1].text if lines else ""
    match = _LEFT.match(last)
    if match is None:
        return None
    before = _by_output(lines[:-1])
    if before.category != "unknown":
        return before
    words = [line.text for line in lines if line.logger in _PRINTED][-_MOST_OUTPUT:]
    if known := said_by_program(words) or _said(words):
        return known
    quote = next((each for each in reversed(words) if _COMPLAINT.search(each)), last)
    return Verdict(_EXITS.get(int(match[1]), "code_error"), "likely", (f"exit.{match[1]}",), line_at(quote, 0))


def _broken_off(lines: Sequence[Line]) -> Verdict:
    """Whoever ran the task was gone before it could say how that ended."""
    last = lines[-1].text if lines else ""
    return Verdict("killed", "possible", ("raised.breaks-off",), line_at(last, 0))


def _by_output(lines: Sequence[Line]) -> Verdict:
    """By what the task, and what it ran, said from its beginning to its end."""
    around = _around(lines)
    told = [line for line in lines if line is not around]
    texts = [part for line in told for part in line.text.splitlines() if not _WARNED.match(part)]
    written = [part for line in told for part in _written(line).splitlines() if not _WARNED.match(part)]
    output = texts[-_MOST_OUTPUT:]
    if around is not None and (refused := refused_by_shell(output)) is not None:
        return refused
    facts = [*facts_in_text(written, "driver", "task log"), *facts_in_text(texts, "driver", "task log")]
    verdict = classify(facts)
    if verdict.category not in _UNTOLD:
        return verdict
    raised = [line for line in told if line.level in {"error", "critical"}]
    ending = [part for line in raised[-1:] for part in line.text.splitlines()[-3:]]
    if around is None:
        return _said(ending) or (_raised(ending) if verdict.category == "unknown" else verdict)
    output = _since_raised(output)
    return said_by_program(output) or _said(output) or _exited(around, output, verdict)


def _since_raised(output: list[str]) -> list[str]:
    """From the last exception on that the program told: it had gone on after what it said before."""
    raised = [each for each in find_exceptions(output) if not _OUTSIDE.search(f"{each.kind}: {each.message}")]
    return output[raised[-1].first_line - 1 :] if raised else output


def _said(output: list[str]) -> Verdict | None:
    """By the last line of the output that says something known."""
    for line in reversed(output):
        for name, category, pattern in SAID:
            if match := pattern.search(line):
                return Verdict(category, "likely", (name,), line_at(line, match.start()))
    return None


def _exited(around: Line, output: list[str], verdict: Verdict) -> Verdict:
    """By how the program ended that the task ran; what it raised, or else said last, is the line that shows most."""
    match = _EXIT.search(around.text)
    code = int(match[1]) if match else 1
    if code not in _EXITS and verdict.category == "code_error":
        return verdict
    words = [line for line in output if line.strip() and not line.startswith("Command exited with return code")]
    quote = words[-1].strip() if words else around.text.strip().splitlines()[-1]
    return Verdict(_EXITS.get(code, "code_error"), "likely", (f"exit.{code}",), line_at(quote, 0))


def _raised(ending: list[str]) -> Verdict:
    """An exception that no rule knows by its name."""
    if not ending:
        return Verdict("unknown", "possible")
    return Verdict("code_error", "possible", ("said.raised",), line_at(ending[-1].strip(), 0))


def _written(line: Line) -> str:
    """What the task's own output says has no level of its own there: it is told as it was said."""
    return line.text if line.level == "info" else line.written()


def _external(text: str) -> list[dict[str, str]]:
    found = {match: system for system, pattern in _IDS for match in pattern.findall(text)}
    return [{"system": system, "id": name} for name, system in list(found.items())[:_MOST_EXCEPTIONS]]
