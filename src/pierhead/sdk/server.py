"""The public face for a server's author: `Server` and its `tool`.

A server only declares. Its process, journal, policy and transport are put around it by `pierhead run server`, and
in an author's tests by `pierhead.testing`. Built on the official `mcp` package: `server.mcp` is its MCPServer, for
prompts and resources.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from mcp.server import CacheHint
from mcp.server.caching import CacheableMethod
from mcp.server.lowlevel import Server as LowLevelServer
from mcp.server.mcpserver import MCPServer

from pierhead.core.catalog import Server as CatalogServer
from pierhead.core.catalog import Stage, Tool
from pierhead.core.definitions import argument_names
from pierhead.core.errors import Misconfigured
from pierhead.core.identity import Caller
from pierhead.core.usage import Minutes
from pierhead.core.waiting_tools import WAITING_TOOLS
from pierhead.sdk.authorize import MOST_CHARACTERS, ByArguments, Declaration, Estimates, declaration_of, declare
from pierhead.sdk.foretelling import Proposal, foretold, names_in
from pierhead.sdk.needs import Needs
from pierhead.sdk.plan import NoPlans, Planning, executor, planner
from pierhead.sdk.routes import Routes
from pierhead.sdk.tool import BoundTool, bind
from pierhead.usecases.ports_exchange import Credential, Exchanges, NoExchanges
from pierhead.usecases.ports_plans import Plans
from pierhead.usecases.tell_owners import NoOwners, ServerOwners
from pierhead.usecases.told_by_tools import Asks, Offered

Function = TypeVar("Function", bound=Callable[..., object])
Lifespan = Callable[[MCPServer[Any]], AbstractAsyncContextManager[Any]]

LARGEST_RESULT: Final = 100_000
"""What a server that gives rows or logs may ask for: 64 KB of them, and what is said about them."""
#: A list varies by caller, so nobody else may be served it.
_PRIVATE_LIST: Final[dict[CacheableMethod, CacheHint]] = {"tools/list": CacheHint(ttl_ms=60_000, scope="private")}


class Following(Protocol):
    """A server that follows what changes around it, without a restart."""

    def change(self, settings: Mapping[str, object]) -> str:
        """Put its changed settings in force, as far as a running server can; says what it keeps until a restart.

        Errors: Misconfigured, and everything stays as it was.
        """
        ...

    async def refresh(self) -> None:
        """Look again at what it serves. Errors: UpstreamUnreachable, Misconfigured; then all stays as it was."""
        ...


class Server:
    """A domain server: a name, an owner, and a small coherent set of tools.

    `owner` is a team and `support` where to ask: every refusal names both. `secret_names` are words behind which
    secrets stand in what its system tells, besides those that every server knows. `largest_result` is for servers that
    give rows or logs. Units: characters of one answer, at most 100,000. Errors: Misconfigured (`bad-declaration`).
    """

    def __init__(  # noqa: PLR0913 - each is a fact that the registry shows
        self,
        name: str,
        *,
        owner: str,
        support: str,
        version: str = "0.1.0",
        description: str = "",
        instructions: str | None = None,
        lifespan: Lifespan | None = None,
        secret_names: Iterable[str] = (),
        largest_result: int = MOST_CHARACTERS,
    ) -> None:
        self.largest_result = _held(name, largest_result)
        self.secret_names = frozenset(secret_names)
        self.folder: Path | None = None
        """Where it may keep files of its own; whoever hosts it says so before it starts, or it keeps none."""
        self.installation_key: bytes | None = None
        """A secret of this server on this installation, for what must be the same tomorrow; its host sets it."""
        self.following: Following | None = None
        """How it follows its settings and its outside while it runs, if it does."""
        self.needs: Needs | None = None
        """Who tells how what it needs is, an engine or another service; its host tells the registry."""
        self.name = name
        self.owner, self.support = owner, support
        self.version = version
        self.description = description
        self.mcp: MCPServer[Any] = MCPServer(
            name,
            version=version,
            description=description or None,
            instructions=instructions,
            lifespan=lifespan,
            cache_hints=_PRIVATE_LIST,
            log_level="WARNING",
        )
        self.tools: dict[str, BoundTool] = {}
        self.plans: Plans = NoPlans()
        """Where its plans are kept between planning and carrying out; its host sets it."""
        self.exchanges: Exchanges = NoExchanges()
        """Who makes credentials of callers for the system behind it; its host sets it."""
        self.owners: ServerOwners = NoOwners()
        """Whose the fleet's servers are; its host sets it."""
        self._plannings: dict[Callable[..., object], Planning] = {}
        self.routes: Routes | None = None
        """HTTP beside MCP, over the same tools: set it before the server is hosted."""

    async def credential_of(self, caller: Caller) -> Credential:
        """The caller's own credential for the system behind this server; never the token that their client sent.

        Made by exchange (RFC 8693) of what the company's identity provider gave at their sign-in, for the audience that
        the operator names for this server. Ask in each call: it is kept for you, and what was withdrawn is refused.
        Errors: Forbidden (`no-exchange`, `exchange-refused`), with the reason; UpstreamUnreachable.
        """
        return await self.exchanges.exchanged(self.name, caller)

    @classmethod
    def adopt(cls, server: MCPServer[Any], *, owner: str, support: str) -> "Server":
        """Govern a server written with the `mcp` package, whose functions `authorize_tool` declared.

        Its tools are bound anew, as strictly as ours; its prompts, resources and lifespan stay. A tool added to it
        later has no declaration here, so it is neither listed nor called.
        Errors: Misconfigured (`bad-declaration`), naming every tool without a declaration.
        """
        adopted = cls(server.name, owner=owner, support=support, version=server.version or "0.1.0")
        adopted.description, adopted.mcp = server.description or "", server
        adopted.low_level.cache_hints = {**adopted.low_level.cache_hints, **_PRIVATE_LIST}
        found = {tool.name: (tool, declaration_of(tool.fn)) for tool in server._tool_manager.list_tools()}  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - the public list has no functions
        undeclared = sorted(name for name, (_, declaration) in found.items() if declaration is None)
        if undeclared:
            message = f"these tools of {server.name} have no declaration: {', '.join(undeclared)}"
            raise Misconfigured(message, hint="put authorize_tool on their functions", code="bad-declaration")
        for name, (tool, declaration) in found.items():
            if declaration is not None:
                adopted.add(bind(tool.fn, declaration, name, tool.title, tool.description))
        return adopted

    def tool(  # noqa: PLR0913 - the declaration is the point
        self,
        *,
        policy: str,
        effect: str,
        minutes_saved: float | Minutes,
        approval: str | Asks | ByArguments | None = None,
        idempotent: bool = False,
        timeout: float = 30.0,
        offered: Offered | None = None,
        channels: Iterable[str] | None = None,
        when: str | Iterable[str] | None = None,
        plan: Callable[..., object] | None = None,
        proposal: Proposal = "",
        undo: str = "",
        estimate: Estimates | None = None,
        examples: Iterable[Mapping[str, object]] = (),
        name: str | None = None,
        title: str | None = None,
    ) -> Callable[[Function], Function]:
        """Declare a function as a tool; its signature and docstring are what clients see.

        `policy` says who may use it (`group:data-eng or user:ann`), `effect` what it may do (`read`, `draft`, `write`,
        `destructive`), `approval` who must say yes first (or a function that says it), `minutes_saved` the estimate for
        one success.
        `channels` names the chat channels where alone it may be used, `when` what must hold of its arguments.
        `plan` is a function that `Server.plan` declared: the tool carries its plans out, and nothing else.
        `proposal` is what people read who are asked (`"delete the bookings of {carrier}"`), `undo` how to take it back.
        `estimate` is an async function of arguments and caller that says what a call is expected to take
        (`pierhead.Estimate`): rules of approval read it, and can only ask for more by it.
        `examples` are two or more sets of arguments that it takes, shown to whoever reads about it, and used by tests.
        `offered` may hide it from some whom `policy` admits: a server that has roles of its own knows them.
        Units: `timeout` in seconds. Errors: Misconfigured (`bad-declaration`), at load.
        """
        declaration = declare(
            policy=policy,
            effect=effect,
            minutes_saved=minutes_saved,
            approval=approval,
            idempotent=idempotent,
            timeout=timeout,
            offered=offered,
            channels=channels,
            when=when,
            examples=examples,
        )
        declaration = replace(declaration, estimates=estimate, most_characters=self.largest_result)
        if plan is not None:
            return self._carrying_out(plan, declaration, name, title)
        return self._as_told(proposal, undo, declaration, name, title)

    def plan(
        self,
        *,
        policy: str,
        minutes_saved: float | Minutes,
        timeout: float = 30.0,
        offered: Offered | None = None,
        examples: Iterable[Mapping[str, object]] = (),
        name: str | None = None,
    ) -> Callable[[Function], Function]:
        """Declare a function that says what a tool would change, as a tool that only reads: it returns a `Plan`.

        `Server.tool(plan=...)` then names the function, and carries out what it planned. Members as of `tool`.
        Errors: Misconfigured (`bad-declaration`), at load.
        """
        declaration = declare(
            policy=policy,
            effect="read",
            minutes_saved=minutes_saved,
            timeout=timeout,
            offered=offered,
            examples=examples,
        )

        def register(function: Function) -> Function:
            planning, body = planner(function, self.name, lambda: self.plans)
            held = replace(declaration, most_characters=self.largest_result)
            planning.bound = bind(body, held, name, None, secret_names=self.secret_names)
            self.add(planning.bound)
            self._plannings[function] = planning
            return function

        return register

    def _as_told(
        self, proposal: Proposal, undo: str, declaration: Declaration, name: str | None, title: str | None
    ) -> Callable[[Function], Function]:
        foresees = foretold(proposal, undo) if proposal or undo else None

        def register(function: Function) -> Function:
            told = replace(declaration, foresees=foresees)
            bound = bind(function, told, name, title, secret_names=self.secret_names)
            if missing := sorted(set(names_in(proposal)) - argument_names(bound.declared()).keys()):
                message = f"the proposal of {bound.name} names no argument of its: {', '.join(missing)}"
                raise Misconfigured(message, hint="name its own arguments", code="bad-declaration")
            self.add(bound)
            return function

        return register

    def _carrying_out(
        self, plan: Callable[..., object], declaration: Declaration, name: str | None, title: str | None
    ) -> Callable[[Function], Function]:
        planning = self._plannings.get(plan)
        if planning is None:
            message = f"{getattr(plan, '__name__', 'this')} is no plan of {self.name}"
            raise Misconfigured(message, hint="declare it with server.plan first", code="bad-declaration")
        declared = replace(declaration, foresees=planning.foresee, plan_tool=planning.bound.name)

        def register(function: Function) -> Function:
            bound = bind(executor(function, planning), declared, name, title, secret_names=self.secret_names)
            self.add(bound)
            planning.carried_out_by = bound.name
            return function

        return register

    def add(self, bound: BoundTool) -> None:
        """Take in a bound tool. Errors: Misconfigured (`bad-declaration`) for a name taken twice, or by Pierhead."""
        if bound.name in WAITING_TOOLS:
            hint = "rename it: every server has that tool already"
            raise Misconfigured(f"{bound.name} is a tool of Pierhead's own", hint=hint, code="bad-declaration")
        if bound.name in self.tools:
            raise Misconfigured(f"tool {bound.name} is declared twice", hint="rename one", code="bad-declaration")
        self.tools[bound.name] = bound
        self.mcp._tool_manager._tools[bound.name] = bound.registered  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - it takes functions only

    @property
    def low_level(self) -> LowLevelServer[Any]:
        """What the host mounts; `mcp` gives no public way to it that keeps middleware and routes apart."""
        return self.mcp._lowlevel_server  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def manifest(self) -> tuple[Tool, ...]:
        """The tools as the registry and the rules know them, in the order of declaration."""
        return tuple(bound.declared() for bound in self.tools.values())

    def listed(self, stage: Stage, upstream: str) -> CatalogServer:
        """This server as an entry of a catalogue."""
        return CatalogServer(
            name=self.name,
            version=self.version,
            kind="python",
            stage=stage,
            owner=self.owner,
            support=self.support,
            description=self.description,
            upstream=upstream,
            tools={tool.name: tool for tool in self.manifest()},
            instructions=self.low_level.instructions or "",
        )


def _held(name: str, characters: int) -> int:
    if 0 < characters <= LARGEST_RESULT:
        return characters
    message = f"an answer of {name} has 1 to {LARGEST_RESULT:,} characters"
    raise Misconfigured(message, hint="page it; what is larger is for a file", code="bad-declaration")
