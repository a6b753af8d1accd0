"""An Airflow server's settings: what the fleet file says of it, parsed once into frozen values."""

import fnmatch
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pierhead.sdk import Caller, ToolFailed
from pierhead.sdk.entry import read_entry
from pierhead.sdk.secret import Secret, read_secret

Api = Literal["v2", "v1"]
"""Of Airflow 3, and of Airflow 2."""
Write = Literal["clear", "trigger", "pause", "mark"]
Group = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:@/-]{1,120}$")]


class Login(BaseModel):
    """How the server signs in at Airflow: `user` and `password` (exchanged for a token by API v2), or a `token`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str = ""
    password: Secret | None = None
    token: Secret | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Login":
        if bool(self.user) != (self.password is not None) or bool(self.user) == (self.token is not None):
            raise ValueError("give user and password, or a token")
        return self

    def secret(self) -> str:
        """The password, or the token. Errors: ToolFailed (`airflow-sign-in`)."""
        chosen = self.password or self.token
        try:
            return read_secret(chosen) if chosen else ""
        except PermissionError:
            hint = "whoever runs this server looks at `login` in its entry"
            told = "the secret file of Airflow's login cannot be read"
            raise ToolFailed(told, hint=hint, code="airflow-sign-in") from None


class Groups(BaseModel):
    """Who uses which tools, as policies: `group:data-eng or workload:spiffe://corp/agent`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    everybody: str = "everyone"
    engineers: str = "group:data-eng"
    service: str = ""
    """Workloads that read, and nothing else: `workload:spiffe://corp/incident-agent`."""


class DagOwners(BaseModel):
    """Whose DAGs are called so: `{dags: "finance_*", groups: [finance-eng]}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dags: Annotated[str, Field(min_length=1)]
    groups: tuple[Group, ...]


class AirflowSettings(BaseModel):
    """`url` is Airflow's address, `groups` says who uses which tools."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    owner: str
    support: str
    description: str = ""
    url: str
    link: str = ""
    """Where people open it, where that is another address."""
    instance: str = ""
    others: Mapping[str, str] = {}
    """Other Airflows, name and address: a link to one is told apart from a link to a stranger."""
    api: Api = "v2"
    login: Login
    groups: Groups = Groups()
    writes: tuple[Write, ...] = ()
    """What may be changed in Airflow. Nothing, left out."""
    operators: tuple[Group, ...] = ()
    """Groups on call for Airflow: they may act on every DAG."""
    dag_owners: tuple[DagOwners, ...] = ()
    confirm_in: tuple[str, ...] = ("dev",)
    """Environments in which the caller confirms what elsewhere somebody else approves."""
    secret_names: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    """Words behind which secrets stand in logs and fields here, besides those that every server knows."""
    seconds: Annotated[float, Field(ge=1, le=60)] = 10.0
    most_log_bytes: Annotated[int, Field(ge=1_000_000, le=200_000_000)] = 52_428_800

    @field_validator("url", "link")
    @classmethod
    def _address(cls, url: str) -> str:
        if url and not url.startswith(("https://", "http://")):
            raise ValueError("write it as https://host")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _somebody_acts(self) -> "AirflowSettings":
        if self.writes and not (self.operators or self.dag_owners):
            raise ValueError("writes: name those who may act in operators or dag_owners")
        if "mark" in self.writes and not self.dag_owners:
            raise ValueError("writes: only owners mark, so name them in dag_owners")
        return self

    @property
    def title(self) -> str:
        """How the instance is called."""
        return self.instance or self.name

    @property
    def pages(self) -> str:
        """Where people open it."""
        return self.link or self.url

    def readers(self, who: str) -> str:
        """A policy of a tool that reads, for `who` and the services."""
        return f"{who} or {self.groups.service}" if self.groups.service else who

    def reads_source(self, caller: Caller) -> bool:
        """Whether the caller is in one of the groups that read logs; a program never is."""
        words = self.groups.engineers.split()
        named = {word.removeprefix("group:") for word in words if word.startswith("group:")}
        return not caller.groups.isdisjoint(named)

    def actors(self) -> str:
        """Whoever may act on some DAG; on which is asked again, by its name."""
        return _any_of({*self.operators, *self._owners()})

    def owners(self) -> str:
        """Whoever owns some DAG: they alone mark a task."""
        return _any_of(self._owners())

    def may_act_on(self, caller: Caller, dag_id: str) -> bool:
        """Whether the caller is on call, or owns DAGs of that name."""
        return self.owns(caller, dag_id) or not caller.groups.isdisjoint(self.operators)

    def owns(self, caller: Caller, dag_id: str) -> bool:
        """Whether the caller owns DAGs of that name."""
        return not caller.groups.isdisjoint(self._owners(dag_id))

    def _owners(self, dag_id: str | None = None) -> set[str]:
        named = (each for each in self.dag_owners if dag_id is None or fnmatch.fnmatchcase(dag_id, each.dags))
        return {group for each in named for group in each.groups}

    @classmethod
    def parse(cls, name: str, written: Mapping[str, object]) -> "AirflowSettings":
        """Read a server's entry of the fleet file. Errors: Misconfigured, naming each fault and no value."""
        return read_entry(cls, name, written, code="bad-airflow-settings")


def _any_of(groups: set[str]) -> str:
    return " or ".join(f"group:{group}" for group in sorted(groups)) or "nobody"
