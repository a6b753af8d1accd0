"""JUnit XML, read for its counts alone: cases, and how many of them failed or were skipped.

A report is a stranger's text: a document type, and with it every entity, is refused before anything is expanded, and
depth and number of elements are bounded. A suite that claims more failures than its cases show is believed. Pure. Not
here: whether a report is enough (`packet.is_tested`).
"""

from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from pierhead.core.errors import Invalid
from pierhead.core.packet import Report

_DEEPEST: Final = 24
_MOST: Final = 100_000
_SUITES: Final = frozenset({"testsuites", "testsuite"})
_CASE: Final = "testcase"
_HINT: Final = "write the report as JUnit XML: pytest --junit-xml=tests.xml"


def read_report(content: bytes) -> Report:
    """Errors: Invalid (`unreadable-part`), with the line."""
    counting, parser = _Counting(), expat.ParserCreate()
    parser.StartDoctypeDeclHandler = counting.refuse
    parser.StartElementHandler = counting.begins
    parser.EndElementHandler = counting.ends
    try:
        parser.Parse(content, True)
    except expat.ExpatError as broken:
        raise _bad(f"line {broken.lineno}: {expat.ErrorString(broken.code)}") from None
    except (UnicodeError, LookupError, ValueError):
        raise _bad("its encoding is none that can be read") from None
    return Report(counting.cases, max(counting.failed, counting.claimed), counting.skipped)


@dataclass(slots=True)
class _Counting:
    cases: int = 0
    failed: int = 0
    skipped: int = 0
    claimed: int = 0
    _elements: int = 0
    _depth: int = 0
    _verdict: str = ""

    def refuse(self, *declared: object) -> None:
        del declared
        raise _bad("it declares a document type, which is not read")

    def begins(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._depth += 1
        if self._depth > _DEEPEST or self._elements > _MOST:
            raise _bad(f"it is nested deeper than {_DEEPEST}, or has more than {_MOST} elements")
        if self._depth == 1 and name not in _SUITES:
            raise _bad(f"it begins with <{name[:40]}>, not with <testsuites> or <testsuite>")
        if name in _SUITES:
            self.claimed = max(self.claimed, _number(attributes, "failures") + _number(attributes, "errors"))
        elif name == _CASE:
            self._verdict = ""
        elif name in {"failure", "error"}:
            self._verdict = "failed"
        elif name == "skipped" and not self._verdict:
            self._verdict = "skipped"

    def ends(self, name: str) -> None:
        self._depth -= 1
        if name == _CASE:
            self.cases += 1
            self.failed += self._verdict == "failed"
            self.skipped += self._verdict == "skipped"


def _number(attributes: dict[str, str], name: str) -> int:
    said = attributes.get(name, "0").strip()
    if not (said.isascii() and said.isdigit() and len(said) <= 9):  # noqa: PLR2004 - far more than there can be
        raise _bad(f"its {name} {said[:20]!r} is no number")
    return int(said)


def _bad(why: str) -> Invalid:
    return Invalid(f"the report cannot be read: {why}", hint=_HINT, code="unreadable-part")
