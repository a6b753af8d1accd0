"""The company's identity provider in tests: a real one (`rigs/idp.mjs`), and a browser without scripts that uses it."""

import base64
import hashlib
import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
from tests.components import NodeTools, free_port, node_tools

SECRET = "a secret of forty characters, or more than"
PEOPLE: dict[str, dict[str, Any]] = {
    "alice": {"groups": ["corp-data", "corp-lunch"]},
    "bob": {"groups": "corp-ads"},
    "carol": {"groups": 7},
    "dave": {"hasgroups": True},
    "erin": {},
}
_SCRIPT = Path(__file__).parent / "rigs" / "idp.mjs"
_STARTING_S = 30.0


@dataclass
class IdentityProvider:
    """One provider at an address of its own."""

    pierhead: str
    port: int = field(default_factory=free_port)
    tools: NodeTools = field(default_factory=node_tools)
    process: "subprocess.Popen[str] | None" = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, **settings: str) -> None:
        environment = {
            **os.environ,
            "PACKAGES": str(self.tools.packages),
            "PORT": str(self.port),
            "PIERHEAD": self.pierhead,
            "PEOPLE": json.dumps(PEOPLE),
            **settings,
        }
        command = [str(self.tools.node), str(_SCRIPT)]
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._until_ready()

    def tell(self, word: str) -> None:
        """`rotate` its keys, go `away`, or come `back`; and the other words of the rig."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        self._until_ready()

    def _until_ready(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            assert not line.startswith("failed"), line
            if line.strip() == "ready":
                return
        raise AssertionError("the provider ended")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(_STARTING_S)
            for pipe in (self.process.stdin, self.process.stdout):
                assert pipe is not None
                pipe.close()
            self.process = None

    def settings(self, **more: str) -> dict[str, str]:
        """What Pierhead must be told of it, as the environment says it."""
        given = {"issuer": self.issuer, "client_id": "pierhead", "client_secret": SECRET, "scopes": "openid", **more}
        return {f"sign_in__{name}": value for name, value in given.items()}

    def access_token(self, person: str, resource: str) -> str:
        """A plain access token, as a company's own program gets it: code flow, PKCE, resource indicator."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        back = "http://127.0.0.1:9/callback"
        asked = {
            "client_id": "ide",
            "response_type": "code",
            "redirect_uri": back,
            "scope": "openid mcp",
            "state": "s",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": resource,
        }
        with browser() as visiting:
            answer = sign_in(visiting, f"{self.issuer}/auth?{urlencode(asked)}", person)
            grant = {"grant_type": "authorization_code", "code": query(answer)["code"], "redirect_uri": back}
            form = {**grant, "code_verifier": verifier, "resource": resource}
            granted = visiting.post(f"{self.issuer}/token", data=form, auth=("ide", SECRET))
        assert granted.status_code == 200, granted.text
        return str(granted.json()["access_token"])

    def robot_token(self, resource: str) -> str:
        """An access token of a program, for nobody."""
        form = {"grant_type": "client_credentials", "scope": "mcp", "resource": resource}
        with browser() as visiting:
            granted = visiting.post(f"{self.issuer}/token", data=form, auth=("robot", SECRET))
        return str(granted.json()["access_token"])


@contextmanager
def running(pierhead: str, **settings: str) -> Iterator[IdentityProvider]:
    provider = IdentityProvider(pierhead)
    provider.start(**settings)
    try:
        yield provider
    finally:
        provider.stop()


def browser() -> httpx2.Client:
    """No scripts, no redirects of its own accord: a test sees each step."""
    return httpx2.Client(trust_env=False, timeout=30)


def sign_in(visiting: httpx2.Client, address: str, person: str) -> str:
    """Through the provider's pages, sign-in and consent, to where it sends the browser back to."""
    provider = urlsplit(address).netloc
    page = visiting.get(address)
    for _ in range(12):
        if page.is_redirect:
            address = str(page.url.join(page.headers["location"]))
            if urlsplit(address).netloc != provider:
                return address
            page = visiting.get(address)
            continue
        assert page.status_code == 200, page.text
        form = re.search(r'<form[^>]* action="([^"]+)"', page.text)
        prompt = re.search(r'name="prompt" value="([^"]+)"', page.text)
        assert form, page.text
        assert prompt, page.text
        given = {"prompt": prompt[1], "login": person, "password": "any"}
        page = visiting.post(str(page.url.join(unescape(form[1]))), data=given)
    raise AssertionError(f"the provider never came to an end: {page.url}")


def query(address: str) -> Mapping[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
