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
MISSING: Final = pytest.StashKey[dict[str, list[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MISSING] = {}


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
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _account(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _account(collector.config, report)
    return report


def _account(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    """Note a skip for want of a component, and fail it where components are required."""
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return
    reason = report.longrepr[2]
    if not reason.startswith(_SKIPPED):
        return
    component = reason.removeprefix(_SKIPPED)
    config.stash[MISSING].setdefault(component, []).append(report.nodeid)
    if os.environ.get("PIERHEAD_REQUIRE") == "all" and not component.startswith(_WHEN_PRESENT):
        report.outcome = "failed"
        report.longrepr = f"required component is missing: {component}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was missing, and what that left untested."""
    missing = config.stash[MISSING]
    if not missing:
        return
    terminalreporter.section("missing components")
    for component, tests in sorted(missing.items()):
        terminalreporter.line(f"{component}: left {len(tests)} untested")
        for test in tests:
            terminalreporter.line(f"    {test}")
