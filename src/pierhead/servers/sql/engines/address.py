"""A URL of a server, in parts: `scheme://user:password@host:port/path?option=value`. Each engine says what it reads."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from pierhead.sdk import Misconfigured


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """`path` are the parts behind the host; `options` those that the engine knows, once each."""

    host: str
    port: int
    user: str
    password: str
    path: tuple[str, ...]
    options: Mapping[str, str]

    @classmethod
    def parse(cls, url: str, *, port: int, path: int, options: Collection[str]) -> "ServerAddress":
        """Units: `path` is how many parts the path has. Errors: Misconfigured, without a word of the password."""
        split = urlsplit(url)
        parts = tuple(unquote(part) for part in split.path.split("/") if part)
        given = dict(parse_qsl(split.query, keep_blank_values=True))
        unknown = sorted(set(given) - set(options))
        faults = [
            *(["it names no host"] if not split.hostname else []),
            *([f"its path has {len(parts)} parts, not {path}"] if len(parts) != path else []),
            *([f"it has unknown options: {', '.join(unknown)}"] if unknown else []),
        ]
        try:
            number = split.port or port
        except ValueError:
            faults.append("its port is not a number")
            number = port
        if faults:
            raise Misconfigured(
                f"the url of this source cannot be used: {'; '.join(faults)}",
                hint=f"options known here: {', '.join(sorted(options)) or 'none'}",
                code="bad-sql-settings",
            )
        user, password = unquote(split.username or ""), unquote(split.password or "")
        return cls(split.hostname or "", number, user, password, parts, given)
