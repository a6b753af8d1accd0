"""What people paste for an application: its id, a link to it, or the Airflow task that ran it. Nothing else passes.

An id becomes part of file names and addresses, so its characters are few. A link counts for its id alone: nothing is
fetched from it, and its host must be one that the server knows.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from pierhead.sdk import Invalid

ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){2,127}")
#: As Spark and its cluster managers write them, wherever they stand in a text.
IDS_IN_TEXT: Final = re.compile(
    r"\b(application_\d{10,16}_\d{4,10}|app-\d{14}-\d{4,8}|spark-(?:application-\d{13}|[0-9a-f]{32})|local-\d{13}"
    r"|driver-\d{14}-\d{4,8})\b"
)
_IN_PATH: Final = re.compile(
    r"/(?:history|proxy|applications|cluster/app|apps|app/kill)/([^/]+)(?:/(\d{1,4}))?(?:/|$)", re.IGNORECASE
)
_AIRFLOW_PATH: Final = re.compile(r"/dags/([^/]+)/runs/([^/]+)/tasks/([^/]+)(?:/|$)")
_NAME: Final = re.compile(r"[A-Za-z0-9_.~:+@=-]{1,250}")
_LONGEST: Final = 2000
_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class AirflowTask:
    """One try of one task; `attempt` 0 is the newest."""

    dag: str
    task: str
    run: str
    attempt: int = 0

    def __str__(self) -> str:
        return f"{self.dag}/{self.task}/{self.run}"


@dataclass(frozen=True, slots=True)
class Reference:
    """An application by its id, or by the task that ran it; `attempt` is the one that a link named."""

    id: str = ""
    attempt: str = ""
    airflow: AirflowTask | None = None

    def __str__(self) -> str:
        return self.id or str(self.airflow)


def read_reference(text: str, hosts: frozenset[str]) -> Reference:
    """Errors: Invalid (`bad-application`, `foreign-host`)."""
    if len(text) > _LONGEST:
        raise _unreadable("it is longer than a link")
    if "://" in text:
        return _of_link(text, hosts)
    if "/" in text:
        return Reference(airflow=read_airflow(text))
    if not ID.fullmatch(text):
        raise _unreadable("it is no application id")
    return Reference(text)


def read_airflow(text: str) -> AirflowTask:
    """`dag/task/run`. Errors: Invalid (`bad-application`)."""
    parts = text.split("/", _PARTS - 1)
    if len(parts) != _PARTS or not all(_NAME.fullmatch(part) and part.strip(".") for part in parts):
        raise _unreadable("an Airflow task is written dag/task/run")
    return AirflowTask(parts[0], parts[1], parts[2])


def _of_link(text: str, hosts: frozenset[str]) -> Reference:
    try:
        place = urlsplit(text)
        asked = parse_qs(place.query)
    except ValueError:
        raise _unreadable("it is no link") from None
    if place.scheme not in {"http", "https"} or place.netloc.casefold() not in hosts:
        message = "the link leads to a host that this server does not know"
        raise Invalid(message, hint="give the application's id, or a link to one of its own hosts", code="foreign-host")
    task = _AIRFLOW_PATH.search(place.path)
    if task:
        dag, run, name = (unquote(part) for part in task.groups())
        return Reference(airflow=read_airflow(f"{dag}/{name}/{run}"))
    found = _IN_PATH.search(place.path)
    name = found[1] if found else next(iter(asked.get("appId", asked.get("id", ()))), "")
    if not ID.fullmatch(name):
        raise _unreadable("the link names no application")
    return Reference(name, (found[2] or "") if found else "")


def _unreadable(why: str) -> Invalid:
    hint = "give an application id, a link of the History Server, or an Airflow task as dag/task/run"
    return Invalid(why, hint=hint, code="bad-application")
