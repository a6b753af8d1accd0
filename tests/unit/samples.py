"""Values that unit tests of core and use cases share: plain, valid, and changed where a test says so."""

from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st

from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.bounds import UNBOUNDED, Bounds
from pierhead.core.call import Call, Opaque, Parsed, Request, digest
from pierhead.core.catalog import Effect, Server, Stage, Tool
from pierhead.core.condition import parse_condition
from pierhead.core.identity import ANONYMOUS, Both, Caller, Party, Principal, User, Workload
from pierhead.core.policy import Match, Question, RuleEffect
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import NOBODY, Who, parse_who
from pierhead.core.usage import Minutes

ISSUER: Final = "https://issuer.example"
ROBOT: Final = "spiffe://demo.example/robot"
ALICE: Final = User(ISSUER, "alice", frozenset({"data-eng"}))
AGENT: Final = Workload(ROBOT)

TOOL: Final = Tool(
    name="run_query",
    description="Run a query.",
    policy=parse_who("group:data-eng"),
    effect=Effect.READ,
    approval=Approval.NONE,
    minutes=Minutes.estimate(6),
    input_schema={"type": "object"},
    output_schema={},
)
SERVER: Final = Server(
    name="warehouse",
    version="1.0.0",
    kind="sql",
    stage=Stage.DEPLOYED,
    owner="data-platform",
    support="#data-help",
    description="Flights.",
    upstream="http://127.0.0.1:1",
    tools={"run_query": TOOL},
)
ROW: Final = Row("warehouse", parse_who("group:data-eng"), EVERY, EVERY, EVERY)


def caller(principal: Principal = ALICE, surface: str = "ide", environment: str = "local", channel: str = "") -> Caller:
    return Caller(principal, surface, environment, "correlation-1", channel)


def server(*tools: Tool, **changes: Any) -> Server:
    return replace(SERVER, tools={tool.name: tool for tool in tools or (TOOL,)}, **changes)


def call(tool: str = "run_query", values: dict[str, Any] | None = None) -> Call:
    arguments = Opaque("d" * 64, 10) if values is None else Parsed(values, digest(values), 10)
    return Call("call-1", "warehouse", tool, arguments, "2026-07-28", "client 1.0")


def request(principal: Principal = ALICE, tool: Tool = TOOL, on: Server | None = None) -> Request:
    return Request(call(tool.name), caller(principal), on or server(tool), tool, revision=1)


def match(
    effect: RuleEffect, question: Question, party: Party = Party.PERSON, approval: Approval = Approval.NONE
) -> Match:
    return Match(effect, question, party, f"rule-{effect}-{question}", f"a rule {effect}s {question}", approval)


GROUPS: Final = ("data-eng", "ads", "legal")
users = st.builds(
    User,
    issuer=st.just(ISSUER),
    subject=st.sampled_from(("alice", "bob")),
    groups=st.frozensets(st.sampled_from(GROUPS)),
)
workloads = st.builds(Workload, spiffe_id=st.sampled_from((ROBOT, "spiffe://demo.example/other")))
boths = st.builds(Both, user=users, workload=workloads)
principals: st.SearchStrategy[Principal] = st.one_of(st.just(ANONYMOUS), users, workloads, boths)
signed_in: st.SearchStrategy[Principal] = st.one_of(users, workloads, boths)
whos = st.one_of(
    st.just(NOBODY),
    st.builds(
        Who,
        groups=st.frozensets(st.sampled_from(GROUPS)),
        users=st.frozensets(st.sampled_from(("alice", "bob"))),
        workloads=st.frozensets(st.sampled_from((ROBOT, "spiffe://demo.example/other"))),
        any_person=st.booleans(),
    ),
)
channels = st.sampled_from(("", "airflow-help", "spark-help"))
conditions = st.sampled_from([parse_condition(text) for text in ("limit <= 10", "limit > 3", 'table == "a"')])
bounds = st.just(UNBOUNDED) | st.builds(
    Bounds, channels=st.just(EVERY) | st.frozensets(channels), when=st.lists(conditions, max_size=2).map(tuple)
)
names_of = st.just(EVERY) | st.frozensets(st.sampled_from(("local", "production", "ide", "chat", "", "airflow-help")))
approval_rules = st.builds(
    ApprovalRule,
    place=st.integers(0, 3),
    approval=st.sampled_from([each for each in Approval if each is not Approval.NONE]),
    lowers=st.just(False),
    tools=st.just(EVERY),
    who=st.just(EVERY) | whos,
    surfaces=names_of,
    environments=names_of,
    channels=names_of,
    when=st.lists(conditions, max_size=1).map(tuple),
)
lowering_rules = st.builds(
    replace, approval_rules, approval=st.sampled_from(Approval), lowers=st.just(True), when=st.just(())
)
tools = st.builds(
    replace,
    st.just(TOOL),
    policy=whos,
    effect=st.sampled_from(Effect),
    approval=st.sampled_from(Approval),
    narrowed=st.none() | whos,
    bounds=bounds,
    narrowed_bounds=bounds,
    rules=st.lists(approval_rules | lowering_rules, max_size=3, unique_by=lambda rule: rule.place).map(tuple),
)
surfaces = st.sampled_from(("ide", "chat"))
environments = st.sampled_from(("local", "production"))
places = st.just(EVERY) | st.frozensets(surfaces)
rows = st.builds(
    Row,
    server=st.just("warehouse"),
    who=whos,
    surfaces=places,
    environments=st.just(EVERY) | st.frozensets(environments),
    channels=st.just(EVERY) | st.frozensets(channels),
)
callers = st.builds(caller, principals, surfaces, environments, channels)
matches = st.lists(
    st.builds(
        match,
        effect=st.sampled_from(RuleEffect),
        question=st.sampled_from(Question),
        party=st.sampled_from(Party),
        approval=st.sampled_from(Approval),
    ),
    max_size=8,
)
questions = st.sampled_from(
    (frozenset({Question.REACH}), frozenset({Question.USE}), frozenset({Question.REACH, Question.USE}))
)

#: A tool as a manifest tells it.
TOOL_FORM: dict[str, Any] = {
    "name": "now",
    "description": "The time now.",
    "policy": "everyone",
    "effect": "read",
    "approval": "none",
    "minutes": {"mode": 1, "low": 0.5, "high": 2, "method": "estimate"},
    "timeout_s": 30,
    "idempotent": False,
    "input_schema": {"type": "object"},
    "output_schema": {},
}
