"""What the gateway counts: cheap on the path (a dict, a list of integers), made into metrics only when scraped.

Labels are few by construction: servers and tools of the snapshot, known client families, outcomes; never a person.
Names: docs/reference/metrics.md. Not here: the port they are served on (`apps/probes`).
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

_BUCKETS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_FAMILIES: Final = (
    "claude-code",
    "claude-ai",
    "codex",
    "copilot",
    "cursor",
    "inspector",
    "mcp-remote",
    "mcporter",
    "pierhead",
    "vscode",
    "windsurf",
    "zed",
)
_ERAS: Final = frozenset({"2026-07-28", "2025-11-25"})


def family(client: str) -> str:
    """The known family of a client that called itself that, or `other`."""
    name = client.lower().replace(" ", "-")
    return next((known for known in _FAMILIES if known in name), "other" if name else "unknown")


@dataclass(slots=True, eq=False)
class Tally:
    """Counts of one gateway process."""

    calls: dict[tuple[str, str, str, str], int] = field(default_factory=dict[tuple[str, str, str, str], int])
    messages: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    rejected_tokens: dict[str, int] = field(default_factory=dict[str, int])
    alarms: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    in_flight: int = 0
    _times: dict[tuple[str, str], list[float]] = field(default_factory=dict[tuple[str, str], list[float]])
    _families: dict[str, str] = field(default_factory=dict[str, str])

    def call(self, server: str, tool: str, client: str, outcome: str, seconds: float) -> None:
        """Count one tool call that was decided on; `tool` is one of the snapshot, or empty."""
        key = (server, tool, self._family(client), outcome)
        self.calls[key] = self.calls.get(key, 0) + 1
        times = self._times.get((server, tool))
        if times is None:
            times = self._times[server, tool] = [0.0] * (len(_BUCKETS) + 2)
        times[bisect_left(_BUCKETS, seconds)] += 1
        times[-1] += seconds

    def message(self, era: str, client: str) -> None:
        """Count one MCP message that could be read."""
        key = (era if era in _ERAS else "older", self._family(client))
        self.messages[key] = self.messages.get(key, 0) + 1

    def rejected_token(self, reason: str) -> None:
        self.rejected_tokens[reason] = self.rejected_tokens.get(reason, 0) + 1

    def alarm(self, server: str, status: int) -> None:
        """A server refused the gateway itself."""
        key = (server, str(status))
        self.alarms[key] = self.alarms.get(key, 0) + 1

    def _family(self, client: str) -> str:
        known = self._families.get(client)
        if known is None:
            if len(self._families) > 1000:  # noqa: PLR2004 - clients may call themselves anything
                self._families.clear()
            known = self._families[client] = family(client)
        return known

    # prometheus_client's side

    def collect(self) -> Iterable[Metric]:
        yield _counter("pierhead_tool_calls_total", "Tool calls", ("server", "tool", "client", "outcome"), self.calls)
        yield _counter("pierhead_protocol_requests_total", "MCP messages", ("era", "client"), self.messages)
        rejected = {(reason,): count for reason, count in self.rejected_tokens.items()}
        yield _counter("pierhead_token_validation_failures_total", "Tokens not accepted", ("reason",), rejected)
        yield _counter(
            "pierhead_upstream_refusals_total", "Servers refusing their gateway", ("server", "status"), self.alarms
        )
        yield GaugeMetricFamily("pierhead_messages_open", "Messages under way", value=self.in_flight)
        yield self._durations()

    def _durations(self) -> Metric:
        metric = HistogramMetricFamily("pierhead_tool_duration_seconds", "Tool calls", labels=("server", "tool"))
        for labels, times in self._times.items():
            buckets: list[tuple[str, float]] = []
            total = 0.0
            for bound, count in zip([*map(str, _BUCKETS), "+Inf"], times, strict=False):
                total += count
                buckets.append((bound, total))
            metric.add_metric(labels, buckets, times[-1])
        return metric


def _counter(name: str, text: str, labels: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> Metric:
    metric = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        metric.add_metric(values, count)
    return metric
