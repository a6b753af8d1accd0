"""Ids of DAGs, runs and tasks as arguments: what Airflow gives, and nothing that its API reads otherwise.

`~` is Airflow's word for all of them, `.` and `..` are steps of a path: neither is an id here.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from pierhead.sdk import Invalid

_KEY: Final = re.compile(r"[\w.\-]{1,250}")
_RUN: Final = re.compile(r"[\w.~:+\- ]{1,250}")
_WORDS: Final = frozenset({"~", ".", ".."})


def is_key(text: str) -> bool:
    """Whether a DAG or a task may be called so."""
    return text not in _WORDS and _KEY.fullmatch(text) is not None


def is_run(text: str) -> bool:
    """Whether a run may be called so."""
    return text not in _WORDS and _RUN.fullmatch(text) is not None


def checked(name: str, text: str) -> str:
    """Errors: Invalid (`bad-id`), which does not repeat what was given."""
    if not (is_run(text) if name == "run_id" else is_key(text)):
        message = f"this is no {name} of Airflow's"
        raise Invalid(message, hint="letters, digits, and - _ . (in a run_id : + ~ too)", code="bad-id")
    return text


def numbered(attempt: int | Literal["last"]) -> int:
    """An attempt by its number; 0 is the newest."""
    return 0 if attempt == LAST_TRY else attempt


def _key(text: str) -> str:
    if not is_key(text):
        raise ValueError("no id of Airflow's")
    return text


def _run(text: str) -> str:
    if not is_run(text):
        raise ValueError("no run id of Airflow's")
    return text


def _key_or_nothing(text: str) -> str:
    return _key(text) if text else text


_Id = Field(max_length=250)
Key = Annotated[str, _Id, AfterValidator(_key)]
MaybeKey = Annotated[str, _Id, AfterValidator(_key_or_nothing)]
RunId = Annotated[str, _Id, AfterValidator(_run)]
"""Of one run, or one of the words for some (`latest`, `latest_failed`, `last_success`)."""
Words = Annotated[str, Field(max_length=200)]
MapIndex = Annotated[int, Field(ge=-1, le=100_000)]
LAST_TRY: Final = "last"
Try = Annotated[int, Field(ge=0, le=1000)] | Literal["last"]
"""Of a task; the newest is `last`, and 0 too."""
Moment = Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?)?$")]
Reason = Annotated[str, Field(min_length=1, max_length=500)]
