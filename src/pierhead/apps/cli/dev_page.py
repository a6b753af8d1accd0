"""The inspector: the tools of a server that is being written, a form to call each, and what came of the last call.

Made of the registry's parts, with its stylesheet. Not here: calling (`dev_state`), the listener (`dev`).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import htpy as h

from pierhead.apps.cli.dev_state import Development, Tried
from pierhead.apps.registry.web.frame import STYLE_VERSION, form_token
from pierhead.apps.registry.web.inputs import Filled, area, choice, submit, text
from pierhead.apps.registry.web.parts import (
    Tone,
    effect_badge,
    empty,
    exact_json,
    facts,
    folded,
    notice,
    theirs,
    titled,
    visible,
    why,
)
from pierhead.core.catalog import Tool
from pierhead.core.token_weight import token_weight
from pierhead.testing.profiles import ERAS


def page(now: Development, token: str, typed: Mapping[str, str], tried: Tried | None, more: str = "") -> str:
    server = now.bench.server
    return str(
        h.html(lang="en")[
            h.head[
                h.meta(charset="utf-8"),
                h.meta(name="viewport", content="width=device-width, initial-scale=1"),
                h.meta(name="color-scheme", content="light dark"),
                h.title[f"{server.name} · Pierhead dev"],
                h.link(rel="icon", href="/-/static/mark.svg", type="image/svg+xml"),
                h.link(rel="stylesheet", href=f"/-/static/style.css?v={STYLE_VERSION}"),
            ],
            h.body[
                h.a(class_="skip", href="#content")["Skip to content"],
                h.main(id="content", tabindex="-1")[
                    h.div(class_="stack")[
                        h.h1[h.bdi[server.name]],
                        h.p(class_="quiet")[
                            f"Version {visible(server.version)}, loaded {_times(now.loaded)}. Development: this",
                            " machine alone, anyone you say you are, and policy warns in place of refusing.",
                        ],
                        theirs(server.description) if server.description else None,
                        *_notices(now, tried),
                    ],
                    _result(tried, more),
                    _approvals(now, token, typed),
                    titled("Tools", *(_tool(tool, token, typed) for tool in now.tools()), identity="tools"),
                    titled("AI clients", *_clients(now, token), identity="clients"),
                    titled("Record", _record(now), identity="record"),
                ],
            ],
        ]
    )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _notices(now: Development, tried: Tried | None) -> Iterator[h.Node]:
    if now.fault:
        yield notice(Tone.BAD, "Not loaded.", f"{visible(now.fault)} The server is as it was before.")
    if tried is not None and tried.warning:
        yield notice(Tone.WAIT, "Would be refused.", f"{visible(tried.warning)}.")


def _result(tried: Tried | None, more: str) -> h.Node:
    if tried is None:
        return None
    who = tried.who.user or tried.who.workload
    decided = [fact for fact in tried.facts if fact.get("reasons")]
    return titled(
        "Last call",
        facts(
            [
                ("Tool", h.code[tried.tool]),
                ("As", h.bdi[visible(who)]),
                ("Groups", visible(", ".join(sorted(tried.who.groups))) or "none"),
                ("Revision", tried.era),
            ]
        ),
        h.p[more] if more else None,
        exact_json(tried.result, "The envelope as the client got it"),
        *(why(_reasons(fact)) for fact in decided),
        folded("What was recorded", exact_json(list(tried.facts), "Facts of this call")),
        identity="result",
    )


def _reasons(fact: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The rules that took part in one decision, as `why` shows them."""
    for reason in fact["reasons"]:
        yield str(reason["effect"]), str(reason["rule"]), visible(str(reason["sentence"]))


def _clients(now: Development, token: str) -> Iterator[h.Node]:
    """Where an AI client calls, and as whom."""
    speaker = now.speaker
    filled = Filled({"user": speaker.user, "groups": ", ".join(sorted(speaker.groups)), "workload": speaker.workload})
    yield h.p["They call at ", h.code["/mcp"], " of this address, with no sign-in, as this person:"]
    yield h.form(class_="stack", method="post", action="/speaker#clients")[
        form_token(token),
        h.div(class_="row")[
            text("AI clients call as", "user", filled),
            text("In groups", "groups", filled),
            text("Through workload", "workload", filled),
        ],
        submit("Call as them"),
    ]


def _record(now: Development) -> h.Node:
    kept = now.last_facts()
    if not kept:
        return empty("No calls yet. Call a tool, and what is recorded of it appears here.")
    return folded(f"The last {len(kept)} facts, newest first", exact_json(kept, "Facts"))


def _approvals(now: Development, token: str, typed: Mapping[str, str]) -> h.Node:
    waiting = [record for record in now.bench.people.asked if record.state == "pending"]
    if not waiting:
        return None
    return titled(
        "Waiting for people",
        *(
            h.form(class_="stack", method="post", action="/answer")[
                form_token(token),
                _hidden(typed),
                h.input(type="hidden", name="approval", value=record.id),
                h.p[
                    h.code[record.proposal.tool],
                    f" of {visible(record.proposal.person)}, {record.proposal.approval}: ",
                    visible(record.proposal.summary),
                ],
                exact_json(record.proposal.shown, f"What would run: {record.id}"),
                h.div(class_="row")[
                    submit("Approve once", is_main=True, name="verdict", value="approve"),
                    submit("Deny", name="verdict", value="deny"),
                ],
            ]
            for record in waiting
        ),
        identity="approvals",
    )


def _hidden(typed: Mapping[str, str]) -> h.Node:
    kept = ((name, typed.get(name, "")) for name in ("user", "groups", "workload"))
    return [h.input(type="hidden", name=name, value=value) for name, value in kept]


def _tool(tool: Tool, token: str, typed: Mapping[str, str]) -> h.Node:
    is_last = typed.get("tool") == tool.name
    example: Mapping[str, Any] = tool.examples[0] if tool.examples else {}
    given = typed.get("arguments", "") if is_last else json.dumps(example, indent=2, ensure_ascii=False)
    filled = Filled({**typed, "arguments": given})
    tokens = token_weight(tool.name, tool.description, (tool.input_schema, tool.output_schema))
    who = h.div(class_="row")[
        text("Call as", "user", filled), text("Groups", "groups", filled), text("Workload", "workload", filled)
    ]
    return h.section(class_="tool stack", id=f"tool-{tool.name}")[
        h.div(class_="row")[h.h3[h.code[tool.name]], effect_badge(tool.effect)],
        theirs(tool.description),
        h.p(class_="quiet")[f"For {tool.policy}. Approval: {tool.approval}. About {tokens:,} tokens."],
        h.form(class_="stack", method="post", action="/call#result")[
            form_token(token),
            h.input(type="hidden", name="tool", value=tool.name),
            who,
            area("Arguments, as JSON", "arguments", filled, rows=4, longest=20_000),
            choice("Revision", "era", {era: era for era in (*ERAS, "both")}, typed.get("era", ERAS[0])),
            submit(f"Call {tool.name}", is_main=is_last),
        ],
        folded(
            "Input and output",
            exact_json(tool.input_schema, f"Input schema of {tool.name}"),
            exact_json(tool.output_schema, f"Output schema of {tool.name}"),
        ),
    ]
