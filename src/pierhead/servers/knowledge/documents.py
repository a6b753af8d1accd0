"""One file, read into titled sections: Markdown, HTML, PDF, plain text.

What is read is content: nothing in it is followed, run or rendered. Not here: finding files (`files`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise
from typing import Final, cast

import yaml
from markdown_it import MarkdownIt

_MOST_PAGES: Final = 2_000
_FRONT: Final = re.compile(r"\A---\r?\n(.*?\r?\n)---\r?\n", re.DOTALL)
_LONGEST_FRONT: Final = 16_384
#: In characters; what is longer is a dump, not a page, and is read as plain text.
_LONGEST_MARKDOWN: Final = 2_000_000
_SLUG: Final = re.compile(r"[^\w]+")


class Unreadable(ValueError):
    """A file that cannot be read as what its name says; the text says why, without its content."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part with its heading. `place` names it within its document; `title` has the headings above it."""

    place: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """`facts` are the plain members of its front matter, in lower case: owner, date, fingerprint ..."""

    title: str
    sections: tuple[Section, ...]
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


def read_document(name: str, content: bytes) -> Document:
    """Read a file by its suffix. Errors: Unreadable."""
    suffix = name.rpartition(".")[2].lower()
    if suffix == "pdf":
        return _pdf(name, content)
    text = decoded(content)
    if suffix in {"html", "htm"}:
        return _html(name, text)
    if suffix in {"md", "markdown"} and len(text) <= _LONGEST_MARKDOWN:
        return _markdown(name, text)
    return Document(_stem(name), _numbered([("", text)]))


def decoded(content: bytes) -> str:
    """The text: by its byte order mark, else UTF-8, else Windows-1252 with what it has no letter for marked."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _markdown(name: str, text: str) -> Document:
    facts, body = _front_matter(text)
    lines = body.splitlines()
    starts = list(_headings(body))
    parts = [("", "\n".join(lines[: starts[0][0]] if starts else lines))]
    above: list[tuple[int, str]] = []
    for number, (line, level, heading) in enumerate(starts):
        above = [*((depth, kept) for depth, kept in above if depth < level), (level, heading)]
        end = starts[number + 1][0] if number + 1 < len(starts) else len(lines)
        parts.append((" > ".join(kept for _, kept in above), "\n".join(lines[line + 1 : end])))
    title = facts.get("title") or next((heading for _, level, heading in starts if level == 1), "") or _stem(name)
    return Document(title, _numbered(parts), facts)


def _headings(body: str) -> Iterator[tuple[int, int, str]]:
    """The line, level and text of each heading; what looks like one inside code is none."""
    tokens = MarkdownIt("commonmark").parse(body)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            yield opening.map[0], int(opening.tag[1:]), inline.content.strip()


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    found = _FRONT.match(text)
    if found is None or len(found[1]) > _LONGEST_FRONT:
        return {}, text
    try:
        read: object = yaml.safe_load(found[1])
    except yaml.YAMLError:
        return {}, text
    return _plain(read), text[found.end() :]


def _plain(read: object) -> dict[str, str]:
    """The members that are one value: texts, numbers, days."""
    members = cast("dict[object, object]", read) if isinstance(read, dict) else {}
    return {
        str(key).lower(): str(value) for key, value in members.items() if isinstance(value, (str, int, float, date))
    }


class _Html(HTMLParser):
    """Headings and the text below them; scripts, styles and forms are left out."""

    _SKIPPED: Final = frozenset({"script", "style", "noscript", "template", "svg", "form"})
    _BREAKS: Final = frozenset(
        {"p", "div", "br", "li", "tr", "table", "ul", "ol", "pre", "section", "article", "dt", "dd"}
    )
    _HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.parts: list[tuple[str, list[str]]] = [("", [])]
        self._skipping = 0
        self._in_title = False
        self._heading: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in self._SKIPPED:
            self._skipping += 1
        elif tag == "title":
            self._in_title = True
        elif tag in self._HEADINGS:
            self._heading = []
        elif tag in self._BREAKS:
            self.parts[-1][1].append("\n")
        elif tag in {"td", "th"}:
            self.parts[-1][1].append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SKIPPED:
            self._skipping = max(0, self._skipping - 1)
        elif tag == "title":
            self._in_title = False
        elif tag in self._HEADINGS and self._heading is not None:
            self.parts.append((" ".join("".join(self._heading).split()), []))
            self._heading = None

    def handle_data(self, data: str) -> None:
        if self._skipping:
            return
        if self._in_title:
            self.title += data
        elif self._heading is not None:
            self._heading.append(data)
        else:
            self.parts[-1][1].append(data)


def _html(name: str, text: str) -> Document:
    reader = _Html()
    reader.feed(text)
    reader.close()
    parts = [(heading, _lines("".join(pieces))) for heading, pieces in reader.parts]
    title = " ".join(reader.title.split()) or next((heading for heading, _ in parts if heading), "") or _stem(name)
    return Document(title, _numbered(parts))


def _pdf(name: str, content: bytes) -> Document:
    try:
        from pypdf import PdfReader  # noqa: PLC0415 - only who has PDFs needs it
        from pypdf.errors import PyPdfError  # noqa: PLC0415
    except ImportError:
        raise Unreadable("PDF needs the extra: pip install 'pierhead[knowledge]'") from None
    try:
        reader = PdfReader(BytesIO(content), strict=False)
        pages = [] if reader.is_encrypted else [page.extract_text() for page in reader.pages[:_MOST_PAGES]]
        title = str((reader.metadata and reader.metadata.title) or "")
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable("it is no PDF that can be read") from None
    if reader.is_encrypted:
        raise Unreadable("it is encrypted")
    said = tuple(Section(f"page-{n}", f"page {n}", text) for n, text in enumerate(pages, 1) if text.strip())
    return Document(title or _stem(name), said)


def _numbered(parts: Iterable[tuple[str, str]]) -> tuple[Section, ...]:
    """Sections that say something, each under a place of its own."""
    found: list[Section] = []
    taken: dict[str, int] = {}
    for title, text in parts:
        if not text.strip() and not title:
            continue
        slug = place_of(title)
        taken[slug] = taken.get(slug, 0) + 1
        found.append(Section(slug if taken[slug] == 1 else f"{slug}-{taken[slug]}", title, text.strip("\n")))
    return tuple(found)


def place_of(title: str) -> str:
    """The place of a section by its heading; of several alike, the first."""
    return _SLUG.sub("-", title.rpartition(" > ")[2].lower()).strip("-") or "start"


def _lines(text: str) -> str:
    kept = (" ".join(line.split()) for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0] or name
