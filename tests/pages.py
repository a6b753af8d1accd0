"""Reading pages as a browser without scripts does."""

import html
import re


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, page
    return html.unescape(found[1])


def link(page: str, path: str) -> str:
    """The first link to `path`, with its query."""
    found = re.search(rf'href="({re.escape(path)}[^"]*)"', page)
    assert found, page
    return html.unescape(found[1])
