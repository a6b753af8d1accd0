"""Links to Airflow, both ways: what a pasted one names, and where people look at a run or a task.

A link is only read, never fetched. Knows the pages of Airflow 3 and of Airflow 2. Not here: ids as arguments (`ids`).
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from pierhead.sdk import Invalid
from pierhead.servers.airflow.ids import checked
from pierhead.servers.airflow.settings import AirflowSettings

_PORTS: Final = {"http": 80, "https": 443}
_LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Place:
    """What a link names; empty where it names none. `map_index` is -1 without one, `number` 0 for the newest try."""

    dag_id: str
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1
    number: int = 0
    logical_date: str = ""


def place_of(url: str, chosen: AirflowSettings) -> Place:
    """What a pasted link names. Errors: Invalid (`bad-link`, `foreign-link`, `instance-mismatch`)."""
    path = _path_here(_split(url), chosen)
    query = {name: values[-1] for name, values in parse_qs(_split(url).query).items()}
    words = [unquote(word) for word in path.split("/") if word]
    found = _of_pages(words, query) if words[:1] == ["dags"] and len(words) > 1 else _of_query(query)
    if not found.dag_id:
        raise _bad("this link names no DAG", "paste the link of a DAG, a run or a task")
    for name, value in (("dag_id", found.dag_id), ("run_id", found.run_id), ("task_id", found.task_id)):
        if value:
            checked(name, value)
    return found


def link_to(chosen: AirflowSettings, dag_id: str, run_id: str = "", task_id: str = "", map_index: int = -1) -> str:
    """Where people look at it."""
    page = f"{chosen.pages}/dags/{quote(dag_id, safe='')}"
    if chosen.api == "v1":
        return _old_link(page, run_id, task_id, map_index)
    if run_id:
        page += f"/runs/{quote(run_id, safe='')}"
    if task_id:
        page += f"/tasks/{quote(task_id, safe='')}" + (f"/mapped/{map_index}" if map_index >= 0 else "")
    return page


def _old_link(page: str, run_id: str, task_id: str, map_index: int) -> str:
    words = [f"dag_run_id={quote(run_id, safe='')}"] if run_id else []
    words += [f"task_id={quote(task_id, safe='')}", "tab=logs"] if task_id else []
    words += [f"map_index={map_index}"] if map_index >= 0 else []
    return f"{page}/grid" + (f"?{'&'.join(words)}" if words else "")


def require_here(instance: str, chosen: AirflowSettings) -> None:
    """Errors: Invalid (`instance-mismatch`), where somebody means another Airflow than this one."""
    if instance in {"", chosen.title, chosen.name}:
        return
    known = instance in chosen.others
    message = f"INSTANCE_MISMATCH: this server is {chosen.title}"
    hint = f"ask the server of {instance}" if known else "leave instance out, or ask the server of the other one"
    raise Invalid(message, hint=hint, code="instance-mismatch")


def _split(url: str) -> SplitResult:
    try:
        split = urlsplit(url.strip())
        _ = split.port
    except ValueError:
        raise _bad("this is no link", "paste it whole: https://host/dags/...") from None
    if len(url) > _LONGEST or split.scheme not in _PORTS or not split.hostname or split.username or split.password:
        raise _bad("this is no link to a page", "paste it whole, without a user in it: https://host/dags/...")
    return split


def _path_here(split: SplitResult, chosen: AirflowSettings) -> str:
    """The path below this Airflow's address."""
    for mine in (chosen.link, chosen.url):
        own = urlsplit(mine)
        if mine and _origin(own) == _origin(split) and _is_below(split.path, own.path):
            return split.path.removeprefix(own.path.rstrip("/"))
    for name, other in chosen.others.items():
        if _origin(urlsplit(other)) == _origin(split):
            message = f"INSTANCE_MISMATCH: this link is of {name}, and this server is {chosen.title}"
            raise Invalid(message, hint=f"ask the server of {name}", code="instance-mismatch")
    message = f"this link is of {split.hostname}, which is no Airflow that this server knows"
    raise Invalid(message, hint=f"links of {urlsplit(chosen.pages).hostname} are read here", code="foreign-link")


def _is_below(path: str, own: str) -> bool:
    prefix = own.rstrip("/")
    return not prefix or path == prefix or path.startswith(f"{prefix}/")


def _origin(split: SplitResult) -> tuple[str, str, int | None]:
    return split.scheme, (split.hostname or "").casefold(), split.port or _PORTS.get(split.scheme)


def _of_pages(words: list[str], query: dict[str, str]) -> Place:
    """`/dags/D/runs/R/tasks/T/mapped/3?try_number=2`, and the pages of Airflow 2 below `/dags/D`."""
    named = dict(zip(words[0::2], words[1::2], strict=False))
    if "runs" not in named and "tasks" not in named:
        return _of_query({**query, "dag_id": words[1]})
    group = words[4:6] if named.get("tasks") == "group" else []
    return Place(
        dag_id=named["dags"],
        run_id=named.get("runs", query.get("dag_run_id", "")),
        task_id="" if group else named.get("tasks", ""),
        map_index=_number(named.get("mapped", query.get("map_index", "")), -1),
        number=_number(query.get("try_number", ""), 0),
    )


def _of_query(query: dict[str, str]) -> Place:
    """`/log?dag_id=D&task_id=T&execution_date=...`, `/dags/D/grid?dag_run_id=R&task_id=T`."""
    return Place(
        dag_id=query.get("dag_id", ""),
        run_id=query.get("dag_run_id", query.get("run_id", "")),
        task_id=query.get("task_id", ""),
        map_index=_number(query.get("map_index", ""), -1),
        number=_number(query.get("try_number", ""), 0),
        logical_date=query.get("execution_date", query.get("logical_date", "")),
    )


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else otherwise  # noqa: PLR2004 - no run has a million of anything


def _bad(message: str, hint: str) -> Invalid:
    return Invalid(message, hint=hint, code="bad-link")
