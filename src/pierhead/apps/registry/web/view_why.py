"""Why may I, or why may I not: what the page shows, as one frozen value. Decided by the rules that decide calls.

Everyone may ask for themselves; for somebody else: administrators, auditors, and owners of that server. Not here: how
it looks (`page_why`), who else may (`page_access`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pierhead.apps.registry.web.may_call import RuleView
from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.core.approval import Approval
from pierhead.core.catalog import Server
from pierhead.core.errors import Forbidden, Invalid, NotFound
from pierhead.core.identity import Caller, Party, User
from pierhead.core.policy import Match, Question, RuleEffect, refuse
from pierhead.usecases.explain_decision import Explanation, explain_decision

SURFACES: Final = ("ide", "chat", "channel", "agent")
_LONGEST: Final = 256
_CONDITION: Final = ".when"
_ASKED: Final = {Question.REACH: "reach the server", Question.USE: "use the tool"}
_PARTIES: Final = {Party.PERSON: "people", Party.WORKLOAD: "workloads"}
_YES: Final = {
    Approval.CONFIRM: "your own yes",
    Approval.APPROVE: "another person's yes",
    Approval.FOUR_EYES: "the yes of two other people",
}
_TERM: Final = re.compile(r"(group|user|workload):([A-Za-z0-9_.@:/-]+)")
_WORDS: Final = {"group": "members of {}", "user": "{}", "workload": "the workload {}"}


@dataclass(frozen=True, slots=True)
class LayerView:
    """One of the two questions: `decision` is permit, ask or refuse; `open_to` is whom it would let through."""

    question: str
    decision: str
    sentence: str
    rules: tuple[RuleView, ...]
    open_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WhyView:
    """One question and its answer. Where no server was named there is none: `decision` is empty."""

    server: str
    tool: str
    person: str
    groups: tuple[str, ...]
    surface: str
    channel: str
    environment: str
    is_own: bool
    decision: str
    sentence: str
    to_do: str
    layers: tuple[LayerView, ...]
    revision: int
    servers: tuple[str, ...]
    tools: tuple[str, ...]
    people: tuple[str, ...]
    """Whom else the viewer may ask about, where that does not hang on the server."""


def why_view(site: Site, viewer: Viewer, query: Mapping[str, str]) -> WhyView:
    """Errors: NotFound; Forbidden, for another's question without the right; Invalid."""
    unknown = sorted(query.keys() - {"server", "tool", "person", "surface", "channel"})
    if unknown or max(map(len, query.values()), default=0) > _LONGEST:
        raise Invalid("the question cannot be read", hint="ask with server, tool, person, surface and channel")
    snapshot = site.snapshots.current()
    hidden = viewer.hidden(site)
    server = None if query.get("server", "") in hidden else snapshot.servers.get(query.get("server", ""))
    if server is None and query.get("server"):
        raise NotFound(f"no server {query['server']!r}", hint="see the list of servers")
    subject = _subject(site, viewer, query, server)
    tool = query.get("tool", "") if server else ""
    answer = _answered(site, subject, server, tool) if server else _UNASKED
    sees_all = viewer.is_admin(site) or viewer.sees_all(site)
    return WhyView(
        server=server.name if server else "",
        tool=tool,
        person=subject.name,
        groups=tuple(sorted(subject.groups)),
        surface=subject.surface,
        channel=subject.channel,
        environment=subject.environment,
        is_own=subject.name == viewer.person,
        decision=answer.decision,
        sentence=answer.sentence,
        to_do=answer.to_do,
        layers=answer.layers,
        revision=snapshot.revision,
        servers=tuple(sorted(snapshot.servers.keys() - hidden)),
        tools=tuple(sorted(server.tools)) if server else (),
        people=tuple(sorted(site.tokens.people.names())) if sees_all else (),
    )


def _subject(site: Site, viewer: Viewer, query: Mapping[str, str], server: Server | None) -> Caller:
    own = replace(viewer.caller(site), channel=query.get("channel", ""))
    surface = query.get("surface", "") or own.surface
    person = query.get("person", "") or viewer.person
    if person == viewer.person:
        return replace(own, surface=surface)
    owns = server is not None and server.owner in viewer.groups
    if not (owns or viewer.is_admin(site) or viewer.sees_all(site)):
        raise Forbidden("you may not ask for others", hint="ask for yourself, or ask the server's owner")
    groups = site.tokens.people.groups(person)
    if groups is None:
        raise NotFound(f"nobody here is called {person!r}", hint="people who sign in elsewhere ask for themselves")
    user = User(site.tokens.terms.people_of, person, groups, site.tokens.people.claims(person))
    return replace(own, principal=user, surface=surface)


@dataclass(frozen=True, slots=True)
class _Answer:
    decision: str
    sentence: str
    to_do: str
    layers: tuple[LayerView, ...]


_UNASKED: Final = _Answer("", "", "", ())


def _answered(site: Site, caller: Caller, server: Server, tool: str) -> _Answer:
    if not server.is_callable:
        sentence = f"{server.name} is {server.stage}: nobody can call it"
        return _Answer("refuse", sentence, f"{server.whom_to_ask}, who can say when it comes back", ())
    if tool and tool not in server.tools:
        raise NotFound(f"{server.name} has no tool {tool!r}", hint="leave the tool out, or choose another")
    found = explain_decision(caller, server.name, tool, site.snapshots)
    asks = any(_asks(match) for match in found.reasons)
    decision = ("ask" if asks else "permit") if found.decision == "approval" else found.decision
    asked = (Question.REACH, Question.USE) if tool else (Question.REACH,)
    layers = tuple(_layer(site, caller, server, question, found) for question in asked)
    sentence = found.sentence if decision == found.decision or asks else f"{caller.name} may use {tool}"
    return _Answer(decision, in_words(sentence), _to_do(decision, found), layers)


def _asks(match: Match) -> bool:
    """Whether it asks for people. A condition asks them only while the arguments are not known, as they are here."""
    return match.effect is RuleEffect.ASK and not match.rule.endswith(_CONDITION)


def _layer(site: Site, caller: Caller, server: Server, question: Question, found: Explanation) -> LayerView:
    reasons = tuple(match for match in found.reasons if match.question is question)
    refusal = refuse(caller, reasons, frozenset({question}), server.whom_to_ask)
    asks = any(_asks(match) for match in reasons)
    decision = "refuse" if refusal else "ask" if asks else "permit"
    sentence = in_words(refusal.sentence) if refusal else f"{caller.name} may {_ASKED[question]}"
    return LayerView(
        question=question,
        decision=decision,
        sentence=f"{sentence}, once somebody agrees" if decision == "ask" else sentence,
        rules=tuple(RuleView(match.effect, match.question, match.rule, plain(match)) for match in reasons),
        open_to=_open_to(site, server, found.tool, question),
    )


def _open_to(site: Site, server: Server, tool: str, question: Question) -> tuple[str, ...]:
    """Whom the rules of that layer name, met or not."""
    if question is Question.REACH:
        return tuple(in_words(str(row.who)) for row in site.snapshots.current().rows.get(server.name, ()))
    declared = server.tools[tool]
    narrowed = (in_words(str(declared.narrowed)),) if declared.narrowed is not None else ()
    return (in_words(str(declared.policy)), *narrowed)


def _to_do(decision: str, found: Explanation) -> str:
    match decision:
        case "refuse":
            return f"{found.whom_to_ask}: they can change this"
        case "ask":
            return f"call it: each call waits for {_YES.get(found.approval, found.approval)}, then it runs"
        case _:
            return "connect a client, and call it"


def plain(match: Match) -> str:
    """What one rule says, as a sentence for whoever is not its author."""
    if match.effect is RuleEffect.ASK and not _asks(match):
        return f"Hangs on the arguments of each call: {match.sentence.partition(': ')[2]}."
    does = {
        RuleEffect.PERMIT: f"Lets {_PARTIES[match.party]} {match.question} it",
        RuleEffect.FORBID: "Stops the call",
        RuleEffect.ASK: "Asks for a yes first",
        RuleEffect.LOWER: "Asks for less than is declared",
    }[match.effect]
    return f"{does}: {in_words(match.sentence)}."


def in_words(text: str) -> str:
    """A short form of policy as people say it: `group:ads` is "members of ads"."""
    return _TERM.sub(lambda found: _WORDS[found[1]].format(found[2]), text)
