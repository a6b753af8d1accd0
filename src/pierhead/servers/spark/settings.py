"""A Spark server's settings: what the fleet file says of it, parsed once into frozen values."""

import fnmatch
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pierhead.sdk import Caller
from pierhead.sdk.entry import read_entry
from pierhead.servers.spark.store_settings import PLACE, StoreLogin, StoreSettings

Write = Literal["analyses", "kill", "resubmit"]
"""What a server may change: drafts of its own, a running application, a new run of an old one."""
Group = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@:/-]{1,256}$")]
Address = Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]

Place = Annotated[Annotated[str, Field(pattern=PLACE)] | Path, Field(union_mode="left_to_right")]
"""A folder, or a prefix of a bucket as `s3://bucket/prefix`."""


class Standalone(BaseModel):
    """A standalone master: its pages, which list and kill, and its submission server, which starts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ui: Address
    rest: Address | None = None


class JobOwners(BaseModel):
    """Whose the applications are whose name fits a pattern with `*` and `?`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    jobs: str
    groups: Annotated[tuple[Group, ...], Field(min_length=1)]


class SparkSettings(BaseModel):
    """Folders are searched for an application's id; what is left out is not looked at, and answers say so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    owner: str
    support: str
    description: str = ""
    history: dict[str, Address] = {}
    drivers: tuple[Address, ...] = ()
    """Pages of running drivers that may be asked."""
    event_logs: tuple[Place, ...] = ()
    driver_logs: tuple[Place, ...] = ()
    executor_logs: tuple[Place, ...] = ()
    """Each holds `APPLICATION/EXECUTOR/stderr`, as a worker's folder does, or files named after both."""
    store: StoreSettings = StoreSettings()
    """Where the buckets are."""
    login: StoreLogin | None = None
    """Keys of the buckets."""
    pods: tuple[Path, ...] = ()
    """Pods and their events as JSON, as Kubernetes gives them, copied while they happened."""
    airflow_logs: tuple[Path, ...] = ()
    airflow: tuple[Address, ...] = ()
    """Airflows whose links may stand for an application."""
    standalone: Standalone | None = None
    engineers: tuple[Group, ...] = ()
    """Groups that may read logs, settings and plans."""
    operators: tuple[Group, ...] = ()
    """Groups on call for Spark: they may act on every application."""
    job_owners: tuple[JobOwners, ...] = ()
    services: tuple[Annotated[str, Field(pattern=r"^spiffe://[A-Za-z0-9_.@:/-]{1,240}$")], ...] = ()
    """Programs that may read without a person."""
    writes: tuple[Write, ...] = ()
    changeable: tuple[str, ...] = ("spark.executor.memory", "spark.driver.memory", "spark.sql.shuffle.partitions")
    """Settings of Spark that a run anew may set differently."""
    secret_names: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    """Words behind which secrets stand in what is answered, besides those that every server knows."""
    source_s: Annotated[float, Field(gt=0, le=60)] = 10.0

    @field_validator("history")
    @classmethod
    def _plain_names(cls, history: dict[str, str]) -> dict[str, str]:
        if any(not name.isidentifier() for name in history):
            raise ValueError("name each with letters, digits and _")
        return history

    @classmethod
    def parse(cls, name: str, written: Mapping[str, object]) -> "SparkSettings":
        """Read a server's entry of the fleet file. Errors: Misconfigured, naming each fault."""
        return read_entry(cls, name, written, code="bad-spark-settings", fault=cls.fault)

    def fault(self) -> str:
        """What makes no sense together."""
        wide = (*self.event_logs, *self.driver_logs, *self.executor_logs)
        places = (*self.folders(wide), *self.pods, *self.airflow_logs)
        absent = next((place for place in places if not place.is_dir()), None)
        if absent is not None:
            return f"there is no folder {absent}"
        if self.stored(wide) and find_spec("obstore") is None:
            return "s3://: obstore is not installed (pierhead[spark])"
        if not (self.history or self.event_logs or self.driver_logs or self.drivers):
            return "one of history, event_logs, driver_logs and drivers must say where applications are found"
        if {"kill", "resubmit"} & set(self.writes) and not (self.operators or self.job_owners):
            return "writes: name those who may kill and resubmit in operators or job_owners"
        if "kill" in self.writes and self.standalone is None:
            return "writes: killing needs `standalone`"
        if "resubmit" in self.writes and (self.standalone is None or self.standalone.rest is None):
            return "writes: resubmitting needs `standalone.rest`"
        return ""

    @staticmethod
    def folders(places: Sequence[Place]) -> tuple[Path, ...]:
        """Those that are folders of this machine."""
        return tuple(place for place in places if isinstance(place, Path))

    @staticmethod
    def stored(places: Sequence[Place]) -> tuple[str, ...]:
        """Those that are in buckets."""
        return tuple(place for place in places if isinstance(place, str))

    @property
    def hosts(self) -> frozenset[str]:
        """Hosts, with their ports, whose links may be given instead of an id."""
        places = [*self.history.values(), *self.drivers, *self.airflow]
        if self.standalone:
            places.append(self.standalone.ui)
        return frozenset(urlsplit(place).netloc.casefold() for place in places)

    def anyone(self) -> str:
        """Every employee, and the programs that may read, as a policy says it."""
        return " or ".join(["everyone", *self._programs()])

    def readers(self) -> str:
        """Engineers and programs. Nobody, where none are named."""
        return " or ".join([*(f"group:{group}" for group in self.engineers), *self._programs()]) or "nobody"

    def people_who_read(self) -> str:
        return " or ".join(f"group:{group}" for group in self.engineers) or "nobody"

    def actors(self) -> str:
        """Whoever may act on some application; on which is asked again, by its name."""
        groups = {*self.operators, *(group for owner in self.job_owners for group in owner.groups)}
        return " or ".join(f"group:{group}" for group in sorted(groups)) or "nobody"

    def may_act_on(self, caller: Caller, job: str) -> bool:
        """Whether the caller is on call, or owns applications of that name."""
        owners = {
            group
            for owner in self.job_owners
            if fnmatch.fnmatchcase(job.casefold(), owner.jobs.casefold())
            for group in owner.groups
        }
        return not caller.groups.isdisjoint({*self.operators, *owners})

    def _programs(self) -> list[str]:
        return [f"workload:{name}" for name in self.services]
