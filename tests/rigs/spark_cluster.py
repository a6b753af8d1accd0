"""A real Spark on this machine: a master, one worker, and a History Server over the event logs of its jobs.

Everything listens on 127.0.0.1, and is stopped by its own process id. Jobs are `spark_jobs.py`, submitted as people
submit them. Above: the live tests, and `spark_recording`, which records what their failures look like.
"""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.components import free_port

JOBS: Final = Path(__file__).with_name("spark_jobs.py")
_STARTING_S: Final = 60
_JOB_S: Final = 150
_CONFIGURATION: Final = """spark.eventLog.enabled true
spark.eventLog.dir file:{events}
spark.eventLog.rolling.enabled false
spark.eventLog.compress false
spark.eventLog.buffer.kb 10k
spark.history.fs.logDirectory file:{events}
spark.history.fs.update.interval 1s
spark.history.ui.port {history}
spark.driver.bindAddress 127.0.0.1
spark.driver.host 127.0.0.1
spark.master.rest.enabled true
spark.master.rest.host 127.0.0.1
spark.master.rest.port {rest}
spark.sql.shuffle.partitions 8
spark.ui.showConsoleProgress false
spark.ui.enabled false
"""


@dataclass
class Job:
    """A submitted job: the process of its driver, and the file that all it says goes to."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def ended(self) -> int:
        """Its exit code, once it has one."""
        return self.process.wait(_JOB_S)

    @property
    def application(self) -> str:
        """The id that the master gave it; empty where there was none yet."""
        said = self.log.read_text(errors="replace").rpartition("Connected to Spark cluster with app ID ")[2]
        return said.split()[0] if said.startswith("app-") else ""

    def known(self) -> str:
        """Its id, as soon as it has one."""
        return waited(lambda: self.application, "an application id")


@dataclass
class Cluster:
    """Where everything is: folders of event logs and of the worker, and the ports of what runs."""

    home: Path
    python: Path
    folder: Path
    ports: Mapping[str, int]
    running: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def events(self) -> Path:
        return self.folder / "events"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def address(self, of: str) -> str:
        return f"http://127.0.0.1:{self.ports[of]}"

    @property
    def environment(self) -> dict[str, str]:
        paths = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        local = dict.fromkeys(("SPARK_LOCAL_IP", "SPARK_LOCAL_HOSTNAME", "SPARK_PUBLIC_DNS"), "127.0.0.1")
        return {
            **os.environ,
            **local,
            "PATH": paths,
            "SPARK_HOME": str(self.home),
            "SPARK_CONF_DIR": str(self.folder / "conf"),
            "SPARK_DAEMON_MEMORY": "384m",
            "PYSPARK_PYTHON": str(self.python),
            "SPARK_HISTORY_OPTS": "-Dspark.history.ui.bindAddress=127.0.0.1",
            "SPARK_NO_DAEMONIZE": "1",
        }

    def submit(
        self,
        *arguments: str,
        conf: Mapping[str, str] | None = None,
        master: str = "",
        options: Sequence[str] = (),
        account: Sequence[str] = (),
    ) -> Job:
        """Start a job of spark_jobs.py, named after its first argument."""
        self.logs.mkdir(exist_ok=True)
        log = self.logs / f"{arguments[0]}-{len(list(self.logs.iterdir()))}.log"
        chosen = {"spark.executor.memory": "600m", "spark.driver.memory": "600m", **(conf or {})}
        command = [
            *account,
            str(self.home / "bin" / "spark-submit"),
            "--master",
            master or f"spark://127.0.0.1:{self.ports['master']}",
            "--name",
            arguments[0],
            *(word for name, value in chosen.items() for word in ("--conf", f"{name}={value}")),
            *options,
            *self._program(arguments[0]),
            *arguments,
        ]
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=self.environment, cwd=self.folder, stdout=out, stderr=out)
        return Job(process, log)

    def _program(self, job: str) -> list[str]:
        """A job with a dot in its name is a class of Java, which none of Spark's own jars has."""
        return ["--class", job, str(next(self.home.glob("jars/spark-tags_*.jar")))] if "." in job else [str(JOBS)]

    def state(self) -> Any:
        """What the master says."""
        with urllib.request.urlopen(f"{self.address('master-ui')}/json/", timeout=5) as answer:  # noqa: S310 - our own
            return json.load(answer)

    def executors(self, application: str) -> list[int]:
        """The process ids of an application's executors."""
        found: list[int] = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (process / "cmdline").read_bytes()
                if application.encode() in words and b"CoarseGrainedExecutorBackend" in words:
                    found.append(int(process.name))
        return found

    def daemon(self, name: str, *words: str) -> None:
        command = [str(self.home / "bin" / "spark-class"), *words]
        with (self.folder / f"{name}.log").open("wb") as out:
            self.running.append(subprocess.Popen(command, env=self.environment, stdout=out, stderr=out))


@contextmanager
def cluster(python: Path, home: Path, folder: Path, *, has_history: bool = True) -> Generator[Cluster]:
    """A cluster in `folder`; it ends with the block."""
    names = ("master", "worker", "master-ui", "worker-ui", "rest", "history")
    started = Cluster(home, python, folder, {name: free_port() for name in names})
    for each in ("conf", "events", "work"):
        (folder / each).mkdir(parents=True)
    started.events.chmod(0o777)
    text = _CONFIGURATION.format(events=started.events, history=started.ports["history"], rest=started.ports["rest"])
    settings = folder / "conf" / "spark-defaults.conf"
    settings.write_text(text)
    try:
        _start(started, settings, has_history=has_history)
        yield started
    finally:
        for process in reversed(started.running):
            process.send_signal(signal.SIGTERM)
        for process in started.running:
            process.wait(30)


def _start(started: Cluster, settings: Path, *, has_history: bool) -> None:
    ports = {name: str(port) for name, port in started.ports.items()}
    master = "org.apache.spark.deploy.master.Master"
    started.daemon(
        "master", master, "--host", "127.0.0.1", "--port", ports["master"], "--webui-port", ports["master-ui"]
    )
    if has_history:
        history = "org.apache.spark.deploy.history.HistoryServer"
        started.daemon("history", history, "--properties-file", str(settings))
    worker = ["org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--port", ports["worker"]]
    worker += ["--webui-port", ports["worker-ui"], "-c", "2", "-m", "2g", "-d", str(started.work)]
    started.daemon("worker", *worker, f"spark://127.0.0.1:{ports['master']}")
    waited(lambda: started.state()["aliveworkers"], "a worker")
    if has_history:
        address = f"{started.address('history')}/api/v1/applications"
        waited(lambda: urllib.request.urlopen(address, timeout=5).status, "the History Server")  # noqa: S310 - our own


def waited(look: Any, what: str, seconds: float = _STARTING_S) -> Any:
    """What `look` finds, as soon as it finds something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(OSError, ValueError, KeyError):
            if found := look():
                return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {seconds} s")
