"""One server as it is declared, in a fleet file or at the registry: its members, checked, and what they mean.

Strict: an unknown member or a value of the wrong shape is an error. Above: `fleet` (with the lines of its file),
`entries` (what people register). Not here: a kind's own settings, which its plug-in checks at start.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from pierhead.bootstrap.declared_approvals import DeclaredApproval, rules_of
from pierhead.bootstrap.entry_words import Channel, ConditionText, Group, PolicyText, member_of
from pierhead.bootstrap.remote_entry import Remote, RemoteMembers
from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.bounds import Bounds, read_bounds
from pierhead.core.catalog import DataClass, Discovery, Effect, Risk
from pierhead.core.reach import EVERY, Every, Row
from pierhead.core.rule import Who, parse_who
from pierhead.core.usage import MOST_MINUTES, Minutes
from pierhead.sdk.authorize import declare
from pierhead.usecases.check_guest import host_of
from pierhead.usecases.official_forms import LATEST
from pierhead.usecases.ports_declared import DeclaredTool
from pierhead.usecases.register_server import RESERVED

GUEST_KINDS: Final = frozenset({"stdio", "http"})
OWN: Final = "python"
"""A server of the SDK by its code: its team runs the process, or the platform does."""
_PROGRAMS: Final = ("/usr/local/bin", "/usr/bin", "/bin")
_OF_THE_REGISTRY: Final = frozenset(
    {
        "approvals",
        "approvers",
        "autonomous",
        "data_class",
        "discovery",
        "egress",
        "environments",
        "gallery",
        "icon",
        "on_call",
        "personal_data",
        "repository",
        "runbook",
        "slo",
        "title",
        "untrusted_results",
        "version",
    }
)
"""What no plug-in is told: how its server is weighed and shown is not its own business."""
_FILE_URL: Final = re.compile(r"(sqlite|duckdb):///(?!/)(?!:memory:)(.+)")


@dataclass(frozen=True, slots=True)
class GuestTool:
    """A guest's tool as the fleet file declares it, in the words of `sdk.authorize.declare`."""

    policy: str
    effect: str
    minutes_saved: Minutes
    approval: str | None
    timeout: float
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Guest:
    """A server that nobody here wrote: which of its tools exist, and how to start it, or where it is (`remote`)."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(hash=False)
    tools: Mapping[str, GuestTool] = field(hash=False)
    remote: Remote | None = None


@dataclass(frozen=True, slots=True)
class FleetServer:
    """One server of the fleet. `settings` are for the plug-in of its kind."""

    name: str
    kind: str
    owner: str
    support: str
    description: str
    rows: tuple[Row, ...]
    narrowed: Mapping[str, Who] = field(hash=False)
    narrowed_bounds: Mapping[str, Bounds] = field(hash=False)
    discovery: Discovery
    guest: Guest | None
    settings: Mapping[str, object] = field(hash=False)
    title: str
    version: str
    risk: Risk
    place: str = ""
    """Where it listens, if its team runs it; empty for what the platform starts."""
    approval_rules: tuple[ApprovalRule, ...] = ()

    @property
    def is_guest(self) -> bool:
        return self.guest is not None

    @property
    def declared(self) -> Mapping[str, DeclaredTool]:
        return {name: _declared(tool) for name, tool in self.guest.tools.items()} if self.guest else {}


def _declared(tool: GuestTool) -> DeclaredTool:
    """A guest's tool as the SDK will read it, with the approval that its effect has where none is named."""
    read = declare(
        policy=tool.policy,
        effect=tool.effect,
        minutes_saved=tool.minutes_saved,
        approval=tool.approval,
        timeout=tool.timeout,
    )
    return DeclaredTool(read.policy, read.effect, read.approval, tool.bounds)


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _free(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"{name!r} is no name of a server: something of ours is called so; choose another")
    return name


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$"), AfterValidator(_free)]
Spiffe = Annotated[str, StringConstraints(pattern=r"^spiffe://[A-Za-z0-9._/-]{1,2000}$")]


def _located(command: list[str]) -> list[str]:
    """The program by its full path: a guest's own environment has no PATH of ours. Beside our interpreter first."""
    places = os.pathsep.join((str(Path(sys.executable).parent), *_PROGRAMS))
    found = shutil.which(command[0], path=places)
    if found is None:
        raise ValueError(f"no program {command[0]!r}; looked in {places.replace(os.pathsep, ', ')}")
    return [found, *command[1:]]


class Access(Strict):
    groups: list[Group] = []
    users: list[Group] = []
    workloads: list[Spiffe] = []
    everyone: bool = False
    surfaces: list[Group] | None = None
    environments: list[Group] | None = None
    channels: list[Channel] | None = None


class DeclaredMinutes(Strict):
    mode: float
    low: float
    high: float
    method: str


def _of_a_range(saved: float | DeclaredMinutes) -> float | DeclaredMinutes:
    if not _minutes(saved).is_range:
        raise ValueError(f"it is no range of minutes: give 0 <= low <= mode <= high <= {MOST_MINUTES:g}")
    return saved


class BoundsMembers(Strict):
    """What both say of channels and arguments."""

    channels: list[Channel] | None = None
    when: ConditionText | Annotated[list[ConditionText], Field(min_length=1)] | None = None

    def bounds(self) -> Bounds:
        return read_bounds(self.channels, self.when)


class Narrowing(BoundsMembers):
    policy: PolicyText | None = None

    @field_validator("policy")
    @classmethod
    def _names_people(cls, policy: str | None) -> str | None:
        """What may only narrow cannot be left to permits: a company policy narrows by a forbid of its own."""
        if policy is not None and parse_who(policy).by_policies:
            raise ValueError("a narrowing names who is left, not policies: write a forbid in a company policy")
        return policy

    @model_validator(mode="after")
    def _narrows(self) -> "Narrowing":
        if self.policy is None and self.channels is None and self.when is None:
            raise ValueError("it narrows nothing: say policy, channels or when")
        return self


class DeclaredGuestTool(BoundsMembers):
    policy: PolicyText
    effect: Annotated[str, AfterValidator(lambda text: member_of(Effect, text))]
    minutes_saved: Annotated[float | DeclaredMinutes, AfterValidator(_of_a_range)]
    approval: Annotated[str, AfterValidator(lambda text: member_of(Approval, text))] | None = None
    timeout: float = Field(30.0, gt=0, le=3600)


def _one_version(version: str) -> str:
    if version == LATEST:
        raise ValueError(f"{LATEST!r} is no version: galleries ask for whichever is the newest by it")
    return version


class Objectives(Strict):
    """What the owner promises of its calls."""

    p95_ms: float | None = Field(None, gt=0)
    success_rate: float | None = Field(None, gt=0, le=1)

    @model_validator(mode="after")
    def _promises(self) -> "Objectives":
        if self.p95_ms is None and self.success_rate is None:
            raise ValueError("it promises nothing: say p95_ms or success_rate")
        return self


class Gallery(Strict):
    """What the galleries of IDEs show besides: only what is written here, and to everyone who finds the server."""

    readme: str = Field("", max_length=8_000)
    image: Annotated[str, StringConstraints(max_length=255, pattern=r"^(https://[^\s]{1,247})?$")] = ""
    license: str = Field("", max_length=100)
    topics: list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")]] = Field([], max_length=20)


class ServerModel(Strict):
    """What every kind has; a plug-in kind may have more."""

    kind: str
    owner: str = Field(min_length=1)
    support: str = Field(min_length=1)
    description: str = ""
    access: PolicyText | Access = "nobody"
    title: str = Field("", max_length=100)
    version: Annotated[
        str, StringConstraints(pattern=r"^([0-9A-Za-z][0-9A-Za-z.+_-]{0,99})?$"), AfterValidator(_one_version)
    ] = ""
    repository: Annotated[str, StringConstraints(pattern=r"^(https://[^\s]{1,500})?$")] = ""
    icon: Annotated[str, StringConstraints(max_length=255, pattern=r"^(https://[^\s]{1,247})?$")] = ""
    gallery: Gallery | None = None
    on_call: str = Field("", max_length=200)
    slo: Objectives | None = None
    runbook: Annotated[str, StringConstraints(pattern=r"^(https://[^\s]{1,500})?$")] = ""
    data_class: Annotated[str, AfterValidator(lambda text: member_of(DataClass, text))] = DataClass.INTERNAL
    personal_data: bool = False
    egress: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9*.:-]{1,253}$")]] = []
    environments: list[Group] = []
    autonomous: bool = False
    discovery: Annotated[str, AfterValidator(lambda text: member_of(Discovery, text))] = Discovery.OPEN
    untrusted_results: bool = False
    approvers: list[Group] | None = None
    approvals: list[DeclaredApproval] = []

    @property
    def risk(self) -> Risk:
        return Risk(
            data_class=DataClass(self.data_class),
            has_personal_data=self.personal_data,
            egress=tuple(self.egress),
            is_autonomous=self.autonomous,
            has_untrusted_results=self.untrusted_results,
        )


class PluginModel(ServerModel):
    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    tools: dict[str, Narrowing] = {}


def _place(url: str) -> str:
    if not host_of(url):
        raise ValueError(f"{url[:100]!r} is no address of a server of yours: write http://HOST:PORT/mcp, in lower case")
    return url


class OwnModel(ServerModel):
    """A server of the SDK: its code declares the tools, an entry may narrow them.

    Its team runs it, and `url` is where; or the platform does, from `code` in `folder`, which a fleet file alone says.
    """

    url: Annotated[str, AfterValidator(_place)] = ""
    code: Annotated[
        str, StringConstraints(pattern=r"^([A-Za-z_][A-Za-z0-9_.]{0,200}:[A-Za-z_][A-Za-z0-9_]{0,99})?$")
    ] = ""
    folder: Annotated[str, StringConstraints(min_length=1, max_length=1000)] = "."
    tools: dict[str, Narrowing] = {}

    @model_validator(mode="after")
    def _is_somewhere(self) -> "OwnModel":
        if bool(self.url) == bool(self.code):
            raise ValueError("say url, where its team runs it, or code, which runs here: one of both")
        return self


class GuestModel(ServerModel):
    """A guest of either kind."""

    tools: dict[str, DeclaredGuestTool] = Field(min_length=1)


class CommandModel(GuestModel):
    command: Annotated[list[str], Field(min_length=1), AfterValidator(_located)]
    environment: dict[str, str] = {}


class RemoteModel(RemoteMembers, GuestModel):
    pass


GUEST_MODELS: Final[Mapping[str, type[GuestModel]]] = {"stdio": CommandModel, "http": RemoteModel}
#: The kinds that are no plug-in's; any other kind is one.
MODELS: Final[Mapping[str, type[GuestModel | OwnModel]]] = {**GUEST_MODELS, OWN: OwnModel}
AnyModel = PluginModel | GuestModel | OwnModel


def frozen(name: str, model: AnyModel, entry: dict[str, Any], data: Path | None) -> FleetServer:
    return FleetServer(
        name=name,
        kind=model.kind,
        owner=model.owner,
        support=model.support,
        description=model.description,
        rows=(_row(name, model.access),),
        narrowed={} if isinstance(model, GuestModel) else _narrowed(model),
        narrowed_bounds=(
            {} if isinstance(model, GuestModel) else {tool: given.bounds() for tool, given in model.tools.items()}
        ),
        discovery=Discovery(model.discovery),
        guest=_guest(model) if isinstance(model, GuestModel) else None,
        settings=_settings(entry, data),
        title=model.title,
        version=model.version,
        risk=model.risk,
        place=model.url if isinstance(model, OwnModel) else "",
        approval_rules=rules_of(model.approvals),
    )


def _narrowed(model: PluginModel | OwnModel) -> Mapping[str, Who]:
    return {tool: parse_who(given.policy) for tool, given in model.tools.items() if given.policy is not None}


def _settings(entry: Mapping[str, object], data: Path | None) -> Mapping[str, object]:
    """The entry as written, less what is the registry's alone, and with a file's whole path."""
    own = {name: value for name, value in entry.items() if name not in _OF_THE_REGISTRY}
    return {**own, "url": _absolute(own["url"], data)} if "url" in own else own


def _guest(model: GuestModel) -> Guest | None:
    tools = {
        name: GuestTool(
            tool.policy, tool.effect, _minutes(tool.minutes_saved), tool.approval, tool.timeout, tool.bounds()
        )
        for name, tool in model.tools.items()
    }
    if isinstance(model, RemoteModel):
        return Guest((), {}, tools, model.remote())
    return Guest(tuple(model.command), model.environment, tools) if isinstance(model, CommandModel) else None


def _minutes(saved: float | DeclaredMinutes) -> Minutes:
    if isinstance(saved, DeclaredMinutes):
        return Minutes(saved.mode, saved.low, saved.high, saved.method)
    return Minutes.estimate(saved)


def _row(server: str, access: str | Access) -> Row:
    if isinstance(access, str):
        return Row(server, parse_who(access), EVERY, EVERY, EVERY)
    who = Who(frozenset(access.groups), frozenset(access.users), frozenset(access.workloads), access.everyone)
    return Row(server, who, _only(access.surfaces), _only(access.environments), _only(access.channels))


def _only(names: list[str] | None) -> frozenset[str] | Every:
    """Left out means no restriction; an empty list means nothing."""
    return EVERY if names is None else frozenset(names)


def _absolute(url: object, data: Path | None) -> object:
    """`sqlite:///x.db` lies in the data directory; `sqlite:////srv/x.db` is absolute already."""
    found = _FILE_URL.fullmatch(url) if isinstance(url, str) else None
    if found is None or data is None:
        return url
    return f"{found[1]}:///{data.resolve() / found[2]}"
