"""One server on the platform in memory, for the tests of one function: callers, people, record, clock.

Clients may be open side by side and one after the other; what was recorded and asked stays. The test is the gateway: it
says who calls. Below: `sdk.testing`. Not here: fixtures (`plugin`).
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import anyio
import httpx2
import orjson
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestParams, ElicitResult

from pierhead.core.catalog import Stage
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import Who
from pierhead.sdk.governance import Governance, govern
from pierhead.sdk.host import ASSERTION_HEADER, Application, host
from pierhead.sdk.testing import URL, MemoryVerifier, lifespan
from pierhead.sdk.testing_people import Answering, People, Verdict
from pierhead.testing.profiles import LEGACY, Profile
from pierhead.testing.transport import StreamingTransport
from pierhead.usecases.memory import MemoryAudit, MemoryClock, MemorySnapshots, snapshot_of
from pierhead.usecases.memory_plans import MemoryPlans
from pierhead.usecases.tell_owners import OwnersInForce

if TYPE_CHECKING:
    from mcp.client import ClientRequestContext

    from pierhead.sdk.server import Server

_NOBODY: Final = Who()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls in a test: a person, a program, or both."""

    user: str = ""
    groups: frozenset[str] = frozenset()
    workload: str = ""
    claims: Mapping[str, object] = field(default_factory=dict[str, object], hash=False)


@dataclass(slots=True)
class Bench:
    """`audit` is what was recorded, `people` who is asked, `clock` stands until it is moved."""

    server: "Server"
    audit: MemoryAudit = field(default_factory=MemoryAudit)
    clock: MemoryClock = field(default_factory=MemoryClock)
    verifier: MemoryVerifier = field(default_factory=MemoryVerifier)
    people: People = field(init=False)
    snapshots: MemorySnapshots = field(init=False)
    governance: Governance = field(init=False)
    _open: "_Hosted | None" = None
    _workloads: frozenset[str] = frozenset()
    _denies: bool = False

    def __post_init__(self) -> None:
        self.people = People(Answering(None), self.clock)
        self.snapshots = MemorySnapshots(snapshot_of((), ()))
        self.server.plans = MemoryPlans(self.clock)
        self.server.owners = OwnersInForce(self.snapshots)
        tools, version = self.server.tools, self.server.version
        self.governance = govern(
            self.server.name, tools, self.snapshots, self.people, self.audit, self.clock, version=version
        )
        self._publish()

    def deny_all(self) -> None:
        """From now on policy lets nobody use any tool."""
        self._denies = True
        self._publish()

    def reloaded(self, server: "Server") -> "Bench":
        """The same platform around another state of the code: record, people, approvals and clock go on."""
        bench = Bench(server, audit=self.audit, clock=self.clock, verifier=self.verifier)
        bench.people.answering, bench.people.store, bench.people.desk = (
            self.people.answering,
            self.people.store,
            self.people.desk,
        )
        server.plans = self.server.plans
        return bench

    def approve_with(self, verdict: Verdict | None = "approve", *, comment: str = "") -> None:
        """From now on people answer so as soon as they are asked; with None, not before the test says so."""
        self.people.answering = Answering(verdict, comment)

    @asynccontextmanager
    async def client(
        self, who: Identity, era: str, *, profile: Profile | None = None, form: str = ""
    ) -> AsyncGenerator[Client]:
        """A real protocol client. `form` is what its person chooses in a form; empty: they close it."""
        self._admit(who)
        header = orjson.dumps(_said(who, sits_there=profile is not None and profile.elicits)).decode()
        failed: list[BaseException] = []
        async with AsyncExitStack() as opened:
            transport = await self._transport(opened)
            http = httpx2.AsyncClient(transport=transport, headers={ASSERTION_HEADER.decode(): header})
            await opened.enter_async_context(http)
            mode = "legacy" if era == LEGACY else era
            client = Client(streamable_http_client(URL, http_client=http), mode=mode, **_options(profile, form))
            ready = await opened.enter_async_context(client)
            opened.push(_keeping(failed))
            yield ready
        if failed:
            raise failed[0]

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[Application]:
        """The application itself, for requests from elsewhere in this process; clients of meanwhile share it."""
        async with AsyncExitStack() as opened:
            yield await self._hosted(opened)

    def message_of(self, who: Identity) -> bytes:
        """What the gateway would say of `who` in its header: for a request to `serving`."""
        self._admit(who)
        return orjson.dumps(_said(who, sits_there=False))

    async def _transport(self, opened: AsyncExitStack) -> StreamingTransport:
        application = await self._hosted(opened)
        tasks = await opened.enter_async_context(anyio.create_task_group())
        opened.callback(tasks.cancel_scope.cancel)
        return StreamingTransport(application, tasks)

    def _admit(self, who: Identity) -> None:
        if who.workload and who.workload not in self._workloads:
            self._workloads |= {who.workload}
            self._publish()

    def _publish(self) -> None:
        listed = self.server.listed(Stage.DEPLOYED, URL)
        if self._denies:
            listed = replace(
                listed, tools={name: replace(tool, narrowed=_NOBODY) for name, tool in listed.tools.items()}
            )
        who = Who(workloads=self._workloads, any_person=True)
        revision = self.snapshots.snapshot.revision + 1
        self.snapshots.snapshot = snapshot_of([listed], [Row(listed.name, who, EVERY, EVERY, EVERY)], revision)

    async def _hosted(self, opened: AsyncExitStack) -> Application:
        """One application for all clients that are open together: an ended one is not started again."""
        if self._open is not None:
            return self._open.application
        application = host(self.server, self.governance, self.verifier)
        await opened.enter_async_context(lifespan(application))
        self._open = _Hosted(application)
        opened.callback(self._ended)
        return application

    def _ended(self) -> None:
        self._open = None


@dataclass(frozen=True, slots=True)
class _Hosted:
    application: Application


def identity(user: str, groups: Iterable[str] = (), claims: Mapping[str, object] | None = None) -> Identity:
    """A person."""
    return Identity(user, frozenset(groups), claims=claims or {})


def _said(who: Identity, *, sits_there: bool) -> Mapping[str, object]:
    return {
        "user": who.user,
        "groups": sorted(who.groups),
        "claims": dict(who.claims),
        "workload": who.workload,
        "interactive": sits_there,
    }


def _keeping(failed: list[BaseException]) -> Callable[[object, BaseException | None, object], bool]:
    """Keeps a test's own failure from the task groups around a client, which would wrap it."""
    passing = (GeneratorExit, KeyboardInterrupt, anyio.get_cancelled_exc_class())

    def keep(kind: object, raised: BaseException | None, trace: object) -> bool:
        del kind, trace
        if raised is None or isinstance(raised, passing):
            return False
        failed.append(raised)
        return True

    return keep


def _options(profile: Profile | None, form: str) -> dict[str, Any]:
    """What the client can do, as the protocol package takes it."""
    options: dict[str, Any] = {}
    if profile is not None and profile.elicits:
        options["elicitation_callback"] = _answering(form)
    if profile is not None and profile.call_s is not None:
        options["read_timeout_seconds"] = profile.call_s
    return options


def _answering(form: str) -> Any:  # noqa: ANN401 - the callback's type is the protocol package's own
    async def answer(context: "ClientRequestContext", asked: ElicitRequestParams) -> ElicitResult:
        del context, asked
        if not form:
            return ElicitResult(action="cancel")
        return ElicitResult(action="accept", content={"decision": form})

    return answer
