"""What was measured: runs, their ratios, and the file and table they become.

Pure. The shape of the file is fixed (docs/reference/benchmarks.md). What could not be measured stands in it by
name, with the reason: a peer that is missing must not read as a peer that was beaten.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Run:
    """One value of one program; `ratio` is that value over the same metric of `ratio_to`."""

    name: str
    metric: str
    value: float
    unit: str
    ratio_to: str | None
    ratio: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Target:
    """A number to reach: on the ratio to `ratio_to`, or on the value where that is None."""

    name: str
    metric: str
    ratio_to: str | None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def text(self) -> str:
        bound = f"<= {self.at_most:g}" if self.at_most is not None else f">= {self.at_least:g}"
        return bound + (" x" if self.ratio_to else "")

    def is_met(self, run: Run) -> bool:
        reached = run.value if self.ratio_to is None else run.ratio
        if reached is None:
            return False
        return (self.at_most is None or reached <= self.at_most) and (self.at_least is None or reached >= self.at_least)


_DIGITS: Final = 3


@dataclass(slots=True)
class Results:
    """Everything one run of the benchmarks found, in the order it was found."""

    machine: Mapping[str, object]
    runs: list[Run] = field(default_factory=list[Run])
    missing: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, name: str, metric: str, value: float, unit: str, n: int) -> None:
        """Take in a value; its ratios follow from `compare`."""
        self.runs.append(Run(name, metric, _rounded(value), unit, None, None, n))

    def miss(self, name: str, why: str) -> None:
        """Say that something was not measured."""
        self.missing[name] = why

    def value(self, name: str, metric: str) -> float | None:
        found = self._find(name, metric)
        return found.value if found else None

    def compare(self, name: str, metric: str, to: str) -> None:
        """Add the ratio of one run to another; nothing where one of them is missing (`missing` says why)."""
        run, other = self._find(name, metric), self._find(to, metric)
        if run is None or other is None or other.value == 0:
            return
        ratio = _rounded(run.value / other.value)
        self.runs.append(Run(run.name, metric, run.value, run.unit, to, ratio, min(run.n, other.n)))

    def judge(self, target: Target) -> str:
        """`met`, `missed`, or `not measured`."""
        found = next((run for run in self.runs if _is_about(run, target)), None)
        if found is None:
            return "not measured"
        return "met" if target.is_met(found) else "missed"

    def as_json(self) -> str:
        """The file's text."""
        missing = [{"name": name, "why": why} for name, why in self.missing.items()]
        shape = {"machine": self.machine, "runs": [asdict(run) for run in self.runs], "not_measured": missing}
        return json.dumps(shape, indent=2) + "\n"

    def _find(self, name: str, metric: str) -> Run | None:
        return next((run for run in self.runs if run.name == name and run.metric == metric), None)


def table(results: Results, targets: Sequence[Target]) -> str:
    """The ratios, each with its target if it has one; then the targets on plain values; then what is missing."""
    rows: list[tuple[str, ...]] = [("run", "metric", "value", "to", "ratio", "target", "")]
    for run in results.runs:
        target = next((target for target in targets if _is_about(run, target)), None)
        if run.ratio_to is not None or target is not None:
            rows.append(_row(run, target))
    lines = _aligned(rows)
    lines += [f"not measured: {name}: {why}" for name, why in results.missing.items()]
    return "\n".join(lines)


def _row(run: Run, target: Target | None) -> tuple[str, ...]:
    ratio = "" if run.ratio is None else f"{run.ratio:g}"
    verdict = "" if target is None else ("met" if target.is_met(run) else "MISSED")
    value = f"{run.value:g} {run.unit}"
    return run.name, run.metric, value, run.ratio_to or "", ratio, target.text if target else "", verdict


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    table_rows = list(rows)
    widths = [max(len(row[column]) for row in table_rows) for column in range(len(table_rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table_rows
    ]


def _is_about(run: Run, target: Target) -> bool:
    return (run.name, run.metric, run.ratio_to) == (target.name, target.metric, target.ratio_to)


def _rounded(value: float) -> float:
    """Three significant digits after the leading one: more would promise more than was measured."""
    return float(f"{value:.{_DIGITS + 1}g}")
