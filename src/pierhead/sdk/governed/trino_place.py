"""Where a Trino or Presto is, and as whom it is asked: its URL, read strictly.

    trino://login@host:8080/catalog/schema              plain HTTP, as the login
    trino://login:password@host/catalog?tls=on          HTTPS on 443, the password as HTTP Basic
    presto://login@host/catalog?identity=caller         each statement as its caller: the login impersonates
    trino://login:token@host/catalog?tls=on&proof=bearer&identity=exchange
                                                        each statement with a credential that was exchanged for the
                                                        caller's sign-in; our own questions with the login's token

Not here: the conversation (trino.py).
"""

import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pierhead.sdk import Misconfigured
from pierhead.sdk.statements import Flavour, Session

Identity = Literal["login", "caller", "exchange"]

_FLAVOURS: Final[Mapping[str, Flavour]] = {"trino": "Trino", "presto": "Presto"}
_IDENTITIES: Final[Mapping[str, Identity]] = {"login": "login", "caller": "caller", "exchange": "exchange"}
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "tls": ("off", "on"),
    "identity": tuple(_IDENTITIES),
    "proof": ("basic", "bearer"),
    "ca": (),
}
_PARTS_OF_PATH: Final = 2


@dataclass(frozen=True, slots=True)
class Place:
    """One catalog of one coordinator. `authority` is a file of certificates to trust besides the system's."""

    flavour: Flavour
    coordinator: str
    login: str
    password: str = field(repr=False)
    catalog: str
    schema: str
    identity: Identity
    authority: str = ""
    proof: str = "basic"
    user: str = ""
    credential: str = field(default="", repr=False)
    """Of a caller, in place of the login's own."""

    @classmethod
    def parse(cls, url: str) -> "Place":
        """Errors: Misconfigured, for anything the URL says that is not understood."""
        parts = urlsplit(url)
        options = _options(parts.query)
        path = [unquote(part) for part in parts.path.strip("/").split("/") if part]
        if not parts.hostname or not parts.username or not 1 <= len(path) <= _PARTS_OF_PATH:
            raise _misconfigured("the url of this source names no login, host or catalog")
        tls = options.get("tls", "off") == "on"
        if parts.password and not tls:
            raise _misconfigured("a password would go over the wire unencrypted", "add ?tls=on")
        if options.get("identity") == "exchange" and not tls:
            raise _misconfigured("a caller's credential would go over the wire unencrypted", "add &tls=on")
        port = parts.port or (443 if tls else 8080)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(
            flavour=_FLAVOURS[parts.scheme],
            coordinator=f"{'https' if tls else 'http'}://{host}:{port}",
            login=unquote(parts.username),
            password=unquote(parts.password or ""),
            catalog=path[0],
            schema=path[1] if len(path) == _PARTS_OF_PATH else "default",
            identity=_IDENTITIES[options.get("identity", "login")],
            authority=options.get("ca", ""),
            proof=options.get("proof", "basic"),
        )

    def acting_as(self, user: str) -> "Place":
        """The same place, asked by its login on behalf of `user`."""
        return replace(self, user=user)

    def shown(self, credential: str, user: str) -> "Place":
        """The same place, asked with a caller's own credential. Trino takes from that who it is; Presto is told."""
        return replace(self, credential=credential, user=user if self.flavour == "Presto" else "")

    def session(self, seconds: float) -> Session:
        """Units: `seconds` is how long the engine lets a statement live, its queueing included."""
        return Session(
            user=self.user if self.credential else self.user or self.login,
            catalog=self.catalog,
            schema=self.schema,
            authorization=self.credential or self._own_proof(),
            properties={"query_max_run_time": f"{max(1, round(seconds * 1000))}ms"},
        )

    def _own_proof(self) -> str:
        if not self.password:
            return ""
        if self.proof == "bearer":
            return f"Bearer {self.password}"
        return f"Basic {b64encode(f'{self.login}:{self.password}'.encode()).decode()}"

    def trust(self) -> ssl.SSLContext:
        """Whose certificates are accepted. Errors: Misconfigured, for a file that holds none."""
        context = ssl.create_default_context()
        if self.authority:
            try:
                context.load_verify_locations(self.authority)
            except (OSError, ssl.SSLError):
                raise _misconfigured(f"{self.authority} holds no certificate that can be read") from None
        return context


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name, value in options.items():
        if name not in _CHOICES or (_CHOICES[name] and value not in _CHOICES[name]):
            raise _misconfigured(
                f"the url of this source says {name}={value}, which means nothing here",
                "write tls=on, identity=caller, identity=exchange, proof=bearer or ca=/path/to/certificates.pem",
            )
    return options


def _misconfigured(what: str, hint: str = "write trino://login@host:port/catalog/schema") -> Misconfigured:
    return Misconfigured(what, hint=hint, code="bad-sql-settings")
