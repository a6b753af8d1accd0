"""What no tracked file may hold, and links that must lead somewhere.

Not here: what the pages must say (`tools/reference.py`).
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from tools.findings import ROOT, Finding, Source

_MACHINE: Final = re.compile(r"(?<![\w.~/}])/(?:work|root|tmp/lab|home/\w+|Users/\w+)(?:/|(?![\w-]))")
_INDEX: Final = re.compile(
    r"registry\.npmjs\.org|registry\.yarnpkg\.com|(?<!@)pypi\.org/simple|files\.pythonhosted\.org"
    r"|--(?:extra-)?index-url[ =]|\"resolved\"\s*:\s*\"http",
    re.IGNORECASE,
)
_LINK: Final = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_FENCE: Final = re.compile(r"^ {0,3}(```+|~~~+)")
_PAGE: Final = re.compile(r"\bdocs/[a-z-]+/(?:[\w-]+\.md|\d{4}\b)")
_HEADING: Final = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")


def check_texts(files: Iterable[Source]) -> list[Finding]:
    """Paths of one machine, and addresses of package indexes."""
    return [finding for source in files for finding in _foreign(source)]


def _foreign(source: Source) -> Iterator[Finding]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        if found := _MACHINE.search(line):
            yield Finding(source.path, number, f"a path of one machine: {found[0]}")
        if found := _INDEX.search(line):
            yield Finding(source.path, number, f"an address of a package index: {found[0]}")


def check_links(pages: Iterable[Source], root: Path = ROOT) -> list[Finding]:
    """Every relative link of a page leads to a file, and every fragment to a heading of it."""
    return [finding for page in pages for finding in _broken(page, root)]


def check_mentions(files: Iterable[Source], root: Path = ROOT) -> list[Finding]:
    """Every page that the code names is there."""
    return [
        Finding(source.path, number, f"names a page that is not there: {page}")
        for source in files
        for number, line in enumerate(source.text.splitlines(), start=1)
        for page in _PAGE.findall(line)
        if not (root / page).exists() and not list(root.glob(f"{page}-*.md"))
    ]


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines outside fenced code."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and fence and line.strip().startswith(fence):
            fence = ""
        elif not fence:
            yield number, line


def _broken(page: Source, root: Path) -> Iterator[Finding]:
    for number, line in prose(page.text):
        for target in _LINK.findall(line):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, fragment = unquote(target).partition("#")
            file = (root / page.path).parent / path if path else root / page.path
            if not file.exists():
                yield Finding(page.path, number, f"link leads nowhere: {target}")
            elif fragment and file.suffix == ".md" and fragment not in anchors(file.read_text(encoding="utf-8")):
                yield Finding(page.path, number, f"no such heading: {target}")


def anchors(text: str) -> set[str]:
    """The fragments of a page's headings, as code hosts make them."""
    found: set[str] = set()
    for _, line in prose(text):
        if heading := _HEADING.match(line):
            words = re.sub(r"[^\w\- ]", "", heading[1].replace("`", "").lower())
            found.add(words.replace(" ", "-"))
    return found
