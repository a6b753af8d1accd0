"""The frame around every page: head, top bar, landmarks, the person menu, the footer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

import htpy as h

from pierhead.apps.registry.web.shapes import mark

STATIC: Final = Path(__file__).parent / "static"
STYLE_VERSION: Final = sha256((STATIC / "style.css").read_bytes()).hexdigest()[:12]
LOOKS: Final = ("system", "light", "dark")

_PLACES: Final = (
    ("/servers", "Servers"),
    ("/approvals", "Approvals"),
    ("/reviews", "Reviews"),
    ("/access", "Access"),
    ("/audit", "Audit"),
    ("/impact", "Impact"),
)
_ADMIN: Final = ("/admin", "Admin")


@dataclass(frozen=True, slots=True)
class Around:
    """What the frame itself shows. `person` is empty before sign-in; `form_token` stands in every form.

    `waiting` counts what waits for that person, by place; `is_admin` is whether the administration is theirs.
    """

    person: str
    groups: tuple[str, ...]
    look: str
    path: str
    form_token: str
    waiting: Mapping[str, int] = field(default_factory=dict[str, int])
    is_admin: bool = False


def document(name: str, content: h.Node, around: Around) -> h.Renderable:
    """A whole page: `name` is its title and, but where the content brings its own, its one heading."""
    look = around.look if around.look in {"light", "dark"} else None
    return h.html(lang="en", data_look=look)[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.meta(name="color-scheme", content="light dark"),
            h.title[f"{name} · Pierhead"],
            h.link(rel="icon", href="/-/static/mark.svg", type="image/svg+xml"),
            h.link(rel="stylesheet", href=f"/-/static/style.css?v={STYLE_VERSION}"),
        ],
        h.body[
            h.a(class_="skip", href="#content")["Skip to content"],
            _bar(around),
            h.main(id="content", tabindex="-1")[content],
            h.footer[
                "Pierhead governs and records every call. Minutes saved are what owners estimate. ",
                h.a(href="/docs")["API"],
            ],
        ],
    ]


def heading(name: h.Node, *more: h.Node) -> h.Node:
    """A page's one h1, and a line under it."""
    return h.div(class_="stack")[h.h1[name], *more]


def _bar(around: Around) -> h.Renderable:
    places = (*_PLACES, *([_ADMIN] if around.is_admin else [])) if around.person else ()
    end = [h.li[_place("/connect", "Connect", around.path)], h.li[_menu(around)]] if around.person else []
    return h.header(class_="bar")[
        h.div[
            h.a(class_="brand", href="/servers")[mark(), "Pierhead"],
            h.nav(aria_label="Pages")[
                h.ul[(h.li[_place(path, _counted(path, word, around), around.path)] for path, word in places)]
            ],
            h.ul(class_="end")[end],
        ]
    ]


def _counted(path: str, word: str, around: Around) -> str:
    """A count stands beside a place only when something waits there for you."""
    waiting = around.waiting.get(path, 0)
    return f"{word} ({waiting})" if waiting else word


def _place(path: str, word: str, current: str) -> h.Renderable:
    here = current == path or current.startswith(f"{path}/")
    return h.a(href=path, aria_current=("page" if current == path else "true") if here else None)[word]


def _menu(around: Around) -> h.Renderable:
    return h.details(class_="menu")[
        h.summary[around.person],
        h.div[
            h.p[h.span(class_="quiet")["Signed in as "], around.person, _groups(around.groups)],
            h.p[h.a(href="/you")["Your page"]],
            h.form(method="post", action="/-/look", class_="stack")[
                form_token(around.form_token),
                h.input(type="hidden", name="next", value=around.path),
                h.div(class_="row", role="group", aria_label="Colours")[
                    (
                        h.button(class_="button", name="look", value=look, aria_pressed=_pressed(look, around.look))[
                            look.capitalize()
                        ]
                        for look in LOOKS
                    )
                ],
            ],
            h.form(method="post", action="/sign-out")[
                form_token(around.form_token), h.button(class_="button")["Sign out"]
            ],
        ],
    ]


def _pressed(look: str, current: str) -> str:
    return "true" if look == (current or "system") else "false"


def _groups(groups: tuple[str, ...]) -> h.Node:
    return h.span(class_="quiet")[f" · {', '.join(groups)}" if groups else " · no groups"]


def form_token(token: str) -> h.Renderable:
    return h.input(type="hidden", name="token", value=token)
