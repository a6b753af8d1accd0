"""Texts and versions as the official registry API takes them."""

from string import ascii_letters, digits

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pierhead.core.catalog import Stage
from pierhead.core.errors import Invalid
from pierhead.usecases.official_cursor import Cursor, opened, sealed
from pierhead.usecases.official_forms import Place, Words, faults, server_form, shortened
from pierhead.usecases.official_listing import Filters, Key
from pierhead.usecases.ports_official import Standing

KEY = b"k" * 32
PLAIN = set(ascii_letters + digits + "._~/-")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("short", "short"),
        ("  two\n lines\t", "two lines"),
        ("a\u202egnp.exe\x00", "a gnp.exe"),
        ("one two three", "one two…"),
        ("onetwothree", "onetwothr…"),
        ("one, two three", "one, two…"),
        ("one two th", "one two th"),
        ("one two t four", "one two t…"),
        ("", ""),
    ],
)
def test_a_text_is_one_line_cut_after_a_word(text: str, expected: str) -> None:
    assert shortened(text, 10) == expected


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_no_text_is_longer_than_its_limit_or_has_invisible_letters(text: str, limit: int) -> None:
    line = shortened(text, limit)
    assert len(line) <= limit
    assert line.isprintable()


def test_a_server_has_an_icon_where_its_entry_names_one() -> None:
    icon = "https://maps.corp.example/icon.png"
    place = Place("com.example", "https://mcp.corp.example")
    told = ("maps", "1", Stage.DEPLOYED, 0.0, 0.0, 0.0, "", "", "", None)
    with_one = server_form(Standing(*told, document={"icon": icon}, conditions=()), Words("", ""), place)
    assert with_one["icons"] == [{"src": icon}]
    assert "icons" not in server_form(Standing(*told, document={}, conditions=()), Words("", ""), place)


def test_a_gallery_is_shown_what_its_owner_wrote_for_it_and_nothing_else() -> None:
    place = Place("com.example", "https://mcp.corp.example")
    told = ("maps", "1", Stage.DEPLOYED, 0.0, 0.0, 0.0, "", "", "", None)

    def meta(gallery: object, title: str = "") -> object:
        standing = Standing(*told, document={"gallery": gallery, "owner": "geo"}, conditions=())
        return server_form(standing, Words(title, ""), place).get("_meta")

    written = {"readme": "# Maps", "image": "https://maps.corp.example/big.png", "license": "", "topics": ["geo"]}
    assert meta(written, "Maps of the city") == {
        "io.modelcontextprotocol.registry/publisher-provided": {
            "github": {
                "name": "maps",
                "displayName": "Maps of the city",
                "readme": "# Maps",
                "preferredImage": "https://maps.corp.example/big.png",
                "topics": ["geo"],
            }
        }
    }
    assert [meta({}), meta(None), meta({"readme": "", "topics": []})] == [None, None, None]


@pytest.mark.parametrize(
    "changed",
    [
        *(
            {"version": version}
            for version in ("", "latest", "LATEST", "^1.2.3", "~1", ">=1", "1.x", "1.*", "1 - 2", "a/b")
        ),
        {"version": "1" * 256},
        {"name": "time"},
        {"name": "a/b/c"},
        {"name": f"a/{'b' * 200}"},
        {"name": "a/ü"},
        {"description": ""},
        {"description": "x" * 101},
        {"remotes": [{"type": "streamable-http", "url": "ftp://x"}]},
        {"remotes": [{"type": "streamable-http", "url": "http://x y"}]},
    ],
)
def test_what_a_client_would_refuse_is_named(changed: dict[str, object]) -> None:
    good = {"name": "a.b/c", "description": "d", "version": "1.0.0+x", "remotes": [{"url": "http://x/mcp/c"}]}
    assert faults(good) == ()  # type: ignore[arg-type]
    assert len(faults({**good, **changed})) == 1  # type: ignore[arg-type]


@given(st.text(), st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_a_cursor_comes_back_as_it_was_given_in_letters_that_stand_in_an_address(
    search: str, name: str, since: float | None, deleted: bool
) -> None:
    cursor = Cursor("me/ann", Filters(search, "latest", since, includes_deleted=deleted), Key(name, -1.5, "1"))
    text = sealed(cursor, KEY)
    assert set(text) <= PLAIN
    assert opened(text, "me/ann", KEY) == cursor
    for view, key in (("me/bob", KEY), ("me/ann", b"j" * 32)):
        with pytest.raises(Invalid, match="cursor"):
            opened(text, view, key)


@example("a")
@example("ä")
@given(st.text())
def test_any_other_text_is_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        opened(text, "", KEY)
    assert refused.value.code == "bad-cursor"
