"""Guests, servers that nobody here wrote: one kept connection each, over stdio or HTTP.

`KeptGuest` keeps it, a `Connection` says how it is made; `Webhook` and `FetchedDocuments` leave by the same guarded
way. Above: `bootstrap/wire_guard`, `bootstrap/wire_notices`, `bootstrap/wire_clients`. Not here: a guest's tools, and
who may call them (`sdk/guest`).
"""

from pierhead.adapters.foreign.document import FetchedDocuments
from pierhead.adapters.foreign.kept import Connection, KeptGuest, Timing
from pierhead.adapters.foreign.remote import RemoteConnection
from pierhead.adapters.foreign.stdio import GuestCommand, Limits, StdioConnection
from pierhead.adapters.foreign.webhook import Webhook

__all__ = [
    "Connection",
    "FetchedDocuments",
    "GuestCommand",
    "KeptGuest",
    "Limits",
    "RemoteConnection",
    "StdioConnection",
    "Timing",
    "Webhook",
]
