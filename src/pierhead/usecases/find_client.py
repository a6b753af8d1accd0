"""Which client is this? Registered by the operator, described at an address of its own, or registered by itself.

A `client_id` that is an https URL is the address of the client's own description (Client ID Metadata Documents).
Those that people use most are kept here, for networks without a way out; others are fetched, from hosts that the
operator names. A description proves who speaks, not that they are good: people still say yes to each client.
Below: the ports `ClientBook`, `ClientDocuments`. Not here: HTTP; what a client may then do (`grant_tokens`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_sign_in import Client, ClientBook, ClientDocuments
from pierhead.usecases.register_client import NotGranted, may_redirect_to, plain_name

_ADDRESS: Final = re.compile(r"https://(?P<host>[a-z0-9.-]{1,253})(?P<port>:[0-9]{1,5})?/[!-~]{1,400}")
_DOTS: Final = re.compile(r"/\.\.?(/|$)")
_LEAST_S: Final = 60.0
_MOST_S: Final = 24 * 3600.0
_KEPT: Final = 200
_URIS: Final = 10
_PUBLIC: Final = "none"

_LOOPBACK: Final = ("http://127.0.0.1/callback", "http://localhost/callback")
PRELOADED: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "https://vscode.dev/oauth/client-metadata.json": (
        "Visual Studio Code",
        ("http://127.0.0.1:33418/", "http://localhost:33418/", "https://vscode.dev/redirect"),
    ),
    "https://claude.ai/oauth/claude-code-client-metadata": ("Claude Code", _LOOPBACK),
}
"""Name and redirects by address: never fetched."""


@dataclass(slots=True)
class Clients:
    """Fills `ClientBook` over another one, which holds the clients that registered themselves."""

    registered: ClientBook
    documents: ClientDocuments
    clock: Clock
    known: Mapping[str, Client]
    """Those of the operator, by id."""
    hosts: frozenset[str]
    """Whose documents are fetched; nobody's where it is empty."""
    _kept: dict[str, tuple[Client, float]] = field(default_factory=dict[str, "tuple[Client, float]"])

    async def client(self, client_id: str) -> Client | None:
        """The client of that id; None where nobody has it.

        Errors: NotGranted (`invalid_client_metadata`), for a description that cannot be had or taken;
        UpstreamUnreachable.
        """
        if client_id in self.known:
            return self.known[client_id]
        if not client_id.startswith("https://"):
            return await self.registered.client(client_id)
        if client_id in PRELOADED:
            name, redirects = PRELOADED[client_id]
            return Client(client_id, name, redirects, _PUBLIC, "", 0)
        return await self._described(client_id)

    async def _described(self, address: str) -> Client:
        now = self.clock.now()
        kept = self._kept.get(address)
        if kept is not None and now < kept[1]:
            return kept[0]
        _check_address(address, self.hosts)
        found = await self.documents.read(address)
        client = described(address, found.content)
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[address] = (client, now + min(max(found.fresh_s, _LEAST_S), _MOST_S))
        return client


def _check_address(address: str, hosts: frozenset[str]) -> None:
    found = _ADDRESS.fullmatch(address)
    if found is None or _DOTS.search(address) or "#" in address:
        raise _refused("client_id is no https address with a path", "see Client ID Metadata Documents")
    if found["host"] not in hosts:
        raise _refused(
            f"client_id is described at {found['host']}", "the operator adds that host: sign_in.client_hosts"
        )


def described(address: str, content: Mapping[str, object]) -> Client:
    """The client that a document describes. Errors: NotGranted."""
    if content.get("client_id") != address:
        raise _refused("the client's document names another client_id", "the client's maker corrects it")
    name, redirects = content.get("client_name"), content.get("redirect_uris")
    if not isinstance(name, str) or not name.strip() or not isinstance(redirects, list):
        raise _refused("the client's document lacks client_name or redirect_uris", "the client's maker corrects it")
    if content.get("token_endpoint_auth_method", _PUBLIC) != _PUBLIC or "client_secret" in content:
        raise _refused("the client's document asks for a secret", "a described client is a public one, with PKCE")
    listed = tuple(uri for uri in cast("list[object]", redirects) if isinstance(uri, str))
    if not 1 <= len(listed) <= _URIS or len(listed) != len(cast("list[object]", redirects)):
        raise _refused(f"the client's document has not 1 to {_URIS} redirect_uris", "the client's maker corrects it")
    wrong = [uri for uri in listed if not (may_redirect_to(uri) or _is_at_home(uri, address))]
    if wrong:
        raise _refused(f"redirect_uris not accepted: {wrong[0][:80]!r}", "use this machine or the document's own host")
    return Client(address, plain_name(name), listed, _PUBLIC, "", 0)


def _is_at_home(uri: str, address: str) -> bool:
    """Whether the answer would go to the very origin that the description comes from."""
    return bool(_ADDRESS.fullmatch(uri)) and "#" not in uri and uri.split("/")[2] == address.split("/")[2]


def _refused(message: str, hint: str) -> NotGranted:
    return NotGranted(message, hint=hint, code="invalid_client_metadata")
