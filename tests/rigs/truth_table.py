"""The truth table: one policy as a snapshot and as SDK servers, and the cases that everyone who decides is held to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from tests.rigs.mesh import CHAT, REPORT, TRIAGE, WORKLOADS

from pierhead import Server
from pierhead.bootstrap.company_policies import declared_policies
from pierhead.core.bounds import UNBOUNDED, read_bounds
from pierhead.core.catalog import Discovery, Stage, Tool
from pierhead.core.catalog import Server as Listed
from pierhead.core.identity import ANONYMOUS, Both, Caller, Principal, User, Workload
from pierhead.core.reach import EVERY, Every, Row
from pierhead.core.rule import parse_who
from pierhead.core.scope import WHOLE
from pierhead.core.snapshot import PolicyText, Snapshot
from pierhead.usecases.memory import snapshot_of

FOLDER = Path(__file__).parent.parent / "truth_table"
_NAMES = {"CHAT": CHAT, "TRIAGE": TRIAGE, "REPORT": REPORT}


@dataclass(frozen=True)
class Case:
    """One row. `layer` is where a refusal falls, `rule` one that took part; both may be empty.

    `channel` is what the request says, `told` what may be believed of it.
    """

    name: str
    user: str
    groups: frozenset[str]
    workload: str
    channel: str
    told: str
    server: str
    tool: str
    arguments: Mapping[str, Any]
    decision: str = ""
    layer: str = ""
    rule: str = ""

    @classmethod
    def of(cls, user: str = "", groups: Iterable[str] = (), workload: str = "", channel: str = "") -> "Case":
        """Somebody who asks nothing yet (`on`)."""
        return cls("", user, frozenset(groups), _NAMES.get(workload, ""), channel, channel, "", "", {})

    def on(self, server: str, tool: str) -> "Case":
        return replace(self, server=server, tool=tool, name=f"{self.user} {self.workload} {server}.{tool}")

    def caller(self, issuer: str) -> Caller:
        """Whom every proof of this case amounts to."""
        place = WORKLOADS.get(self.workload, {"surface": "ide", "environment": "local"})
        return Caller(self._principal(issuer), place["surface"], place["environment"], "truth", self.told, WHOLE)

    def _principal(self, issuer: str) -> Principal:
        user = User(issuer, self.user, self.groups) if self.user else None
        program = Workload(self.workload) if self.workload else None
        if user and program:
            return Both(user, program)
        return user or program or ANONYMOUS

    @property
    def is_signed_in(self) -> bool:
        return bool(self.user or self.workload)

    @property
    def is_reached(self) -> bool:
        """What a host that asks about reach alone must say."""
        return self.layer != "reach"


@dataclass(frozen=True)
class Table:
    """The policy as it is written, and the cases."""

    servers: Mapping[str, Mapping[str, Any]]
    policies: str
    cases: tuple[Case, ...]

    def sdk_servers(self) -> dict[str, Server]:
        """The servers as their authors would write them."""
        return {name: _server(name, said["tools"]) for name, said in self.servers.items()}

    def snapshot(self, servers: Mapping[str, Server], upstreams: Mapping[str, str]) -> Snapshot:
        """The policy in force over these servers."""
        listed = [self._listed(server, upstreams.get(name, "")) for name, server in servers.items()]
        rows = [_row(name, row) for name, said in self.servers.items() for row in said["access"]]
        texts = (PolicyText("company.cedar", self.policies),)
        policies = declared_policies(texts, {each.name: each.tools for each in listed})
        return replace(snapshot_of(listed, rows), policies=policies)

    def _listed(self, server: Server, upstream: str) -> Listed:
        said = self.servers[server.name]
        made = server.listed(Stage.DEPLOYED, upstream)
        tools = {name: _narrowed(tool, said["tools"][name].get("narrowed")) for name, tool in made.tools.items()}
        return replace(made, tools=tools, discovery=Discovery(said.get("discovery", "open")))


def load(name: str = "company") -> Table:
    """The table of that name."""
    said = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return Table(said["servers"], said["policies"], tuple(_case(each) for each in said["cases"]))


def _case(said: dict[str, Any]) -> Case:
    who = said["subject"]
    return Case(
        name=said["case"],
        user=who.get("user", ""),
        groups=frozenset(who.get("groups", ())),
        workload=_NAMES.get(who.get("workload", ""), ""),
        channel=said.get("channel", ""),
        told=said.get("told", said.get("channel", "")),
        server=said["server"],
        tool=said["tool"],
        arguments=said.get("arguments", {}),
        decision=said["decision"],
        layer=said.get("layer", ""),
        rule=said.get("rule", ""),
    )


def _who(text: str) -> str:
    for name, spiffe in _NAMES.items():
        text = text.replace(f"workload:{name}", f"workload:{spiffe}")
    return text


def _row(server: str, said: Mapping[str, Any]) -> Row:
    def only(name: str) -> frozenset[str] | Every:
        return frozenset(said[name]) if name in said else EVERY

    return Row(server, parse_who(_who(said["who"])), only("surfaces"), only("environments"), only("channels"))


def _server(name: str, tools: Mapping[str, Mapping[str, Any]]) -> Server:
    server = Server(name, owner="data-platform", support="#data-help")
    for tool, said in tools.items():
        server.tool(
            name=tool,
            policy=_who(said["policy"]),
            effect=said["effect"],
            approval=said.get("approval"),
            channels=said.get("channels"),
            when=said.get("when"),
            minutes_saved=1,
        )(_answer)
    return server


async def _answer(limit: int = 10, table: str = "flights") -> str:
    """Say what was asked for."""
    return f"{limit} rows of {table}"


def _narrowed(tool: Tool, said: Mapping[str, Any] | None) -> Tool:
    if said is None:
        return tool
    bounds = read_bounds(said.get("channels"), said.get("when")) if said.keys() - {"policy"} else UNBOUNDED
    return replace(tool, narrowed=parse_who(said["policy"]) if "policy" in said else None, narrowed_bounds=bounds)
