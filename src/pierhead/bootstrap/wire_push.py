"""Puts web push together: the key that browsers are bound to, who hears where, the way to their push services.

Without `notify.push_contact` there is none of it. Above: `wire_registry`, `wire_notices`. Not here: pages (`apps`).
"""

import secrets
import ssl
from base64 import urlsafe_b64decode
from binascii import Error as BadBase64

from cryptography.hazmat.primitives.asymmetric import ec

from pierhead.adapters.db import Database, DatabaseBrowsers
from pierhead.adapters.foreign.web_push import WebPush, public_text
from pierhead.adapters.system import SystemClock
from pierhead.bootstrap.keys import PUSH, Keys
from pierhead.bootstrap.notify_settings import NotifySettings
from pierhead.core.errors import Misconfigured
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.hear_in_browser import PushDesk
from pierhead.usecases.push_notice import BrowserNotices

_LENGTH = 32


def push_key(notify: NotifySettings, keys: Keys) -> ec.EllipticCurvePrivateKey:
    """The configured one, or that of the platform. Errors: Misconfigured (`bad-setting`), for what is no key."""
    text = notify.push_key.get_secret_value() or keys.made(PUSH).decode()
    try:
        number = urlsafe_b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
        if len(number) == _LENGTH:
            return ec.derive_private_key(int.from_bytes(number), ec.SECP256R1())
    except (BadBase64, ValueError):
        pass
    hint = "32 bytes in base64url, as `npx web-push generate-vapid-keys` writes the private one"
    raise Misconfigured("notify.push_key is no key", hint=hint, code="bad-setting")


def push_desk(notify: NotifySettings, keys: Keys, database: Database) -> PushDesk | None:
    """Where people turn it on; None where nobody can. Errors: Misconfigured (`bad-setting`)."""
    if not notify.push_contact:
        return None
    key = public_text(push_key(notify, keys))
    return PushDesk(DatabaseBrowsers(database), SystemClock(), key, notify.push_services)


def browser_notices(
    notify: NotifySettings, keys: Keys, desk: PushDesk, approvals: ApprovalDesk, allowed: frozenset[str]
) -> BrowserNotices:
    """What tells them. `allowed` are hosts that may lie inside the network."""
    push = WebPush(
        push_key(notify, keys), notify.push_contact, allowed, ssl.create_default_context(), secrets.token_bytes
    )
    return BrowserNotices(desk.browsers, push, approvals, desk.services)
