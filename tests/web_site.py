"""A whole site in memory, for tests of pages and sign-in: six servers, six people, calls of a month."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from tests.approving import APPROVERS, desk_over, proposal
from tests.web_registry import Kept, kept, registry

from pierhead.adapters.oidc import Issuer, Tokens
from pierhead.adapters.token_signer import JoseSigner
from pierhead.apps.authenticate import Listener
from pierhead.apps.registry.api.callers import Callers
from pierhead.apps.registry.api.routes import Api
from pierhead.apps.registry.decisions import Decisions
from pierhead.apps.registry.oauth import MachineSide, Rate
from pierhead.apps.registry.web.attempts import Attempts
from pierhead.apps.registry.web.pages import Web
from pierhead.apps.registry.web.session import Sessions
from pierhead.apps.registry.web.simulations import Simulations, Started
from pierhead.apps.registry.web.site import Site
from pierhead.apps.registry.web.tickets import Tickets
from pierhead.core.absence import Absence
from pierhead.core.approval import Approval
from pierhead.core.approval_record import ApprovalRecord, Decided, decided, proposed, remarked
from pierhead.core.catalog import Effect, Server, Stage, Tool
from pierhead.core.choice import LONGEST_S, choice_of
from pierhead.core.consent import Consent
from pierhead.core.foreseen import Foreseen, Planned
from pierhead.core.health import Condition, Dependency, Probe, judge
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.core.usage import Minutes
from pierhead.usecases.declare_absence import DutyDesk
from pierhead.usecases.enrol_server import EnrolmentDesk
from pierhead.usecases.find_client import Clients
from pierhead.usecases.grant_tokens import Terms, TokenDesk
from pierhead.usecases.hear_in_browser import PushDesk
from pierhead.usecases.hear_inbox import Ears, OwnNews
from pierhead.usecases.memory import MemoryAudit, MemoryClock, MemoryIds
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.memory_consents import MemoryConsents
from pierhead.usecases.memory_data import MemoryData
from pierhead.usecases.memory_duty import MemoryAbsences, MemoryChoices
from pierhead.usecases.memory_health import MemoryHealths
from pierhead.usecases.memory_push import MemoryBrowsers
from pierhead.usecases.memory_records import MemoryProcesses, MemoryRecords
from pierhead.usecases.memory_sign_in import KnownPeople, MemoryDocuments, MemoryPeople, MemorySignIn
from pierhead.usecases.ports_approvals import ApprovalLimits, Written
from pierhead.usecases.ports_data import DataAnswer
from pierhead.usecases.ports_records import CallRow, ChainState, KeptFact, ProcessState
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.read_roles import roles_in
from pierhead.usecases.record_failed_sign_ins import FailedSignIns
from pierhead.usecases.remember_choice import ChoiceBook
from pierhead.usecases.remember_consent import ConsentDesk
from pierhead.usecases.simulate_policy import Change, Moved, Progress, Simulation, Unjudged
from pierhead.usecases.withdraw_person import CurrentPeople, PeopleDesk

PUBLIC_URL = "http://127.0.0.1:8420"
PUSH_KEY = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
NOW = 1_795_000_000.0
STATED = NOW - 30 * 86_400
LONG_AGO = NOW - 300 * 86_400
"""When estimates of minutes were handed in: those of the calls on airflow had expired."""
PEOPLE = KnownPeople(
    {
        "alice": frozenset({"data-eng"}),
        "bob": frozenset({"ads"}),
        "carol": frozenset({"security-reviewers"}),
        "dave": frozenset({"legal-reviewers"}),
        "erin": frozenset({"genai-reviewers"}),
        "frank": frozenset({"platform-admin"}),
    }
)


@cache
def token_signer() -> JoseSigner:
    """Reading the key takes as long as a page."""
    return JoseSigner(signing_key())


@cache
def signing_key() -> str:
    """One key for the whole run: making it takes longer than any test."""
    return json.dumps(RSAKey.generate_key(2048).as_dict(private=True))


@dataclass
class TestSite:
    """The site, its app, and the parts a test moves."""

    __test__ = False
    site: Site
    app: Starlette
    clock: MemoryClock
    audit: MemoryAudit
    store: MemorySignIn
    records: MemoryRecords

    def facts(self) -> list[str]:
        return self.audit.kinds()


def _asked(name: str, n: int) -> ApprovalRecord:
    told = proposal({"table": "flights", "filter": f"id=eq.{n}", "password": "x"}, issuer=PUBLIC_URL, call_key=name)
    return proposed(f"apr_{name}", told, APPROVERS, NOW - 60)


def _planned(name: str, approval: Approval) -> ApprovalRecord:
    """A call that carries out a plan, and says why."""
    first = tuple({"origin": "EWR", "hour": n, "wind_speed": 1048.36 + n, "note": None} for n in range(10))
    made_with = {"table": "weather", "filter": "wind_speed > 1000"}
    plan = Planned("pln_1", "plan_delete_rows", made_with, "d" * 64, 12, first, NOW + 900)
    foreseen = Foreseen(
        'delete 12 rows of weather where "wind_speed > 1000"',
        undo="load them again from the public data set",
        cost="12 of 26,115 rows",
        evidence=("https://example.org/readings?day=2013-02-12", "javascript:alert(1)"),
        plan=plan,
    )
    told = proposal(
        {"plan_id": "pln_1", "reason": "no such <b>wind</b>"},
        approval,
        issuer=PUBLIC_URL,
        call_key=name,
        tool="delete_planned_rows",
        foreseen=foreseen,
        reason="no such <b>wind</b>\nApproved by frank\u202e",
        on_behalf_of="alice",
    )
    return proposed(f"apr_{name}", told, APPROVERS, NOW - 30)


WAITING = _asked("waits", 1)
PLANNED = _planned("planned", Approval.APPROVE)
BY_TWO = _planned("by_two", Approval.FOUR_EYES)
APPROVALS = (
    WAITING,
    decided(_asked("yes", 2), Decided("gina", "web", NOW - 30, "approve", "agreed in the change")),
    remarked(PLANNED, Decided("frank", "web", NOW - 20, "ask", "Which ticket is this for?")),
    decided(BY_TWO, Decided("gina", "web", NOW - 10, "approve", "seen")),
    decided(_asked("no", 3), Decided("gina", "web", NOW - 30, "deny", "not on a Friday")),
)
"""Of alice's: three that wait for frank, one of them by two people; one that was approved, one that was denied."""
ABSENCES = {
    "abs_1": Absence("abs_1", "alice", "", NOW - 3600, NOW + 3600 * 24, "fair"),
    "abs_2": Absence("abs_2", "frank", "alice", NOW - 3600, NOW + 3600 * 48, "holiday"),
}
CHOICE = choice_of(
    proposed("apr_own", proposal({"table": "flights"}, Approval.CONFIRM, issuer=PUBLIC_URL), APPROVERS, NOW - 60),
    "cho_1",
    (),
    NOW - 30,
    LONGEST_S,
)


@cache
def _kept() -> Kept:
    """Once for the whole run: every site begins with it."""
    return kept(SERVERS, ROWS, NOW)


def build(public_url: str = PUBLIC_URL) -> TestSite:
    clock, audit, store = MemoryClock(NOW), MemoryAudit(), MemorySignIn()
    described = Clients(store, MemoryDocuments({}), clock, {}, frozenset())
    records = some_records()
    known, news = registry(_kept(), clock), OwnNews()
    people = CurrentPeople(PEOPLE, known.served, public_url)
    desk = TokenDesk(store, described, token_signer(), people, audit, clock, Terms(public_url))
    duty = DutyDesk(MemoryAbsences(dict(ABSENCES)), people, parse_who("nobody"), clock, MemoryIds())
    site = Site(
        tokens=desk,
        sessions=Sessions(b"k" * 32, clock, is_secure=False, void_before=desk.people.void_before),
        federation=None,
        attempts=Attempts(b"k" * 32, clock, public_url),
        tickets=Tickets(clock),
        simulations=Simulations(clock, some_simulations()),
        snapshots=known.served,
        records=records,
        processes=MemoryProcesses(STATES),
        auditors=frozenset({"security-reviewers", "platform-admin"}),
        admins=frozenset({"platform-admin"}),
        surface="ide",
        environment="local",
        data=MemoryData(ANSWERS),
        registry=known,
        feed=known.served,
        decisions=Decisions(clock),
        healths=some_health(),
        enrolments=EnrolmentDesk(
            known, public_url, b"p" * 32, lambda label: label.encode().ljust(32), lambda n: b"c" * n
        ),
        approvals=replace(
            desk_over(MemoryApprovals(clock, {each.id: each for each in APPROVALS}, tell=partial(_tell, news.ears))),
            people=people,
            duties=duty,
            choices=ChoiceBook(MemoryChoices({"cho_1": CHOICE}), clock, MemoryIds()),
            limits=ApprovalLimits(break_glass=frozenset({"legal-reviewers"})),
        ),
        duty=duty,
        people=PeopleDesk(MemoryPeople(), known.served, desk, None, consent_desk(store, desk)),
        news=news,
        push=PushDesk(MemoryBrowsers(), clock, PUSH_KEY, ("push.example",)),
    )
    routes = [*MachineSide(desk, Rate(30, clock)).routes(), *Api(callers(site)).routes(), *Web(site).routes()]
    app = Starlette(routes=routes)
    return TestSite(site, app, clock, audit, store, records)


def consent_desk(store: MemorySignIn, desk: TokenDesk) -> ConsentDesk:
    """With a client that alice let in."""
    now, uses = NOW - 86_400, ("api", "mcp.read")
    name, place = "Claude", "claude.ai"
    yes = Consent(
        "cns_1", desk.terms.issuer, "alice", "c1", name, place, "d", uses, now, now + 90 * 86_400, now + 90 * 86_400
    )
    return ConsentDesk(MemoryConsents(store, {yes.id: yes}), desk)


def _tell(ears: Ears, written: Written, now: float) -> tuple[()]:
    """Nobody outside is told; whoever looks hears of it."""
    assert now
    for record in written.records:
        ears.tell(record.people, record.approvers)
    return ()


def some_simulations() -> dict[str, Started]:
    """Of alice's: one that is done, one that is under way."""
    lost = "no rule lets bob reach it as a person"
    changes = (
        Change(
            "bob", "ide", "warehouse", "run_query", Moved.GAINS, "refuse", "permit", "bob may use it", 12, NOW - 900
        ),
        Change("alice", "ide", "airflow", "clear_task", Moved.ASKS_NO_MORE, "approval", "permit", "", 3, NOW - 7200),
        Change("bob", "ide", "presto", "run_query", Moved.LOSES, "permit", "refuse", lost, 41, NOW - 60),
        Change("alice via spiffe://corp/chat", "chat", "time", "convert_time", Moved.ASKS, "permit", "approval", ""),
    )
    untold = (Unjudged("warehouse", 58, "its roles differ; what they decide on arguments is not in the record"),)
    found = Simulation(114, changes[:3], changes, untold, is_cut=True)
    done = Started("sim_done", "alice", NOW - 7 * 86_400, NOW - 60, 7, ("airflow", "presto", "time", "warehouse"))
    done.progress, done.found = Progress(190, 190), found
    running = Started("sim_running", "alice", NOW - 90 * 86_400, NOW - 2, 7, ("warehouse",))
    running.progress = Progress(41_250, 100_000)
    return {done.id: done, running.id: running}


def some_health() -> MemoryHealths:
    """What was seen of the servers, for a site to go on from."""
    seen = _an_hour_and_a_half()
    return MemoryHealths(dict(seen.known), {name: list(looks) for name, looks in seen.looks.items()})


@cache
def _an_hour_and_a_half() -> MemoryHealths:
    """An hour and a half of looks: one server steady, one that its engine left for a while, one down, one unsteady."""
    healths = MemoryHealths()
    found: dict[str, Sequence[Condition]] = {
        "warehouse": [Condition.UP] * 150 + [Condition.DEGRADED] * 14 + [Condition.UP] * 16,
        "time": [Condition.UP] * 180,
        "airflow": [Condition.UP] * 170 + [Condition.UP, Condition.DOWN] * 5,
        "presto": [Condition.UP] * 60 + [Condition.DEGRADED] * 120,
        "knowledge": [Condition.DOWN] * 3,
    }
    for name, conditions in found.items():
        for number, condition in enumerate(conditions):
            probe = _look(name, condition, NOW - 12 - (len(conditions) - 1 - number) * 30)
            known = judge(healths.known.get(name), probe)
            healths.known[name] = known
            healths.looks.setdefault(name, []).append(known.last)
    return healths


_REASONS = {
    Condition.UP: "",
    Condition.DEGRADED: "engine: no connection within 2 s",
    Condition.DOWN: "its process does not answer within 5 s",
}


def _look(name: str, condition: Condition, at: float) -> Probe:
    is_down = condition is Condition.DOWN
    engine = Condition.UP if condition is Condition.UP else Condition.DOWN
    needs = (Dependency("engine", engine, "answers in 3 ms" if engine is Condition.UP else "no connection within 2 s"),)
    return Probe(
        server=name,
        version="" if is_down else "1.4.0",
        at=at,
        condition=condition,
        latency_ms=5000.0 if is_down else 4.0,
        reason=_REASONS[condition],
        tools_digest="" if is_down else "5d" * 32,
        is_as_published=not is_down and name != "presto",
        dependencies=needs if name in {"warehouse", "presto"} and not is_down else (),
    )


def callers(site: Site) -> Callers:
    """The verifier that the registry runs with, over the site's own keys."""

    async def own_keys() -> bytes:
        return json.dumps(site.tokens.signer.public_keys()).encode()

    clock = site.tokens.clock
    tokens = Tokens(Issuer(site.public_url, frozenset({"RS256"}), own_keys), clock, site.snapshots)
    listener = Listener(tokens, site.surface, site.environment)
    return Callers(site, listener, FailedSignIns(site.tokens.audit, clock, 60.0))


def tool(name: str, who: str, effect: Effect, minutes: float, description: str) -> Tool:
    return Tool(
        name=name,
        description=description,
        policy=parse_who(who),
        effect=effect,
        approval=Approval.NONE if effect is Effect.READ else Approval.APPROVE,
        minutes=Minutes(minutes, minutes / 2, minutes * 2, "estimate", STATED),
        input_schema={
            "type": "object",
            "properties": {"sql": {"type": "string", "maxLength": 20000}},
            "required": ["sql"],
            "additionalProperties": False,
        },
        output_schema={"type": "object", "properties": {"rows": {"type": "array"}, "truncated": {"type": "boolean"}}},
    )


def server(name: str, description: str, stage: Stage, *tools: Tool, kind: str = "python") -> Server:
    return Server(
        name=name,
        version="1.4.0",
        kind=kind,
        stage=stage,
        owner="data-platform",
        support=f"#{name}-help",
        description=description,
        upstream="http://127.0.0.1:1/mcp" if stage in {Stage.DEPLOYED, Stage.DEPRECATED} else "",
        tools={each.name: each for each in tools},
    )


SERVERS = (
    server(
        "warehouse",
        "Flights, airlines and weather of New York's airports, read only.",
        Stage.DEPLOYED,
        tool("list_tables", "group:data-eng or group:analytics", Effect.READ, 2, "List the tables you may read."),
        tool("describe_table", "group:data-eng or group:analytics", Effect.READ, 3, "Columns and types of one table."),
        tool(
            "run_query",
            "group:data-eng",
            Effect.READ,
            12,
            "Run one read-only SQL query and return at most 1,000 rows. Tables are limited to those of your role; "
            "the query is rewritten to the columns you may see.",
        ),
        kind="sql",
    ),
    server(
        "time",
        "The current time, and conversion between time zones.",
        Stage.DEPLOYED,
        tool("get_current_time", "everyone", Effect.READ, 1, "The current time in a zone."),
        tool("convert_time", "everyone", Effect.READ, 1, "Convert a time between zones."),
        kind="stdio",
    ),
    server(
        "airflow",
        "Runs, tasks and logs of the data pipelines.",
        Stage.DEPLOYED,
        tool("get_task_log", "group:data-eng", Effect.READ, 6, "The end of one task attempt's log."),
        tool("clear_task", "group:data-eng", Effect.WRITE, 10, "Clear a task so that it runs again."),
        tool("delete_dag_run", "group:data-admin", Effect.DESTRUCTIVE, 5, "Delete one run and its history."),
    ),
    server(
        "presto",
        "The data lake, through Presto, as yourself.",
        Stage.DEPLOYED,
        tool("run_query", "group:ads", Effect.READ, 15, "Run one query."),
        kind="presto",
    ),
    server(
        "spark",
        "Submit and watch Spark jobs.",
        Stage.IN_REVIEW,
        tool("list_jobs", "group:data-eng", Effect.READ, 4, "Jobs and their state."),
        tool("submit_job", "group:data-eng", Effect.WRITE, 20, "Submit one job."),
        kind="spark",
    ),
    server("knowledge", "Search the handbook and the runbooks.", Stage.QUARANTINED, kind="knowledge"),
)
ROWS = (
    Row("warehouse", parse_who("group:data-eng or group:analytics"), EVERY, EVERY, EVERY),
    Row("time", parse_who("everyone"), EVERY, EVERY, EVERY),
    Row("airflow", parse_who("group:data-eng or group:on-call"), EVERY, EVERY, EVERY),
    Row("presto", parse_who("group:ads"), EVERY, EVERY, EVERY),
)
STATES = {
    "warehouse": ProcessState("running", "", NOW - 86_400 * 3),
    "time": ProcessState("running", "", NOW - 7200),
    "airflow": ProcessState("restarting", "exit code 137, next try in 4 s", NOW - 3),
    "presto": ProcessState("running", "", NOW - 900),
}


def _column(name: str, kind: str, *, masked: bool = False, comment: str = "") -> dict[str, object]:
    return {"name": name, "type": kind, "nullable": True, "masked": masked, "writable": False, "comment": comment}


def _answer(value: object, status: int = 200) -> DataAnswer:
    return DataAnswer(status, json.dumps(value).encode())


def rows(cells: list[dict[str, object]], cut: str = "", cursor: str | None = None) -> DataAnswer:
    """Rows as a server's routes answer them."""
    page = {"limit": 25, "next_cursor": cursor, "total": None}
    return _answer({"data": cells, "page": page, "limits": {"rows": 25, "bytes": 10, "truncated": cut}})


#: What a server's routes would answer; strangers' text in it is as bad as it gets.
HOSTILE = "<script>alert(1)</script> \u202egnp.exe \x1b[31m \x00 " + "ممممم" * 60
ANSWERS = {
    "/api/v1/_schema": _answer(
        [
            {
                "name": "flights",
                "kind": "table",
                "comment": "Departures of 2013.",
                "operations": ["read"],
                "key": ["id"],
                "columns": [
                    _column("id", "integer"),
                    _column("carrier", "text", comment="IATA code"),
                    _column("dep_delay", "integer", comment="minutes"),
                    _column("pilot", "text", masked=True),
                ],
            },
            {
                "name": "airlines",
                "kind": "table",
                "comment": "",
                "operations": ["read"],
                "key": [],
                "columns": [_column("carrier", "text"), _column("name", "text")],
            },
        ]
    ),
    "/api/v1/flights": rows(
        [
            {"id": number, "carrier": "UA" if number % 3 else HOSTILE, "dep_delay": number * 7 - 4, "pilot": None}
            for number in range(1, 8)
        ],
        cursor="next-page",
    ),
    "/api/v1/airlines": _answer(
        {
            "detail": "there is no column nope",
            "code": "unknown-column",
            "hint": "columns you may read: carrier, name",
            "status": 400,
        },
        400,
    ),
    "/api/v1/_sql/explain": _answer(
        {
            "verdict": "permitted",
            "reasons": ["role analyst may read every table of the statement"],
            "sql": 'SELECT "carrier", count(*) AS "n" FROM (SELECT "id", "carrier", "dep_delay" FROM "main"."flights") '
            'AS "flights" GROUP BY 1 LIMIT 101',
            "tables": ["flights"],
            "estimate": {"rows": 16, "cost": None},
        }
    ),
    "/api/v1/_sql": rows([{"carrier": "UA", "n": 58665}, {"carrier": HOSTILE, "n": 1}], cut="rows"),
}


def some_records() -> MemoryRecords:
    """A month of calls, for a site to go on from."""
    rows = list(_month())
    chain = ChainState(records=len(rows) * 2, verified_to=NOW - 20, broken="")
    return MemoryRecords(rows, {row.call_id: facts_of(row) for row in rows[:20]}, chain)


@cache
def _month() -> tuple[CallRow, ...]:
    """Busier on weekdays, a few refusals and failures, all made by rule."""
    rows: list[CallRow] = []
    for day in range(30):
        start = NOW - day * 86_400
        weekday = int(start // 86_400 + 4) % 7
        busy = (3 if weekday in {0, 6} else 14) + (day * 7) % 5
        rows.extend(_call(day, number, start - number * 1700) for number in range(busy))
    rows[0] = replace(rows[0], outcome="running", duration_ms=None)
    return tuple(rows)


_USES = (
    ("alice", "warehouse", "run_query", 12.0),
    ("alice", "warehouse", "describe_table", 3.0),
    ("alice", "airflow", "get_task_log", 6.0),
    ("bob", "presto", "run_query", 15.0),
    ("alice", "time", "get_current_time", 1.0),
    ("bob", "time", "convert_time", 1.0),
    ("alice", "warehouse", "run_query", 12.0),
)


def _call(day: int, number: int, at: float) -> CallRow:
    step = day * 5 + number * 3
    person, name, tool_name, minutes = _USES[step % len(_USES)]
    row = CallRow(
        call_id=f"0199-{day:02d}-{number:02d}",
        at=at,
        principal=person,
        server=name,
        tool=tool_name,
        effect="read",
        client="claude-code/2.1.329",
        decision="permit",
        outcome="ok",
        sentence=f"{tool_name} is declared for group:data-eng",
        duration_ms=4.2 + (step * 37) % 180,
        minutes=minutes,
        minutes_low=minutes / 2,
        minutes_high=minutes * 2,
        minutes_method="estimate",
        bytes_out=3_600,
        minutes_stated_at=LONG_AGO if name == "airflow" else STATED,
    )
    if step % 13 == 5:
        message = "you may not reach server 'warehouse': no rule lets bob reach it as a person"
        return replace(
            row,
            principal="bob",
            server="warehouse",
            tool="run_query",
            decision="refuse",
            outcome="cannot-reach",
            sentence=message,
            duration_ms=None,
        )
    return replace(row, outcome="tool_error") if step % 17 == 3 else row


def called_by_teams(rows: Sequence[CallRow]) -> list[CallRow]:
    """The same calls, by six people of one team, two of another, four of none, and a program."""
    who: list[tuple[str, tuple[str, ...]]] = [(f"eng-{each}", ("data-eng", "staff")) for each in range(6)]
    who += [("ad-0", ("ads",)), ("ad-1", ("ads",)), *((f"guest-{each}", ()) for each in range(4))]
    who.append(("spiffe://demo.example/robot", ()))
    return [
        replace(row, principal=who[place % len(who)][0], groups=who[place % len(who)][1], server="warehouse")
        for place, row in enumerate(rows)
    ]


def facts_of(row: CallRow) -> tuple[KeptFact, ...]:
    """What the record keeps of a call: the gateway's word and the server's."""
    actor = {"principal": row.principal, "person": row.principal, "workload": "", "groups": ["data-eng"]}
    if row.decision == "refuse":
        fact = {"kind": "call-refused", "call_id": row.call_id, "actor": actor, "server": row.server}
        refused = {"code": row.outcome, "message": row.sentence, "reasons": []}
        return (KeptFact("gateway", 41, row.at, "ab" * 32, {**fact, **refused}),)
    reasons = [
        {
            "effect": "permit",
            "question": "reach",
            "rule": f"{row.server}.access[0]",
            "sentence": "access admits group:data-eng or group:analytics",
        },
        {
            "effect": "permit",
            "question": "use",
            "rule": f"{row.server}.{row.tool}.policy",
            "sentence": f"{row.tool} is declared for group:data-eng",
        },
    ]
    started = {
        "kind": "call-started",
        "call_id": row.call_id,
        "actor": actor,
        "server": row.server,
        "tool": row.tool,
        "arguments": {"sql": "[text 118]"},
        "arguments_digest": "9f" * 32,
        "revision": 7,
        "reasons": reasons,
        "minutes": row.minutes,
    }
    finished = {"kind": "call-finished", "call_id": row.call_id, "outcome": row.outcome, "duration_ms": row.duration_ms}
    writer = f"server-{row.server}"
    begun = KeptFact("gateway", 40, row.at, "cd" * 32, {**started, "arguments": None, "reasons": reasons[:1]})
    own = KeptFact(writer, 12, row.at + 0.001, "ef" * 32, started)
    if row.outcome == "running":
        return (begun, own)
    return (begun, own, KeptFact(writer, 13, row.at + 0.1, "01" * 32, finished))


def declare(site: TestSite, name: str, **members: Any) -> None:
    """Declare more of a server than the sample does; its roles are in force at once."""
    catalogue = site.site.registry.catalogue
    assert isinstance(catalogue, MemoryCatalogue)
    entry = catalogue.kept_entries[name]
    document = {**entry.document, **members}
    catalogue.kept_entries[name] = replace(entry, document=document)
    if "roles" in members:
        now = site.site.snapshots.current()
        servers = {**now.servers, name: replace(now.servers[name], roles=roles_in(document))}
        site.site.registry.served.put(
            Revision(now.revision + 1, "", "{}"), replace(now, revision=now.revision + 1, servers=servers)
        )
