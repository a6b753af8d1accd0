"""Records what a real Airflow 2 says of the failures of `airflow_dags`, for the fast tests over API v1.

    python tests/rigs/airflow_2_recording.py http://127.0.0.1:PORT USER PASSWORD-FILE RUN_ID

Airflow 2.11 runs already, in an environment of its own, with `for_airflow_2` of those DAGs and a run of each; which
release it was stands in the corpus as what `/api/v1/version` said. Names of hosts, people and folders are rewritten.
"""

import base64
import json
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.rigs.airflow_recording import rewritten

CORPUS: Final = Path(__file__).resolve().parent.parent / "corpus" / "airflow_2"
_ANSWERS: Final = ("fail_fan_in", "fail_mapped", "fail_retries_left", "good_daily", "wait_for_pool")
_LOGS: Final = (
    ("fail_bash", "load", -1),
    ("fail_connection", "work", -1),
    ("fail_execution_timeout", "work", -1),
    ("fail_fan_in", "right", -1),
    ("fail_killed", "work", -1),
    ("fail_mapped", "load", 2),
    ("fail_retries_left", "work", -1),
    ("fail_schema", "work", -1),
    ("fail_spark_submit", "submit", -1),
    ("fail_terminated", "work", -1),
)
_IMPORTED: Final = "from airflow.sdk import DAG, Asset, Param, task"
_IN_2: Final = (
    "from airflow import DAG; from airflow.datasets import Dataset as Asset; "
    "from airflow.decorators import task; from airflow.models.param import Param"
)


def for_airflow_2(dags: str) -> str:
    """The same DAGs where `airflow.sdk` is not yet, line by line."""
    return dags.replace(_IMPORTED, _IN_2)


@dataclass(frozen=True)
class Recorder:
    """Asks it as one who may everything."""

    url: str
    authorization: str

    def asked(
        self, path: str, method: str = "GET", body: dict[str, Any] | None = None, accept: str = "application/json"
    ) -> tuple[int, str]:
        headers = {"Authorization": self.authorization, "Content-Type": "application/json", "Accept": accept}
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, sent, headers, method=method)  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(request, timeout=60) as said:  # noqa: S310
                return said.status, rewritten(said.read().decode())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, rewritten(refused.read().decode())


def main(url: str, user: str, password: Path, run_id: str) -> None:
    """Write the corpus anew. The run of `fail_fan_in` has failed, and is cleared by this."""
    pair = f"{user}:{password.read_text('utf-8').strip()}".encode()
    recorder = Recorder(url, f"Basic {base64.b64encode(pair).decode()}")
    CORPUS.mkdir(parents=True, exist_ok=True)
    answers = {path.partition("?")[0]: json.loads(recorder.asked(path)[1]) for path in _paths(run_id)}
    (CORPUS / "answers.json").write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for dag_id, task_id, map_index in _LOGS:
        path = _task(run_id, dag_id, task_id, "/logs/1")
        text = recorder.asked(f"{path}?full_content=true&map_index={map_index}", accept="text/plain")[1]
        (CORPUS / f"{dag_id}.log").write_text(text, encoding="utf-8")
    writes = [_done(recorder, *each) for each in _changes(run_id)]
    (CORPUS / "writes.json").write_text(json.dumps(writes, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _paths(run_id: str) -> list[str]:
    begin = "/api/v1"
    paths = [f"{begin}/{name}" for name in ("version", "health", "pools", "importErrors", "datasets", "dags")]
    paths += [f"{begin}/datasets/events", f"{begin}/dags/~/dagRuns/~/taskInstances?state=running"]
    for dag_id in _ANSWERS:
        dag = f"{begin}/dags/{dag_id}"
        run = f"{dag}/dagRuns/{run_id}"
        paths += [f"{dag}/details", f"{dag}/tasks", f"{dag}/dagRuns", run, f"{run}/taskInstances"]
    paths += [_task(run_id, "fail_fan_in", "right", more) for more in ("", "/tries/1")]
    paths += [_task(run_id, "fail_mapped", "load", more) for more in ("", "/2", "/2/tries/1")]
    return [*paths, _task(run_id, "fail_retries_left", "work")]


def _task(run_id: str, dag_id: str, task_id: str, more: str = "") -> str:
    return f"/api/v1/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}{more}"


def _changes(run_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    dags = "/api/v1/dags"
    clearing = {name: f"{dags}/{name}/clearTaskInstances" for name in ("fail_fan_in", "fail_mapped")}
    all_of = ["join", "left", "publish", "right", "start"]
    dry = {"dry_run": True, "dag_run_id": run_id, "only_failed": True, "include_downstream": False}
    real = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "reset_dag_runs": True}
    run = {"dag_run_id": f"pierhead__{run_id}", "conf": {"rows": 2}}
    daily = f"{dags}/good_daily"
    mapped = f"{dags}/fail_mapped/dagRuns/{run_id}/taskInstances/load/2"
    return [
        ("POST", clearing["fail_fan_in"], {**dry, "task_ids": all_of}),
        ("POST", clearing["fail_mapped"], {**dry, "task_ids": ["load"]}),
        ("POST", f"{daily}/dagRuns", run),
        ("POST", f"{daily}/dagRuns", run),
        ("PATCH", daily, {"is_paused": True}),
        ("PATCH", daily, {"is_paused": False}),
        ("PATCH", mapped, {"dry_run": False, "new_state": "success"}),
        ("POST", clearing["fail_fan_in"], {**real, "task_ids": ["join", "publish", "right"]}),
    ]


def _done(recorder: Recorder, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    status, text = recorder.asked(path, method, body)
    return {"method": method, "path": path, "body": body, "status": status, "answer": json.loads(text)}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
