"""What a task is, sealed into its own name: the call to make once people agreed, and whose it is.

So nothing of it is stored here: whoever holds the name can poll at any replica and after any restart, and only the
person whom it was given to. It is no approval: the record decides what runs, how often, and whether it is still the
call that people saw. Above: `tasks`. Not here: what a task answers.
"""

import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from mcp.server.request_state import InvalidRequestState, RequestStateCodec, RequestStateSecurity

from pierhead.core.call import digest
from pierhead.core.errors import Invalid
from pierhead.core.identity import Caller
from pierhead.core.task_id import sealed_in, task_id_of, tool_in
from pierhead.sdk.tool import as_json

_KIND: Final = b"pierhead task"


@dataclass(frozen=True, slots=True)
class Handle:
    """One task: which approval it waits for, and the call that it makes then. Times in seconds since 1970 UTC."""

    task_id: str
    tool: str
    approval: str
    created: float
    expires: float
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TaskSeal:
    """Makes and opens the names of one server's tasks."""

    server: str
    codec: RequestStateCodec

    @classmethod
    def of(cls, server: str, key: bytes | None) -> "TaskSeal":
        """`key` is the same for every replica; without it, one of this process alone."""
        own = None if key is None else hmac.digest(key, _KIND, hashlib.sha256)
        security = RequestStateSecurity.ephemeral() if own is None else RequestStateSecurity(keys=[own])
        return cls(server, security.codec)

    def closed(self, handle: Handle, caller: Caller) -> str:
        """The name of that task, which opens for that caller; empty where it would be too long."""
        try:
            arguments = as_json(handle.arguments)
        except Invalid:
            return ""
        about = [self.server, handle.tool, handle.approval, whose(caller), handle.created, handle.expires]
        packed = zlib.compress(orjson.dumps([*about, arguments.decode()]), 9)
        return task_id_of(self.codec.seal(packed), handle.tool)

    def opened(self, task_id: str, caller: Caller) -> Handle | None:
        """The task of that name; None where it is not one of this server for this caller."""
        try:
            packed = self.codec.unseal(sealed_in(task_id))
        except InvalidRequestState:
            return None
        server, tool, approval, owner, created, expires, arguments = orjson.loads(zlib.decompress(packed))
        if (server, tool, owner) != (self.server, tool_in(task_id), whose(caller)):
            return None
        return Handle(task_id, tool, approval, created, expires, json.loads(arguments))


def whose(caller: Caller) -> str:
    """The person and the program, as an approval pins them."""
    who, program = caller.person, caller.workload
    return digest([who.issuer if who else "", who.subject if who else "", program.spiffe_id if program else ""])
