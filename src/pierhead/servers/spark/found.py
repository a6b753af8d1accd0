"""What was found of an application, source by source, and why the rest was not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pierhead.sdk.failure_rules import Fact
from pierhead.servers.spark.application import Application

State = Literal["read", "not_found", "not_configured", "denied", "timeout", "expired", "failed"]
SOURCES: Final = ("event_log", "driver_api", "driver_log", "executor_logs", "pods", "airflow_log")


@dataclass(frozen=True, slots=True)
class Told:
    """How a source did; `detail` says more where there is more to say."""

    state: State
    detail: str = ""


@dataclass(slots=True)
class Found:
    """Everything that is left of one application."""

    id: str
    application: Application | None = None
    is_live: bool = False
    driver_log: Path | None = None
    executor_logs: dict[str, Path] = field(default_factory=dict[str, Path])
    airflow_log: Path | None = None
    facts: list[Fact] = field(default_factory=list[Fact])
    told: dict[str, Told] = field(default_factory=dict[str, Told])
    pods: Sequence[str] = ()

    @property
    def missing(self) -> list[str]:
        """The sources that were asked for and gave nothing."""
        wanted = ("event_log", "driver_log", "executor_logs", "pods")
        return [name for name in wanted if name in self.told and self.told[name].state != "read"]

    @property
    def is_anything(self) -> bool:
        return bool(self.application or self.driver_log or self.executor_logs or self.airflow_log or self.facts)
