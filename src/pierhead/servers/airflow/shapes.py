"""What Airflow's API says, read leniently into frozen values: both versions of the API, and members yet to come.

Not here: asking (`api`), what tools answer (`answers`). A member that is missing reads as its empty value.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, cast

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

FAILED: Final = frozenset({"failed"})
_SPAN: Final = TypeAdapter(timedelta)
ENDED: Final = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _names(value: object) -> list[str]:
    """Tags and owners: texts, or objects that have a name."""
    if not isinstance(value, list):
        return []
    return [str(each.get("name", "")) if isinstance(each, Mapping) else str(each) for each in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]


def _mapping(value: object) -> object:
    return value if isinstance(value, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]


def _list(value: object) -> object:
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


def seconds_of(delta: Any) -> float | None:  # noqa: ANN401 - a span as the API writes it
    """A number, an object of days, seconds and microseconds, or ISO 8601 (`PT4S`)."""
    if isinstance(delta, Mapping):
        parts = cast("Mapping[str, float]", delta)
        return parts.get("days", 0) * 86_400 + parts.get("seconds", 0) + parts.get("microseconds", 0) / 1_000_000
    if isinstance(delta, str):
        with suppress(ValidationError):
            return _SPAN.validate_python(delta).total_seconds()
        return None
    return float(delta) if isinstance(delta, int | float) else None


Text = Annotated[str, BeforeValidator(_text)]
Names = Annotated[list[str], BeforeValidator(_names)]
Values = Annotated[dict[str, Any], BeforeValidator(_mapping)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Version(_Shape):
    version_number: int = 0
    bundle_version: Text = ""
    created_at: Text = ""


Versions = Annotated[list[Version], BeforeValidator(_list)]


class Dag(_Shape):
    dag_id: str
    is_paused: bool | None = None
    description: Text = ""
    owners: Names = []
    tags: Names = []
    timetable_summary: Text = ""
    timetable_description: Text = ""
    next_run: Text = Field("", validation_alias=AliasChoices("next_dagrun_run_after", "next_dagrun_create_after"))
    has_import_errors: bool | None = None
    is_stale: bool | None = None
    fileloc: Text = ""
    file_token: Text = ""
    catchup: bool | None = None
    max_active_runs: int | None = None
    max_active_tasks: int | None = None
    max_consecutive_failed_dag_runs: int | None = None
    dag_run_timeout: Any = None
    start_date: Text = ""
    timezone: Text = ""
    doc_md: Text = ""
    params: Values = {}
    default_args: Values = {}
    latest_dag_version: Version | None = None


class TaskDefinition(_Shape):
    task_id: str
    owner: Text = ""
    operator: Text = ""
    operator_name: Text = ""
    class_ref: Values = {}
    downstream_task_ids: Names = []
    retries: float | None = None
    retry_delay: Any = None
    execution_timeout: Any = None
    pool: Text = ""
    trigger_rule: Text = ""
    is_mapped: bool | None = None
    depends_on_past: bool | None = None

    @property
    def kind(self) -> str:
        """The name of its operator's class."""
        return self.operator_name or str(self.class_ref.get("class_name", "")) or self.operator

    @property
    def is_sensor(self) -> bool:
        return "sensor" in f"{self.kind} {self.class_ref.get('module_path', '')}".casefold()


class Run(_Shape):
    dag_id: Text = ""
    dag_run_id: str
    state: Text = ""
    run_type: Text = ""
    logical_date: Text = Field("", validation_alias=AliasChoices("logical_date", "execution_date"))
    run_after: Text = ""
    queued_at: Text = ""
    start_date: Text = ""
    end_date: Text = ""
    duration: float | None = None
    conf: Values = {}
    note: Text = ""
    triggered_by: Text = ""
    dag_versions: Versions = []

    @model_validator(mode="after")
    def _lasted(self) -> "Run":
        """Airflow 2 tells when a run began and ended, and leaves it to others how long that is."""
        if self.duration is not None or not (self.start_date and self.end_date):
            return self
        with suppress(ValueError, TypeError):
            lasted = datetime.fromisoformat(self.end_date) - datetime.fromisoformat(self.start_date)
            return self.model_copy(update={"duration": lasted.total_seconds()})
        return self

    @property
    def version(self) -> int | None:
        """The newest version of the DAG that ran in it; None where the API knows no versions."""
        return max((each.version_number for each in self.dag_versions), default=None)


class Instance(_Shape):
    """One task of one run, in one of its attempts. `map_index` is -1 where the task is not mapped."""

    dag_id: Text = ""
    dag_run_id: Text = ""
    task_id: str
    map_index: int = -1
    state: Text = ""
    try_number: int = 0
    max_tries: int = 0
    start_date: Text = ""
    end_date: Text = ""
    duration: float | None = None
    queued_when: Text = ""
    scheduled_when: Text = ""
    pool: Text = ""
    pool_slots: int = 1
    queue: Text = ""
    operator: Text = ""
    hostname: Text = ""
    note: Text = ""
    rendered_fields: Values = {}
    dag_version: Version | None = None

    @property
    def name(self) -> str:
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"

    @property
    def retries_left(self) -> int:
        """Attempts that Airflow makes by itself after this one."""
        return max(0, self.max_tries + 1 - max(self.try_number, 0)) if self.state == "up_for_retry" else 0


class AssetEnd(_Shape):
    dag_id: Text = ""
    task_id: Text = ""


Ends = Annotated[list[AssetEnd], BeforeValidator(_list)]


class Asset(_Shape):
    """An asset of Airflow 3, a dataset of Airflow 2."""

    id: int = 0
    uri: Text = ""
    name: Text = ""
    producers: Ends = Field([], validation_alias="producing_tasks")
    readers: Ends = Field([], validation_alias="consuming_tasks")
    scheduled: Ends = Field([], validation_alias=AliasChoices("scheduled_dags", "consuming_dags"))
    last_asset_event: Values = {}

    @property
    def title(self) -> str:
        return self.uri or self.name

    @property
    def last_event(self) -> str:
        """When it was last written; empty where that is not known."""
        return str(self.last_asset_event.get("timestamp") or "")


class AssetEvent(_Shape):
    """When a dataset of Airflow 2 was written."""

    dataset_id: int
    timestamp: Text = ""


class Pool(_Shape):
    name: str
    slots: int = 0
    occupied_slots: int = 0
    running_slots: int = 0
    queued_slots: int = 0
    scheduled_slots: int = 0
    open_slots: int = 0


class ImportFailure(_Shape):
    filename: Text = ""
    timestamp: Text = ""
    stack_trace: Text = ""


class Event(_Shape):
    """An entry of Airflow's own log of events; `task_id` is empty where it is of the whole run."""

    when: Text = ""
    task_id: Text = ""
    map_index: int | None = None
    try_number: int | None = None
    event: Text = ""
    extra: Text = ""
