"""The stylesheet keeps its promises: contrast of every pair in use, each colour written once, and its budget."""

import re
from typing import Final

import pytest

from pierhead.apps.registry.web.frame import STATIC

STYLE: Final = (STATIC / "style.css").read_text(encoding="utf-8")
TOKEN: Final = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
TOKENS: Final = {name: (light, dark) for name, light, dark in TOKEN.findall(STYLE)}
TEXT: Final = [
    *((text, ground) for text in ("ink", "ink-2", "accent") for ground in ("paper", "paper-2")),
    *((tone, f"{tone}-tint") for tone in ("good", "wait", "bad", "note", "accent")),
    *(("ink", f"{tone}-tint") for tone in ("good", "wait", "bad", "note", "accent")),
    *(("accent", f"{tone}-tint") for tone in ("good", "wait", "bad", "note")),
    ("ink-2", "paper-3"),
]
EDGES: Final = [("line-field", "paper"), ("accent", "paper"), ("accent-fill", "paper"), ("bad", "paper")]


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_stands_out_from_its_ground(text: str, ground: str, mode: int) -> None:
    assert contrast(TOKENS[text][mode], TOKENS[ground][mode]) >= 4.9


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_edges_and_focus_stand_out(edge: str, ground: str, mode: int) -> None:
    assert contrast(TOKENS[edge][mode], TOKENS[ground][mode]) >= 3.3


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_white_stands_out_on_the_main_button(mode: int) -> None:
    assert contrast("#ffffff", TOKENS["accent-fill"][mode]) >= 4.9


def test_a_colour_is_written_once_as_a_token() -> None:
    parts = STYLE[STYLE.index("@layer base {") :]

    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", parts) == []
    assert not re.search(r"\b(rgb|hsl|oklch)a?\(", parts)
    assert len(TOKENS) == 18


def test_the_four_layers_stand_in_their_order() -> None:
    assert STYLE.startswith("@layer reset, tokens, base, parts;")


def test_the_stylesheet_keeps_its_budget_and_fetches_nothing_foreign() -> None:
    assert len(STYLE.encode()) <= 8192
    assert re.findall(r"url\(([^)]+)\)", STYLE) == ["inter.woff2", "jetbrains-mono.woff2"]
    assert "@import" not in STYLE


def test_every_font_comes_with_its_licence() -> None:
    for name in ("inter", "jetbrains-mono"):
        assert "SIL Open Font License" in (STATIC / f"{name}-OFL.txt").read_text(encoding="utf-8")
        assert (STATIC / f"{name}.woff2").read_bytes().startswith(b"wOF2")
