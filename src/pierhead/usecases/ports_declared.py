"""What an entry's document declares, read: the port, since only bootstrap knows the form of a fleet file's server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.bounds import Bounds
from pierhead.core.catalog import Discovery, Effect, Risk, Tool
from pierhead.core.json import Json
from pierhead.core.reach import Row
from pierhead.core.rule import Who
from pierhead.core.usage import Minutes


@dataclass(frozen=True, slots=True)
class DeclaredTool:
    """What an entry says of a tool whose code says nothing: one of a guest."""

    policy: Who
    effect: Effect
    approval: Approval
    bounds: Bounds

    def tool(self, name: str) -> Tool:
        """The tool, without what only its guest knows: its text, its schemas, its minutes."""
        return Tool(
            name=name,
            description="",
            policy=self.policy,
            effect=self.effect,
            approval=self.approval,
            minutes=Minutes.estimate(0),
            input_schema={},
            output_schema={},
            bounds=self.bounds,
        )


class DeclaredServer(Protocol):
    """One server as a fleet file or a registration declares it. No rows: nobody reaches it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def support(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def version(self) -> str:
        """The version it is declared to be; empty where its manifest says it."""
        ...

    @property
    def risk(self) -> Risk: ...
    @property
    def rows(self) -> tuple[Row, ...]: ...
    @property
    def narrowed(self) -> Mapping[str, Who]: ...
    @property
    def narrowed_bounds(self) -> Mapping[str, Bounds]: ...
    @property
    def approval_rules(self) -> tuple[ApprovalRule, ...]:
        """What calls need beside what their tools declare, or instead of it."""
        ...

    @property
    def discovery(self) -> Discovery: ...
    @property
    def declared(self) -> Mapping[str, DeclaredTool]:
        """The tools of a guest; none where the code declares them."""
        ...

    @property
    def place(self) -> str:
        """Where its own process listens, for a server that its team runs; empty for those that the platform starts."""
        ...

    @property
    def is_guest(self) -> bool:
        """Nobody here wrote it: its program may change while its entry does not."""
        ...


class Declarations(Protocol):
    """Reads documents."""

    def read(self, name: str, document: Mapping[str, Json]) -> DeclaredServer:
        """The server that `document` declares.

        Shapes: what stands under one server's name in a fleet file.
        Errors: Invalid (`bad-entry`), every fault with its place.
        """
        ...
