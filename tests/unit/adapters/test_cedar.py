"""Company policies in Cedar: what they make of a request, and how their faults are told."""

import re
from dataclasses import replace

import pytest
from tests.unit.samples import AGENT, ALICE, ISSUER, ROBOT, ROW, SERVER, TOOL, caller, request, server

from pierhead.adapters.cedar import CedarPolicies, _failed, check_names
from pierhead.core.approval import Approval
from pierhead.core.call import Request
from pierhead.core.catalog import Effect
from pierhead.core.errors import Invalid
from pierhead.core.identity import ANONYMOUS, Both, Caller, Party, User
from pierhead.core.policy import ApprovalNeeded, Permit, Question, Refusal, RuleEffect, decide
from pierhead.core.rule import parse_who
from pierhead.core.snapshot import PolicyText
from pierhead.usecases.match_rules import REACH_AND_USE, Remembered, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of


def read(text: str) -> CedarPolicies:
    return CedarPolicies.read((PolicyText("company.cedar", text),))


def told(text: str, asking: Caller | None = None, question: Question = Question.USE) -> list[tuple]:
    tool = TOOL if question is Question.USE else None
    found = read(text).matches(asking or caller(), question, SERVER, tool)
    return [(match.effect.value, match.rule, match.approval.value) for match in found]


ANY = "(principal, action, resource)"


def test_a_permit_a_forbid_and_an_ask_each_make_their_match() -> None:
    text = f"""
    @id("yes") permit {ANY};
    @id("no") forbid {ANY};
    @id("maybe") @ask("approve") forbid {ANY};
    @id("yes-but") @ask("four-eyes") permit {ANY};
    """
    assert told(text) == [
        ("permit", "company.cedar#yes", "none"),
        ("forbid", "company.cedar#no", "none"),
        ("ask", "company.cedar#maybe", "approve"),
        ("permit", "company.cedar#yes-but", "none"),
        ("ask", "company.cedar#yes-but", "four-eyes"),
    ]


def test_a_sentence_is_the_policys_own_or_says_what_it_does() -> None:
    text = f'@sentence("Only on call.") permit {ANY}; forbid {ANY}; @ask("confirm") forbid {ANY};'
    assert [match.sentence for match in read(text).matches(caller(), Question.USE, SERVER, TOOL)] == [
        "Only on call.",
        "company policy company.cedar#2 forbids this",
        "company policy company.cedar#3 asks for confirm",
    ]


@pytest.mark.parametrize(
    ("holds", "of"),
    [
        ('principal in Group::"data-eng"', caller()),
        ('principal == Person::"alice"', caller()),
        (f'principal is Person && principal.issuer == "{ISSUER}"', caller()),
        ('context.surface == "chat"', caller(surface="chat")),
        ('context.environment == "production"', caller(environment="production")),
        ('context has channel && context.channel == "help"', caller(channel="help")),
        (f'principal == Workload::"{ROBOT}"', caller(AGENT)),
        (f'context has workload && context.workload.spiffe_id == "{ROBOT}"', caller(Both(ALICE, AGENT))),
        ('context has person && context.person in Group::"data-eng"', caller(Both(ALICE, AGENT))),
        ('resource in Server::"warehouse"', caller()),
        ('resource == Tool::"warehouse.run_query"', caller()),
        ('resource is Tool && resource.effect == "read"', caller()),
        ('resource is Tool && resource.name == "run_query"', caller()),
    ],
)
def test_a_policy_sees_who_through_what_where_and_what(holds: str, of: Caller) -> None:
    text = f"permit {ANY} when {{ {holds} }};"
    assert len(told(text, of)) == 1
    assert told(text, caller(User(ISSUER, "zoe", frozenset()), "none", "none")) in ([], told(text, caller()))


def test_each_party_is_asked_for_itself_and_nobody_for_nobody() -> None:
    policies = read(f"permit (principal is Person, action, resource); forbid {ANY} when {{ principal is Workload }};")
    found = policies.matches(caller(Both(ALICE, AGENT)), Question.USE, SERVER, TOOL)
    assert [(match.party, match.effect) for match in found] == [
        (Party.PERSON, RuleEffect.PERMIT),
        (Party.WORKLOAD, RuleEffect.FORBID),
    ]
    assert policies.matches(caller(ANONYMOUS), Question.USE, SERVER, TOOL) == ()


def test_a_scope_holds_a_policy_to_its_server_and_its_question() -> None:
    text = """
    permit (principal, action == Action::"reach", resource == Server::"warehouse");
    permit (principal, action == Action::"use", resource == Tool::"warehouse.run_query");
    permit (principal, action == Action::"use", resource in Server::"elsewhere");
    permit (principal, action in [Action::"reach", Action::"use"], resource);
    """
    assert [rule for _, rule, _ in told(text, question=Question.REACH)] == ["company.cedar#1", "company.cedar#4"]
    assert [rule for _, rule, _ in told(text)] == ["company.cedar#2", "company.cedar#4"]


FAILING = "9223372036854775807 + 1 == 3"


def test_a_policy_that_fails_counts_unless_it_permits() -> None:
    text = f"""
    @id("a") permit {ANY} when {{ {FAILING} }};
    @id("b") forbid {ANY} when {{ {FAILING} }};
    @id("c") @ask("approve") permit {ANY} when {{ {FAILING} }};
    @id("d") forbid {ANY} unless {{ true }};
    """
    assert told(text) == [("forbid", "company.cedar#b", "none"), ("ask", "company.cedar#c", "approve")]
    found = read(text).matches(caller(), Question.USE, SERVER, TOOL)
    assert all("could not be evaluated, so it counts" in match.sentence for match in found)


@pytest.mark.parametrize(
    ("text", "where", "why", "code"),
    [
        (f"permit {ANY};\n  permit (principal, action resource);", "line 2, column 29", "unexpected token", "syntax"),
        (f"permit {ANY} when {{ context.surface = 1 }};", "line 1, column 61", "'=' is not a valid operator", "syntax"),
        (f"// all\npermit {ANY} when {{ true", "line 2, column", "unexpected end of input", "syntax"),
        (f"permit {ANY} when {{ true }}", "line 1, column", "unexpected end of input", "syntax"),
        (f'\n @ask("maybe") forbid {ANY};', "line 2, column 2", "@ask('maybe') is unknown", "syntax"),
        (f'@ask("none") forbid {ANY};', "line 1, column 1", "@ask('none') is unknown", "syntax"),
        (f'@id("a")\n@aks("approve") forbid {ANY};', "line 2, column 1", "@aks is no annotation", "syntax"),
        (f'@id("a") permit {ANY};\n@id("a") permit {ANY};', "line 2, column 1", "two policies are called", "syntax"),
        ("permit (principal == ?principal, action, resource);", "line 1, column 1", "templates", "syntax"),
        ('permit (principal in Grp::"x", action, resource);', "line 1, column 22", "`Grp`", "unknown-name"),
        ('permit (principal, action == Action::"zap", resource);', "line 1, column 30", "zap", "unknown-name"),
        (f"permit {ANY}\nwhen {{ context.colour == 1 }};", "line 2, column 16", "`colour`", "unknown-name"),
        (f'permit {ANY} when {{ context.channel == "a" }};', "line 1", "channel", "unknown-name"),
        (f"permit {ANY} when {{ context.surface == 1 }};", "line 1", "", "unknown-name"),
    ],
)
def test_a_fault_is_told_with_its_file_line_and_column(text: str, where: str, why: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(text)
    assert refused.value.message.startswith(f"company.cedar, {where}")
    assert why in refused.value.message
    assert refused.value.code == f"policy-{code}"
    assert refused.value.hint


def test_semicolons_in_strings_and_comments_end_no_policy() -> None:
    text = f'// one; two\n@sentence("a; \\"b\\"; // c") permit {ANY}; // done;\n'
    assert [match.sentence for match in read(text).matches(caller(), Question.USE, SERVER, TOOL)] == ['a; "b"; // c']
    assert read(" // nothing at all\n").matches(caller(), Question.USE, SERVER, TOOL) == ()


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ('permit (principal, action, resource == Server::"ware");', "line 1, column 48", "server 'ware' is not there"),
        ('permit (principal, action, resource == Tool::"warehouse.x");', "line 1, column 46", "tool 'warehouse.x'"),
        (f'permit {ANY}\nwhen {{ resource in Server::"w2" }};', "line 2, column 28", "server 'w2'"),
    ],
)
def test_a_server_or_tool_that_is_not_there_is_told_with_its_place(text: str, where: str, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_names((PolicyText("company.cedar", text),), {"warehouse": frozenset({"run_query"})})
    assert refused.value.message.startswith(f"company.cedar, {where}: {why}")
    assert refused.value.code == "policy-unknown-name"


def test_tools_that_nobody_knows_yet_and_groups_are_taken_as_they_are_named() -> None:
    text = 'permit (principal in Group::"any", action, resource == Tool::"warehouse.later");'
    check_names((PolicyText("company.cedar", text),), {"warehouse": frozenset()})


BOB = User(ISSUER, "bob", frozenset({"ads"}))


def decided(text: str, *, access: str, policy: str, asking: Caller) -> Permit | Refusal | ApprovalNeeded:
    tool = replace(TOOL, policy=parse_who(policy))
    on = server(tool)
    snapshot = replace(snapshot_of([on], [replace(ROW, who=parse_who(access))]), policies=read(text))
    rules = SnapshotRules(MemorySnapshots(snapshot), REACH_AND_USE)
    asked = replace(request(tool=tool, on=on), caller=asking)
    decision = decide(asked, rules.matches(asked), REACH_AND_USE)
    remembered = Remembered(rules, 10)
    for _ in range(2):
        assert decide(asked, remembered.matches(asked), REACH_AND_USE) == decision
    return decision


PERMIT_ADS = 'permit (principal in Group::"ads", action, resource);'


@pytest.mark.parametrize("text", ["", "\n\n", "// permit (principal, action, resource);\n"])
def test_a_file_that_holds_no_policy_is_refused_where_it_is_declared(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_names((PolicyText("company.cedar", text),), {})
    assert refused.value.code == "policy-syntax"
    assert re.match(r"company.cedar, line \d, column 1: no policy stands here", refused.value.message)


def test_a_permit_counts_only_where_a_declaration_leaves_it_to_the_policies() -> None:
    asking = caller(BOB)
    for access, policy, kind in (
        ("policies", "policies", Permit),
        ("group:data-eng or policies", "group:data-eng or policies", Permit),
        ("policies", "group:data-eng", Refusal),
        ("group:data-eng", "policies", Refusal),
        ("everyone", "policies", Permit),
    ):
        assert type(decided(PERMIT_ADS, access=access, policy=policy, asking=asking)) is kind, (access, policy)
    assert isinstance(decided(PERMIT_ADS, access="policies", policy="policies", asking=caller(ALICE)), Refusal)


def test_a_forbid_and_an_ask_count_everywhere() -> None:
    nobody = decided(f'@sentence("not today") forbid {ANY};', access="everyone", policy="everyone", asking=caller())
    assert isinstance(nobody, Refusal)
    assert nobody.sentence == "not today"
    asked = decided(
        '@ask("four-eyes") forbid (principal, action == Action::"use", resource) when { resource.effect == "read" };',
        access="everyone",
        policy="everyone",
        asking=caller(),
    )
    assert isinstance(asked, ApprovalNeeded)
    assert asked.approval is Approval.FOUR_EYES


def test_no_policy_lets_a_workload_write() -> None:
    tool = replace(TOOL, policy=parse_who("policies"), effect=Effect.WRITE)
    on = server(tool)
    snapshot = replace(snapshot_of([on], [replace(ROW, who=parse_who("policies"))]), policies=read(f"permit {ANY};"))
    asked = Request(request().call, caller(AGENT), on, tool, 1)
    rules = SnapshotRules(MemorySnapshots(snapshot), REACH_AND_USE)
    assert isinstance(decide(asked, rules.matches(asked), REACH_AND_USE), Refusal)


def test_the_context_has_a_channel_in_a_channel_alone_and_the_other_party_alone() -> None:
    assert told(f"permit {ANY} when {{ context has channel }};") == []
    for party, holds in ((Party.PERSON, "context has workload"), (Party.WORKLOAD, "context has person")):
        found = read(f"permit {ANY} when {{ {holds} }};").matches(
            caller(Both(ALICE, AGENT)), Question.USE, SERVER, TOOL
        )
        assert [match.party for match in found] == [party]


def test_a_tool_that_is_not_the_servers_own_is_judged_as_it_is() -> None:
    policies = read(f'permit {ANY} when {{ resource is Tool && resource.effect == "write" }};')
    assert policies.matches(caller(), Question.USE, SERVER, TOOL) == ()
    for strange in (replace(TOOL, effect=Effect.WRITE), replace(TOOL, name="other", effect=Effect.WRITE)):
        assert len(policies.matches(caller(), Question.USE, SERVER, strange)) == 1
        assert policies.matches(caller(), Question.USE, SERVER, TOOL) == ()


def test_who_and_what_is_asked_about_is_read_once_and_not_kept_without_end() -> None:
    policies = read(f"permit {ANY};")
    first = policies._entities(ALICE, SERVER)
    assert policies._entities(ALICE, SERVER) is first
    assert policies._server(SERVER) is policies._server(SERVER)
    for number in range(1024):
        policies._entities(User(ISSUER, f"u{number}", frozenset()), SERVER)
        assert len(policies._known) <= 1024
    assert policies._entities(ALICE, SERVER) is not first
    assert len(policies._known) == 2
    for number in range(1024):
        policies._server(replace(SERVER, name=f"s{number}"))
        assert len(policies._servers) <= 1024
    assert len(policies._servers) == 1


def test_a_fault_that_names_no_policy_counts_for_all_of_them() -> None:
    assert _failed(["something went wrong"], 3) == {0, 1, 2}
    assert _failed(["error while evaluating policy `1`: overflow"], 3) == {1}


def test_a_slice_is_made_once() -> None:
    policies = read(f"permit {ANY};")
    assert policies._slice(Question.USE, "warehouse") is policies._slice(Question.USE, "warehouse")
