"""What a client declares of the run that a call belongs to: its id, and what the run found that speaks for the call.

A claim, like everything in `_meta`: it groups what people are asked, and permits nothing. Below: nothing. Above: `call`
carries it, `approval_record` shows it. Not here: how many approvals a run may have open (`usecases/ask_approval`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

RUN_KEY: Final = "io.pierhead/run"
EVIDENCE_KEY: Final = "io.pierhead/evidence"
_TRACE: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Run:
    """`id` is empty where the client declares none; `evidence` are ids or addresses, as the client names them."""

    id: str = ""
    evidence: tuple[str, ...] = ()


NO_RUN: Final = Run()


def run_in(meta: object) -> Run:
    """The run that a request's `_meta` declares: by our key, or else by the trace that it belongs to.

    What is no plain word is left out: nobody need be refused over a claim.
    """
    if not isinstance(meta, Mapping):
        return NO_RUN
    said = cast("Mapping[str, object]", meta)
    named = _word(said.get(RUN_KEY)) or _trace(said.get("traceparent"))
    listed = said.get(EVIDENCE_KEY)
    words = [_word(each) for each in cast("list[object]", listed)[:_MOST]] if isinstance(listed, list) else []
    return Run(named, tuple(dict.fromkeys(word for word in words if word)))


def _word(text: object) -> str:
    return text if isinstance(text, str) and _WORD.fullmatch(text) else ""


def _trace(text: object) -> str:
    found = _TRACE.fullmatch(text) if isinstance(text, str) else None
    return found[1] if found is not None else ""
