"""How "why may I, or why may I not" looks: the answer first, then layer by layer every rule, then what to do.

Not here: the answer itself (`view_why`).
"""

from collections.abc import Iterable, Mapping

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import decision_badge, empty, facts, titled, to, visible, why
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_why import SURFACES, LayerView, WhyView, why_view

_LAYERS: Mapping[str, str] = {"reach": "Layer 1: reaching the server", "use": "Layer 2: using the tool"}


async def why_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    view = why_view(site, viewer, query_of(request))
    return Shown("Why", view, lambda: _page(view))


def _page(view: WhyView) -> h.Node:
    return [
        heading(_question(view), h.p(class_="row")[_verdict(view)]),
        h.div(class_="split")[
            h.div(class_="stack wide")[
                (_layer(layer, view) for layer in view.layers),
                _next(view) if view.server else empty("Choose a server, and a tool if you mean one."),
            ],
            h.aside(class_="stack wide side", aria_label="Ask, and about whom")[_form(view), _about(view)],
        ],
    ]


def _question(view: WhyView) -> h.Node:
    who = "I" if view.is_own else h.bdi[visible(view.person)]
    if not view.server:
        return ["Why may ", who, ", or why not?"]
    what = ["use ", h.code[visible(view.tool)], " of "] if view.tool else ["reach "]
    return ["May ", who, " ", what, h.bdi[view.server], "?"]


def _verdict(view: WhyView) -> h.Node:
    if not view.decision:
        return h.span(class_="read quiet")["Every rule that takes part, in both layers, and whom to ask."]
    return [decision_badge(view.decision), h.span[_sentence(view.sentence, view)]]


def _sentence(text: str, view: WhyView) -> str:
    """A sentence, its first letter large, unless that is a name's."""
    shown = visible(text)
    begins_with_name = text.partition(" ")[0] in {view.server, view.tool, view.person}
    return f"{shown}." if begins_with_name else f"{shown[:1].upper()}{shown[1:]}."


def _layer(layer: LayerView, view: WhyView) -> h.Node:
    rules = why((rule.effect, visible(rule.rule), visible(rule.sentence)) for rule in layer.rules)
    named = visible("; ".join(layer.open_to)) or "nobody"
    return titled(
        _LAYERS[layer.question],
        h.p(class_="row")[decision_badge(layer.decision), h.span[_sentence(layer.sentence, view)]],
        rules if layer.rules else empty(f"No rule took part for {visible(view.person)}."),
        h.p(class_="quiet")[f"Open to: {named}."],
        identity=layer.question,
    )


def _next(view: WhyView) -> h.Node:
    return titled(
        "What to do",
        h.p(class_="read")[_sentence(view.to_do, view)],
        h.p(class_="read quiet")[
            "A server may ask more of a call's arguments than is shown here; it never asks less. ",
            f"Decided under policy revision {view.revision}. ",
            to(f"/servers/{view.server}", "About this server"),
        ],
    )


def _form(view: WhyView) -> h.Node:
    return titled(
        "Ask",
        h.form(class_="stack", method="get", action="/why")[
            _choice("Server", "server", view.servers, view.server),
            _choice("Tool", "tool", view.tools, view.tool, none="none: only the server") if view.tools else None,
            _choice("Person", "person", view.people, view.person) if view.people else None,
            _choice("Through", "surface", dict.fromkeys((*SURFACES, view.surface)), view.surface),
            h.label(class_="field")[
                "Channel, where chat names one",
                h.input(type="text", name="channel", value=view.channel or None, maxlength="256", size="24"),
            ],
            h.button(class_="button main")["Ask why"],
        ],
    )


def _choice(label: str, name: str, choices: Iterable[str], chosen: str, none: str = "") -> h.Node:
    return h.label(class_="field")[
        label,
        h.select(name=name)[
            h.option(value="")[none] if none else None,
            (h.option(value=each, selected=each == chosen or None)[visible(each)] for each in choices),
        ],
    ]


def _about(view: WhyView) -> h.Node:
    return titled(
        "About whom",
        facts(
            [
                ("Person", h.bdi[visible(view.person)]),
                ("Groups", visible(", ".join(view.groups)) or "none"),
                ("Through", visible(view.surface)),
                ("Environment", visible(view.environment)),
            ]
        ),
    )
