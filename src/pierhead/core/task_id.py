"""The name of a task, as a client carries it: a sealed text, and in the open the tool that it is a call of.

The open part is a claim: the gateway decides by it, and the server, which opens the seal, takes it only where both say
the same. Above: `sdk/task_seal` makes such names, the gateway reads them. Not here: sealing.
"""

from typing import Final

LONGEST: Final = 2048
"""In characters: what a target may be, and what fits in a header."""
_MARK: Final = ":"
"""In no sealed text."""


def task_id_of(sealed: str, tool: str) -> str:
    """The task's name; empty where it would be longer than a name may be."""
    whole = f"{sealed}{_MARK}{tool}"
    return whole if len(whole) <= LONGEST else ""


def tool_in(task_id: str) -> str:
    """The tool whose call that task claims to be; empty for a name that we did not make."""
    return task_id.partition(_MARK)[2]


def sealed_in(task_id: str) -> str:
    """The sealed part."""
    return task_id.partition(_MARK)[0]
