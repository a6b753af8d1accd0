"""Records what a real Airflow 3 says of the failures of `airflow_dags`, for the fast tests of the Airflow server.

    python tests/rigs/airflow_recording.py http://127.0.0.1:PORT PASSWORD-FILE RUN_ID

Airflow runs already, with those DAGs and a run of each. Names of hosts, people and folders are rewritten.
"""

import json
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

CORPUS: Final = Path(__file__).resolve().parent.parent / "corpus" / "airflow"
#: Not kept: it is long, and says the same as another.
_LEFT_OUT: Final = frozenset({"fail_noisy", "fail_retries_left"})
_ANSWERS: Final = ("fail_fan_in", "fail_mapped", "fail_retries_left", "good_daily", "wait_for_pool")
_LIBRARY: Final = re.compile(r"/[\w./-]+/lib/python3\.\d+/site-packages/")
_PYTHON: Final = re.compile(r"/[\w./-]+/lib/python3\.\d+/")
_FOLDERS: Final = re.compile(r"/[\w./-]+/(?=(?:airflow_dags|failing)\.py|logs/dag_id=)")
_PROGRAM: Final = re.compile(r"/[\w./-]+/bin/(?=airflow\b|python3(?:\.\d+)?)")


def main(url: str, password: Path, run_id: str) -> None:
    """Write the corpus anew."""
    body = json.dumps({"username": "admin", "password": password.read_text("utf-8").strip()}).encode()
    asked = urllib.request.Request(f"{url}/auth/token", body, {"Content-Type": "application/json"})  # noqa: S310 - our own
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
        token = json.load(answer)["access_token"]

    def get(path: str, accept: str = "application/json") -> str:
        headers = {"Authorization": f"Bearer {token}", "Accept": accept}
        with urllib.request.urlopen(urllib.request.Request(url + path, headers=headers), timeout=60) as said:  # noqa: S310
            return rewritten(said.read().decode())

    CORPUS.mkdir(parents=True, exist_ok=True)
    listed = json.loads(get("/api/v2/dags?limit=100"))
    for dag_id in sorted(dag["dag_id"] for dag in listed["dags"]):
        if dag_id.startswith("fail_") and dag_id not in _LEFT_OUT:
            record_log(get, dag_id, run_id)
    paths = ["/api/v2/assets", "/api/v2/pools", "/api/v2/importErrors", "/api/v2/monitor/health", "/api/v2/dags"]
    for dag_id in _ANSWERS:
        begin = f"/api/v2/dags/{dag_id}"
        run = f"{begin}/dagRuns/{run_id}"
        paths += [f"{begin}/details", f"{begin}/tasks", f"{begin}/dagRuns", run, f"{run}/taskInstances"]
    answers = {path: json.loads(get(path)) for path in paths}
    (CORPUS / "answers.json").write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    record_writes(url, token, run_id)


def record_writes(base: str, token: str, run_id: str) -> None:
    """What it answers to what changes something. The run of `fail_fan_in` has failed, and is cleared by this."""
    wanted = [["right"], ["join", "left", "publish", "right", "start"]]
    fan_in = "/api/v2/dags/fail_fan_in/clearTaskInstances"
    dry: dict[str, Any] = {"dry_run": True, "dag_run_id": run_id, "only_failed": True}
    run = {"dag_run_id": f"pierhead__{run_id}", "conf": {"rows": 2}, "logical_date": None}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", fan_in, {**dry, "task_ids": wanted[0], "include_downstream": True}),
        ("POST", fan_in, {**dry, "task_ids": wanted[1], "include_downstream": False}),
        ("POST", fan_in, {**dry, "task_ids": ["start"], "include_downstream": False}),
        (
            "POST",
            fan_in,
            {"dry_run": False, "dag_run_id": run_id, "task_ids": ["join", "publish", "right"], "only_failed": False}
            | {"reset_dag_runs": True, "prevent_running_task": True},
        ),
        ("POST", "/api/v2/dags/good_daily/dagRuns", run),
        ("POST", "/api/v2/dags/good_daily/dagRuns", run),
        ("PATCH", "/api/v2/dags/good_daily", {"is_paused": True}),
        ("PATCH", "/api/v2/dags/good_daily", {"is_paused": False}),
        (
            "PATCH",
            f"/api/v2/dags/fail_mapped/dagRuns/{run_id}/taskInstances/load/2",
            {"new_state": "success"},
        ),
    ]
    kept: list[dict[str, Any]] = []
    for method, path, body in asked:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(base + path, json.dumps(body).encode(), headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as said:  # noqa: S310
                status, text = said.status, said.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                status, text = refused.code, refused.read().decode()
        kept.append({"method": method, "path": path, "body": body, "status": status})
        kept[-1]["answer"] = json.loads(rewritten(text))
    (CORPUS / "writes.json").write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def record_log(get: Any, dag_id: str, run_id: str) -> None:
    """The log of the last attempt of each of its tasks that failed."""
    base = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
    for instance in json.loads(get(base))["task_instances"]:
        if instance["state"] == "failed":
            query = f"full_content=true&map_index={instance['map_index']}"
            text = get(f"{base}/{instance['task_id']}/logs/{instance['try_number']}?{query}", "application/x-ndjson")
            (CORPUS / f"{dag_id}.ndjson").write_text(text, encoding="utf-8")


def rewritten(text: str) -> str:
    """Without this machine's names."""
    text = _PROGRAM.sub("/opt/airflow/bin/", text)
    text = _LIBRARY.sub("/opt/airflow/lib/", text)
    text = _PYTHON.sub("/usr/lib/python3/", text)
    text = _FOLDERS.sub("/opt/airflow/", text)
    text = re.sub(r'"(hostname)": ?"[^"]+"', r'"\1":"worker-1.corp.example"', text)
    text = re.sub(r'"(unixname)": ?"[^"]+"', r'"\1":"airflow"', text)
    text = re.sub(r"\A[\w.-]+\n", "worker-1.corp.example\n", text)
    text = re.sub(r" on host [\w.-]+", " on host worker-1.corp.example", text)
    text = re.sub(r'"file_token": ?"[^"]+"', '"file_token":"a-token"', text)
    return re.sub(r"host='[^']+'", "host='worker-1.corp.example'", text)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
