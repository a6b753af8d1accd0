"""The url of the one database that `serve`, `doctor` and `contract` work on, with its password put in.

A password is better kept out of the command: every process of this machine reads that. Not here: what a scheme means
(the plug-in).
"""

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from pierhead.core.errors import Misconfigured

if TYPE_CHECKING:
    from pierhead.bootstrap.settings import Settings


def database_url(flag: str, settings: "Settings") -> str:
    """The url to open. Errors: Misconfigured."""
    url = flag or settings.serve.db.get_secret_value()
    if not url:
        hint = "add --db URL, for instance --db sqlite:///shop.db; or set PIERHEAD__SERVE__DB"
        raise Misconfigured("no database is named", hint=hint, code="no-database")
    password = settings.serve.password.get_secret_value()
    try:
        parts = urlsplit(url)
        has_login = bool(parts.username) and parts.password is None
    except ValueError:
        raise Misconfigured("the url of the database cannot be read", hint=_FORM, code="no-database") from None
    if not password or not has_login:
        return url
    login, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}:{quote(password, safe='')}@{host}").geturl()


_FORM = "write sqlite:///FILE, duckdb:///FILE or postgresql://USER@HOST/DATABASE"


def holds_password(url: str) -> bool:
    """Whether whoever sees the url sees a password."""
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False


def shown(url: str) -> str:
    """The url without its password, for people."""
    if not holds_password(url):
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}@{host}").geturl()
