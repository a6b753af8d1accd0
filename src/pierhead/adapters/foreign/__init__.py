"""Guests, servers that nobody here wrote: one kept connection each, over stdio or HTTP.

`KeptGuest` keeps it, a `Connection` says how it is made; `Webhook` leaves by the same guarded way. Above:
`bootstrap/wire_guard` and `bootstrap/wire_notices`. Not here: a guest's tools, and who may call
them (`sdk/guest`).
"""

from pierhead.adapters.foreign.kept import Connection, KeptGuest, Timing
from pierhead.adapters.foreign.remote import RemoteConnection
from pierhead.adapters.foreign.stdio import GuestCommand, Limits, StdioConnection
from pierhead.adapters.foreign.webhook import Webhook

__all__ = [
    "Connection",
    "GuestCommand",
    "KeptGuest",
    "Limits",
    "RemoteConnection",
    "StdioConnection",
    "Timing",
    "Webhook",
]
