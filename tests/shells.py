"""A shell before a site in memory: the command line in this process, over HTTP, as one person after the other."""

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.web_site import TestSite, build

from pierhead.apps.cli import application
from pierhead.apps.cli.frame import run
from pierhead.usecases.grant_tokens import Grant, issue

FOUR_LINES = ["error", "cause", "hint", "docs"]


@dataclass(frozen=True)
class Said:
    """What one command answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """Its error, by line."""
        lines = dict(line.split(": ", 1) for line in self.err.splitlines()[-4:])
        assert list(lines) == FOUR_LINES, self.err
        return lines


@dataclass(frozen=True)
class Shell:
    """Runs commands at one site; `folder` is where it stands."""

    url: str
    world: TestSite
    folder: Path
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def token(self, person: str) -> str:
        grant = Grant(person, f"{self.url}/api/v1", "shell", "f", 600, proved_at=self.world.clock.now())
        return asyncio.run(issue(grant, self.world.site.tokens))[0]

    def run(self, person: str, *words: str) -> Said:
        """A command as that person."""
        self.patch.setenv("PIERHEAD_URL", self.url)
        self.patch.setenv("PIERHEAD_TOKEN", self.token(person))
        return self.bare(*words)

    def bare(self, *words: str) -> Said:
        """A command of whoever the environment names."""
        self.patch.setattr(sys, "argv", ["pierhead", *words])
        code = run(application())
        said = self.capture.readouterr()
        return Said(code, said.out, said.err)

    def done(self, person: str, *words: str) -> Said:
        """A command that succeeds."""
        said = self.run(person, *words)
        assert said.code == 0, (words, said)
        return said

    def write(self, name: str, document: object) -> str:
        """A YAML or JSON file; its path."""
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(document) if name.endswith(".json") else yaml.safe_dump(document))
        return str(place)


class Front:
    """One server of all shells of a run, with one site behind it at a time: starting and stopping takes 0.2 s."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None, "asked between two tests"
        await self._app(scope, receive, send)

    @contextmanager
    def before(self) -> Iterator[TestSite]:
        """Before a site of its own, until the end."""
        world = build(self.url)
        self._app = world.app
        try:
            yield world
        finally:
            self._app = None


@contextmanager
def standing() -> Iterator[Front]:
    """A server on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        front = Front(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(front, log_level="critical", lifespan="off", timeout_keep_alive=1))
        thread = threading.Thread(target=lambda: server.run([listener]))
        thread.start()
        try:
            yield front
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()
