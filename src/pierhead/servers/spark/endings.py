"""How a driver's log ends: its context stopped by the program, the program gone, or in the middle; what was said then.

A program that catches what failed, logs it, stops its context and leaves with a code looks well to Spark: only its own
last words tell. What was raised before a job that ended well was survived. Not here: the text itself
(`sdk/failure_text`), what was measured (`shapes`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from pierhead.sdk.failure_rules import Fact, fact_of
from pierhead.sdk.failure_text import facts_in_text

#: What only slows an application that ends well.
SLOWED: Final = frozenset({"executor_lost", "executor_oom", "fetch_failed", "skew"})
_SOURCE: Final = "driver log"
_LONGEST: Final = 200
#: Of what follows a complaint, the first lines: an exception and its causes, not a log without an end.
_MOST_LINES: Final = 100
_END: Final = 40
_STOPPED: Final = re.compile(r"SparkContext is stopping with exitCode 0|Successfully stopped SparkContext")
#: The program has gone without stopping its context: with which exit code, nobody says.
_LEFT: Final = re.compile(r"Invoking stop\(\) from shutdown hook")
_STOPPING: Final = re.compile(rf"SparkContext is stopping|{_LEFT.pattern}")
_SAD: Final = re.compile(
    r"\b(?:fail(?:ed|ure|s)?|abort(?:ed|ing)?|refus(?:ed|ing)|fatal|errors?|exiting|invalid|missing|cannot|mismatch)\b",
    re.IGNORECASE,
)
_NONE: Final = re.compile(r"\b(?:0|no|zero)\b", re.IGNORECASE)
_LOGGED: Final = re.compile(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d (?:(?P<informs>INFO)|WARN|(?P<bad>ERROR|FATAL)) ")
#: What the program's own logger, its prints, or the compiler of a shell (`job.scala:3: error: `) call what they say.
_LEVEL: Final = re.compile(
    r".{0,120}?\b(?:(?P<bad>ERROR|CRITICAL|FATAL|SEVERE|(?<=:\d: |\d\d: )error(?=: ))|DEBUG|INFO|NOTICE|WARN|WARNING)\b"
)
#: However a stage failed, what is left of it is cancelled.
_CANCELS: Final = re.compile(r"TaskSchedulerImpl: Stage \d+(?:\.\d+)? was cancelled")
_WORK: Final = re.compile(r"Starting task|Finished task|Job \d+ finished")
_WORKED: Final = re.compile(r"DAGScheduler: Job \d+ finished")


def facts_in_driver_log(lines: Sequence[str]) -> list[Fact]:
    """What a driver's log shows, with how it ends; of an ordinary end without what was survived."""
    lines = [line for line in lines if not _CANCELS.search(line)]
    told, facts = ending_in_log(lines), facts_in_text(lines, "driver", _SOURCE)
    is_ordinary = any(fact.kind == "state" for fact in told) and not any(fact.is_final for fact in (*told, *facts))
    if is_ordinary:
        worked = next((number for number, line in _backwards(lines) if _WORKED.search(line)), -1)
        late = {fact.rule for fact in facts_in_text(lines[worked + 1 :], "driver", _SOURCE)}
        facts = [fact for fact in facts if fact.rule in late or fact.value in SLOWED]
    return [*facts, *told]


def ending_in_log(lines: Sequence[str]) -> list[Fact]:
    """Its end, and what the program said last, where that sounds like no good one."""
    for number, line in _backwards(lines):
        if _LEFT.search(line):
            told = Fact("state", "left", 0.0, _SOURCE, line.strip()[-_LONGEST:])
            return [told, *_said_last(lines[:number])]
        if _STOPPED.search(line) and not any(_LEFT.search(each) for each in lines[max(0, number - _END) : number]):
            told = Fact("state", "succeeded", 0.0, _SOURCE, line.strip()[-_LONGEST:])
            return [told, *_complaint(lines[max(0, number - 2 * _END) :])]
    logged = [_LOGGED.match(line) for line in lines]
    if not any(each and each["informs"] for each in logged):  # a quiet log does not tell how it ended
        return _said_last(lines)
    last = next(line for line in reversed(lines) if line.strip()).strip()[-_LONGEST:]
    fact = fact_of("shape", f"the log breaks off after: {last}", 0.0, _SOURCE)
    return [fact] if fact else []


def _backwards(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    return reversed(list(enumerate(lines)))


def _said_last(lines: Sequence[str]) -> list[Fact]:
    return list(_complaint(lines)) or list(_last_words(lines))


def _last_words(lines: Sequence[str]) -> Iterator[Fact]:
    """What the program itself said right before it left, where that sounds like no good end."""
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if not _LOGGED.match(said) and _SAD.search(said) and not _NONE.search(said):
        yield from _left_with(said)


def _complaint(lines: Sequence[str]) -> Iterator[Fact]:
    """The error that was logged last around the end, with no work done after it."""
    after = next((number for number, line in _backwards(lines) if _WORK.search(line)), -1)
    rest = lines[after + 1 :]
    own = [line.strip() for line in rest if not _LOGGED.match(line) and "clientserver" not in line]
    said = next((number for number, line in _backwards(own) if _LEVEL.match(line)), None)
    found = _LEVEL.match(own[said]) if said is not None else None
    if found is None or not found["bad"]:
        yield from _logged_last(rest)
        return
    words = "\n".join([found.string[found.end() :], *own[(said or 0) + 1 :][:_MOST_LINES]])
    fact = fact_of("driver", words, 0.0, _SOURCE, is_final=True)
    if fact is not None:
        yield fact
    elif found["bad"] == "error" or _SAD.search(found.string, found.end()):
        yield from _left_with(found.string)


def _logged_last(lines: Sequence[str]) -> Iterator[Fact]:
    """The same of a program that logs with Spark's own logger: an exception, the last that is worse than a warning."""
    end = next((number for number, line in enumerate(lines) if _STOPPING.search(line)), len(lines))
    for number, line in _backwards(lines[:end]):
        logged = _LOGGED.match(line)
        if logged and logged["bad"]:
            trace = [each for each in lines[number + 1 : end][:_MOST_LINES] if not _LOGGED.match(each)]
            fact = fact_of("driver", "\n".join([line, *trace]), 0.0, _SOURCE, is_final=True) if trace else None
            if fact is not None and fact.value not in SLOWED:
                yield fact
            return


def _left_with(said: str) -> Iterator[Fact]:
    fact = fact_of("shape", f"before it left it said: {said[:_LONGEST]}", 0.0, _SOURCE, is_final=True)
    if fact is not None:
        yield replace(fact, quote=said[:_LONGEST])
