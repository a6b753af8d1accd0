"""Clients and where they may be sent back to: registration, and the one rule for redirects.

Registration is open, as MCP clients need, so it grants nothing: a client may only send people back to this
machine or to the few hosted clients listed here, and every use of it needs a person's yes.
Not here: HTTP (`apps/registry/oauth`), tokens (`grant_tokens`).
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pierhead.core.errors import Invalid
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_sign_in import Client, SignInStore

AUTHENTICATIONS: Final = ("none", "client_secret_post", "client_secret_basic")
APPLICATIONS: Final = ("", "native", "web")
IDLE_S: Final = 24 * 3600.0

_LOOPBACK: Final = re.compile(r"http://(?P<host>127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?(?P<rest>/[!-~]*)?")
_HOSTED: Final = frozenset(
    {
        "https://claude.ai/api/mcp/auth_callback",
        "https://claude.com/api/mcp/auth_callback",
        "https://vscode.dev/redirect",
        "cursor://anysphere.cursor-mcp/oauth/callback",
    }
)
_HANDED_ON: Final = frozenset({"https://vscode.dev/redirect"})
"""A page that passes the answer on to a program on the person's machine."""
_EDITOR: Final = re.compile(r"(vscode|vscode-insiders)://[A-Za-z0-9.-]+(/[A-Za-z0-9._~/-]*)?")
_NAME_LENGTH: Final = 80
_URI_LENGTH: Final = 512
_URIS: Final = 10


class NotGranted(Invalid):
    """An OAuth request that is refused; `code` is the error code of the RFC that defines it."""

    default_code = "invalid_request"


def fingerprint(secret: str) -> str:
    """What is kept of a secret: enough to recognise it, not to use it. Secrets here have 256 random bits."""
    return sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Registration:
    """What a client asks to be known as."""

    name: str
    redirect_uris: Sequence[str]
    authentication: str
    application: str = ""
    """`native`, or `web`, whose people are sent back by https alone; empty where the client does not say."""


async def register_client(wanted: Registration, store: SignInStore, clock: Clock) -> tuple[Client, str]:
    """Remember a client; the client, and its secret (empty for a public one), which is not kept.

    Errors: NotGranted `invalid_redirect_uri` or `invalid_client_metadata`, naming each fault.
    """
    _check(wanted)
    now = clock.now()
    await store.drop_idle_clients(now - IDLE_S)
    secret = "" if wanted.authentication == "none" else secrets.token_urlsafe(32)
    client = Client(
        id=secrets.token_urlsafe(16),
        name=plain_name(wanted.name),
        redirect_uris=tuple(wanted.redirect_uris),
        authentication=wanted.authentication,
        secret_digest=fingerprint(secret) if secret else "",
        registered_at=now,
    )
    await store.add_client(client)
    return client, secret


def _check(wanted: Registration) -> None:
    wrong = [uri for uri in wanted.redirect_uris if not may_redirect_to(uri)]
    if wrong or not 1 <= len(wanted.redirect_uris) <= _URIS:
        named = ", ".join(repr(uri[:80]) for uri in wrong) or f"{len(wanted.redirect_uris)} given"
        raise NotGranted(
            f"redirect_uris not accepted: {named}",
            hint=f"use 1 to {_URIS} of http://127.0.0.1, http://localhost or the callback of a known hosted client",
            code="invalid_redirect_uri",
        )
    _check_application(wanted)
    if wanted.authentication not in AUTHENTICATIONS:
        raise NotGranted(
            f"token_endpoint_auth_method {wanted.authentication[:40]!r} is not offered",
            hint=f"use one of {', '.join(AUTHENTICATIONS)}",
            code="invalid_client_metadata",
        )


def _check_application(wanted: Registration) -> None:
    """OpenID Connect Dynamic Client Registration 1.0, section 2: what a kind of application may be sent back to."""
    if wanted.application not in APPLICATIONS:
        raise NotGranted(
            f"application_type {wanted.application[:40]!r} is not known",
            hint="use native or web",
            code="invalid_client_metadata",
        )
    local = [uri for uri in wanted.redirect_uris if not uri.startswith("https://")]
    if wanted.application == "web" and local:
        raise NotGranted(
            f"redirect_uris of a web application: {local[0][:80]!r} is not https",
            hint="register a program on this machine as application_type native",
            code="invalid_redirect_uri",
        )


def plain_name(name: str) -> str:
    """A client's own name, fit for a page: printable, one line, short."""
    printable = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(printable.split())[:_NAME_LENGTH] or "A client without a name"


def may_redirect_to(uri: str) -> bool:
    """Whether a client may register `uri`: this machine, or a hosted client that is listed."""
    if len(uri) > _URI_LENGTH or "#" in uri:
        return False
    return uri in _HOSTED or bool(_LOOPBACK.fullmatch(uri)) or bool(_EDITOR.fullmatch(uri))


def is_registered_redirect(uri: str, client: Client) -> bool:
    """Whether `uri` is one that `client` registered: exactly, but for the port of a loopback address.

    Source: RFC 8252, section 7.3. `localhost` and `127.0.0.1` are two hosts.
    """
    if uri in client.redirect_uris:
        return True
    asked = _loopback(uri)
    return asked is not None and any(_loopback(known) == asked for known in client.redirect_uris)


def is_assured(uri: str, client: Client) -> bool:
    """Whether an answer to `uri` reaches nobody but that client, or is of no use to anybody else.

    It has a secret of its own, or the answer goes by https to its own host. A loopback address or the scheme of an
    editor is anybody's on that machine, and `_HANDED_ON` leads there too.
    """
    return bool(client.secret_digest) or (uri.startswith("https://") and uri not in _HANDED_ON)


def place_of(uri: str) -> str:
    """Where `uri` leads, the same for every port of this machine."""
    found = _LOOPBACK.fullmatch(uri)
    return found["host"] if found else redirect_host(uri)


def redirect_host(uri: str) -> str:
    """Where `uri` leads, as a page shows it."""
    return uri.partition("://")[2].partition("/")[0]


def is_loopback(uri: str) -> bool:
    return _LOOPBACK.fullmatch(uri) is not None


def _loopback(uri: str) -> tuple[str, str] | None:
    found = _LOOPBACK.fullmatch(uri)
    if found is None or "#" in uri:
        return None
    return found["host"], found["rest"] or "/"
