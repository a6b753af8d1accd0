"""A browser without scripts at the site in memory: signs in, reads pages and twins, sends forms as pages have them."""

import html
import html.parser
import re
from typing import Any

import httpx2
from tests.pages import hidden
from tests.web_site import PUBLIC_URL, TestSite

from pierhead.usecases.memory_catalogue import MemoryCatalogue


class Visit:
    """One browser at one site."""

    def __init__(self, world: TestSite, http: httpx2.AsyncClient) -> None:
        self.world = world
        self.http = http

    async def sign_in(self, person: str) -> None:
        page = await self.http.get("/sign-in")
        form = {"token": hidden(page.text, "token"), "next": "/servers", "person": person}
        await self.http.post("/sign-in", data=form, headers={"origin": PUBLIC_URL})

    async def json(self, path: str) -> Any:
        place, _, query = path.partition("?")
        answer = await self.http.get(f"{place}.json?{query}")
        return answer.json()

    async def send(self, page: str, path: str, **fields: str) -> httpx2.Response:
        """A form of that page, as its button sends it."""
        token = hidden((await self.http.get(page)).text, "token")
        return await self.http.post(path, data={"token": token, **fields}, headers={"origin": PUBLIC_URL})

    async def text(self, path: str) -> str:
        """A page as it reads, without its markup."""
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return words_of(answer.text)


def kept(visit: Visit) -> MemoryCatalogue:
    """What the site's catalogue holds."""
    catalogue = visit.world.site.registry.catalogue
    assert isinstance(catalogue, MemoryCatalogue)
    return catalogue


def words_of(page: str) -> str:
    """What a page says: its text, with single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


class Inline(html.parser.HTMLParser):
    """Finds what the content policy forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.headings = 0
        self.landmarks: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.headings += tag == "h1"
        self.landmarks.add(tag)
        named = dict(attrs)
        if tag == "style" or (tag == "script" and not named.get("src")):
            self.found.append(tag)
        self.found += [name for name in named if name == "style" or name.startswith("on")]
        for name in ("href", "src", "action"):
            target = named.get(name) or ""
            if target and not target.startswith(("/", "#")):
                self.found.append(f"{name}={target}")
