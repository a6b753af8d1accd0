"""Guests, servers that nobody here wrote: one kept connection each, over stdio or HTTP.

`KeptGuest` keeps it, a `Connection` says how it is made. Above: `bootstrap/wire_guard`. Not here: what a guest's tools
are and who may call them (`sdk/guest`).
"""

from pierhead.adapters.foreign.kept import Connection, KeptGuest, Timing
from pierhead.adapters.foreign.remote import RemoteConnection
from pierhead.adapters.foreign.stdio import GuestCommand, Limits, StdioConnection

__all__ = ["Connection", "GuestCommand", "KeptGuest", "Limits", "RemoteConnection", "StdioConnection", "Timing"]
