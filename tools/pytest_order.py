"""A pytest plug-in: fast tests first, slow ones uncovered, and an account of missing components at the end.

A test that cannot have its component skips with `component NAME: what was tried`. With PIERHEAD_REQUIRE=all such a
skip is a failure: in CI nothing may be left untested in silence.
"""

import os
from collections.abc import Generator
from typing import Final

import pytest

_SKIPPED: Final = "Skipped: component "
# They need Maven and two Javas: tested wherever those are, named as missing wherever not.
_WHEN_PRESENT: Final = ("trino", "presto")
_MARK: Final = "missing_component"


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Account())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two phases in one run; coverage is measured on the fast tests alone, since tracing slows engines down."""
    items.sort(key=_is_slow)
    for item in items:
        if _is_slow(item):
            item.add_marker("no_cover")


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge(report)
    return report


def _judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Mark a skip for want of a component, and fail it where components are required.

    The mark travels with the report: a worker judges, and the process that started it tells of it at the end.
    """
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return
    reason = report.longrepr[2]
    if not reason.startswith(_SKIPPED):
        return
    component = reason.removeprefix(_SKIPPED)
    vars(report)[_MARK] = component
    if os.environ.get("PIERHEAD_REQUIRE") == "all" and not component.startswith(_WHEN_PRESENT):
        report.outcome = "failed"
        report.longrepr = f"required component is missing: {component}"


class _Account:
    """What was missing in this run, heard from every worker."""

    def __init__(self) -> None:
        self._missing: dict[str, dict[str, None]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        component = vars(report).get(_MARK)
        if component:
            self._missing.setdefault(component, {})[report.nodeid] = None  # each worker collects each module

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._missing:
            return
        terminalreporter.section("missing components")
        for component, tests in sorted(self._missing.items()):
            terminalreporter.line(f"{component}: left {len(tests)} untested")
            for test in tests:
                terminalreporter.line(f"    {test}")
