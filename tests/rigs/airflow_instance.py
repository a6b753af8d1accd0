"""A real Airflow 3 on this machine: API server, scheduler and DAG processor over an empty database of its own.

Everything listens on 127.0.0.1, each in a process group of its own, and is ended by that group. Its DAGs are those of
`airflow_dags.py`. Above: the live tests.
"""

import json
import os
import secrets
import signal
import subprocess
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.components import free_port
from tests.rigs.spark_cluster import waited

DAGS: Final = Path(__file__).with_name("airflow_dags.py")
_STARTING_S: Final = 120
_RUN_S: Final = 300
_ENDING_S: Final = 20
_PARTS: Final = (("api-server",), ("scheduler", "--skip-serve-logs"), ("dag-processor",))
_NEEDED: Final = ("metadatabase", "scheduler", "dag_processor")


@dataclass
class AirflowInstance:
    """Where it is, and who signs in: `admin`, with a password that is made here."""

    python: Path
    home: Path
    dags: Path = DAGS
    known_by: str = "fail_until_repaired"
    """One of its DAGs: once Airflow tells of it, it has read them."""
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_hex(12))
    running: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "AIRFLOW"))}
        return {
            **kept,
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self.password * 3,
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }

    def start(self) -> None:
        """Errors: AssertionError, with the end of what it said, where a part ends at once or is not there in time."""
        (self.home / "dags").mkdir(parents=True)
        (self.home / "dags" / self.dags.name).write_text(self.dags.read_text("utf-8"), "utf-8")
        known = self.home / "simple_auth_manager_passwords.json.generated"
        known.write_text(json.dumps({"admin": self.password}), "utf-8")
        program = str(self.python.with_name("airflow"))
        with (self.home / "migrate.log").open("wb") as out:
            subprocess.run(
                [program, "db", "migrate"],
                env=self.environment,
                stdout=out,
                stderr=out,
                check=True,
                timeout=_STARTING_S,
            )
        for part in _PARTS:
            with (self.home / f"{part[0]}.log").open("wb") as out:
                self.running.append(
                    subprocess.Popen(
                        [program, *part], env=self.environment, stdout=out, stderr=out, start_new_session=True
                    )
                )
        waited(self._is_ready, "Airflow", _STARTING_S)

    def _is_ready(self) -> bool:
        for part, process in zip(_PARTS, self.running, strict=True):
            assert process.poll() is None, (self.home / f"{part[0]}.log").read_text(errors="replace")[-2000:]
        told = self.asked("/api/v2/monitor/health")
        is_healthy = all(told[part]["status"] == "healthy" for part in _NEEDED)
        return is_healthy and bool(self.asked(f"/api/v2/dags/{self.known_by}", self.token())["dag_id"])

    def ended(self, dag_id: str, run_id: str) -> str:
        """The state in which a run ends."""
        path, token = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", self.token()

        def state() -> str:
            told = str(self.asked(path, token)["state"])
            return told if told in {"success", "failed"} else ""

        return str(waited(state, f"the end of {run_id}", _RUN_S))

    def token(self) -> str:
        told = self.asked("/auth/token", body={"username": "admin", "password": self.password})
        return str(told["access_token"])

    def asked(self, path: str, token: str = "", body: dict[str, str] | None = None, method: str | None = None) -> Any:
        """What it answers to us, beside the server that is tested."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, sent, headers, method=method)  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def stop(self) -> None:
        """Every part by its group, and whatever of the group is left."""
        for process in self.running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
        for process in self.running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_ENDING_S)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(_ENDING_S)


@contextmanager
def airflow_instance(
    python: Path, home: Path, dags: Path = DAGS, known_by: str = AirflowInstance.known_by
) -> Generator[AirflowInstance]:
    """One in `home`; it ends with the block."""
    instance = AirflowInstance(python, home, dags, known_by)
    with running(instance):
        yield instance


@contextmanager
def running(instance: AirflowInstance) -> Generator[None]:
    """That one, until the block ends."""
    try:
        instance.start()
        yield
    finally:
        instance.stop()
