"""Records what endings of real Spark jobs look like: `python -m tests.rigs.spark_recording FOLDER [NAME...]`.

Each becomes a folder of tests/corpus/spark: `driver.log`, `executors/ID/stderr`, `events` (the event log, if there is
one). Rewritten: folders of the machine, its users and hosts. Left out, because nothing reads it and it is most of the
size: class paths and system properties of the environment, and log lines of loggers that only report their start.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.components import ROOT
from tests.rigs.spark_cluster import Cluster, Job, cluster, waited

CORPUS: Final = ROOT / "tests" / "corpus" / "spark"
_LONGEST_PLAN: Final = 3000
_KEPT_PROPERTIES: Final = ("sun.java.command", "java.version")
_QUIET: Final = re.compile(
    r" (INFO|DEBUG) (SecurityManager|MemoryStore|BlockManagerInfo|CodeGenerator|ServerInfo|ResourceUtils"
    r"|ResourceProfile|SparkEnv|Utils|TransportClientFactory|SignalUtils|DiskBlockManager|BlockManagerMasterEndpoint"
    r"|SharedState|JettyUtils|HashAggregateExec|ShuffleStatus|TorrentBroadcast|NettyBlockTransferService"
    r"|ShuffleBlockFetcherIterator|MapOutputTracker\w*|PythonRunner|log|ShutdownHookManager): "
)


@dataclass(frozen=True)
class Case:
    """One ending. `act` is what happens to the job from outside while it runs."""

    job: str
    category: str
    act: "Callable[[Cluster, Job, Path], None] | None" = None
    conf: Mapping[str, str] = field(default_factory=dict[str, str])
    is_local: bool = False
    is_logged: bool = True
    options: Sequence[str] = ()
    account: Sequence[str] = ()


def _kill_executor(running: Cluster, job: Job, _folder: Path) -> None:
    """As the kernel does, once its task runs."""
    waited(lambda: "Starting task 0.0 in stage" in job.log.read_text(errors="replace"), "a running task", 120)
    for process in waited(lambda: running.executors(job.known()), "an executor"):
        os.kill(process, signal.SIGKILL)


def _lose_shuffle(running: Cluster, _job: Job, folder: Path) -> None:
    waited((folder / "written").exists, "the shuffle", 120)
    for found in Path(tempfile.gettempdir()).glob("spark-*/executor-*/blockmgr-*/*/shuffle_*"):
        found.unlink()
    (folder / "lost").touch()


def _terminate(running: Cluster, job: Job, _folder: Path) -> None:
    waited(lambda: "Starting task 0.0 in stage" in job.log.read_text(errors="replace"), "a running task")
    job.process.send_signal(signal.SIGTERM)


def _kill_at_master(running: Cluster, job: Job, _folder: Path) -> None:
    """As the link on its page does."""
    waited(lambda: "Starting task 0.0 in stage" in job.log.read_text(errors="replace"), "a running task")
    with urllib.request.urlopen(running.address("master-ui"), timeout=10) as page:  # noqa: S310 - our own
        token = re.search(r"<input[^>]*csrfToken[^>]*>", page.read().decode())
    value = re.search(r'value="([^"]*)"', token[0]) if token else None
    fields = {"id": job.known(), "terminate": "true", "csrfToken": value[1] if value else ""}
    form = urllib.parse.urlencode(fields).encode()
    urllib.request.urlopen(f"{running.address('master-ui')}/app/kill/", form, timeout=10).close()  # noqa: S310 - our own


_ONCE: Final = {"spark.task.maxFailures": "1"}
_UNLOGGED: Final = {"spark.eventLog.enabled": "false"}
#: Not even root reads what is another's, without these.
_BOUND: Final = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")

CASES: Final = {
    "success": Case("success", ""),
    "user-code": Case("user_code", "code_error", is_local=True),
    "udf-raises": Case("udf_raises", "code_error"),
    "executor-memory": Case("executor_memory", "executor_oom", conf=_ONCE),
    "driver-memory": Case("driver_memory", "driver_oom", conf={"spark.driver.maxResultSize": "0"}),
    "driver-results": Case("driver_results", "driver_oom", conf={"spark.driver.maxResultSize": "1m"}),
    "missing-path": Case("missing_path", "missing_input", is_local=True),
    "missing-text": Case("missing_text", "missing_input", is_local=True),
    "missing-file": Case("missing_file", "missing_input", is_local=True),
    "missing-table": Case("missing_table", "missing_input", is_local=True),
    "schema-column": Case("schema_column", "schema_mismatch", is_local=True),
    "schema-parquet": Case("schema_parquet", "schema_mismatch", is_local=True),
    "schema-cast": Case("schema_cast", "schema_mismatch", is_local=True),
    "skew": Case(
        "skew",
        "skew",
        conf={"spark.sql.adaptive.enabled": "false", "spark.sql.autoBroadcastJoinThreshold": "-1"},
    ),
    "lost-executor": Case(
        "together", "executor_lost", _kill_executor, conf={"spark.stage.maxConsecutiveAttempts": "1"}
    ),
    "fetch-failed": Case("shuffled", "fetch_failed", _lose_shuffle, conf={"spark.stage.maxConsecutiveAttempts": "1"}),
    "permission": Case("permission", "permission", is_local=True, account=_BOUND),
    "permission-write": Case("permission_write", "permission", is_local=True, account=_BOUND),
    "module": Case("module", "dependency"),
    "data-source": Case("data_source", "dependency", is_local=True),
    "class": Case("com.example.billing.Nightly", "dependency", is_local=True),
    "broadcast": Case(
        "broadcast",
        "timeout",
        is_local=True,
        conf={"spark.sql.broadcastTimeout": "1", "spark.sql.adaptive.enabled": "false"},
    ),
    "terminated": Case("slow", "killed", _terminate),
    "killed-at-master": Case("slow", "killed", _kill_at_master),
    "died-unlogged": Case("dies", "killed", conf=_UNLOGGED, is_logged=False),
    "oom-unlogged": Case("executor_memory", "executor_oom", conf={**_ONCE, **_UNLOGGED}, is_logged=False),
    "code-unlogged": Case("udf_raises", "code_error", conf=_UNLOGGED, is_local=True, is_logged=False),
}


def record(running: Cluster, name: str, case: Case, target: Path) -> None:
    """Run it, and keep what it left behind in `target`."""
    folder = Path(tempfile.mkdtemp(prefix="warehouse-"))
    folder.chmod(0o755)
    (folder / "closed").mkdir(mode=0o755)
    (folder / "secret").mkdir(mode=0o755)
    (folder / "secret" / "salaries.csv").write_text("ann,1\n")
    (folder / "secret" / "salaries.csv").chmod(0o600)
    for inner in ("closed", "secret/salaries.csv"):
        os.chown(folder / inner, 65534, 65534)
    before = set(running.events.iterdir())
    job = running.submit(
        case.job,
        str(folder),
        conf=case.conf,
        master="local[2]" if case.is_local else "",
        options=case.options,
        account=case.account,
    )
    acting = threading.Thread(target=case.act, args=(running, job, folder), daemon=True) if case.act else None
    if acting:
        acting.start()
    code = job.ended()
    if acting:
        acting.join()
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    rewritten = _Rewritten(running, folder)
    (target / "driver.log").write_text(_short(rewritten(job.log.read_text(errors="replace"))))
    for log in sorted(running.work.glob(f"{job.application or 'none'}/*/stderr")):
        kept = target / "executors" / log.parent.name / "stderr"
        kept.parent.mkdir(parents=True)
        kept.write_text(_short(rewritten(log.read_text(errors="replace"))))
    found = sorted(set(running.events.iterdir()) - before)
    if found and case.is_logged:
        (target / "events").write_text("".join(_trimmed(rewritten(found[0].read_text()))))
    about = {"name": name, "category": case.category, "app": _application(job, found), "exit_code": code}
    (target / "case.json").write_text(json.dumps(about) + "\n")
    size = sum(each.stat().st_size for each in target.rglob("*") if each.is_file())
    print(f"{name}: exit {code}, {size} bytes", flush=True)


def _application(job: Job, found: Sequence[Path]) -> str:
    return job.application or (found[0].name.removesuffix(".inprogress") if found else "")


@dataclass(frozen=True)
class _Rewritten:
    running: Cluster
    folder: Path

    def __call__(self, text: str) -> str:
        host = subprocess.run(["hostname"], capture_output=True, text=True, check=True).stdout.strip()
        for found, written in (
            (str(self.folder), "/warehouse"),
            (str(self.running.folder), "/srv/spark"),
            (str(self.running.home), "/opt/spark"),
            (str(self.running.python.parent.parent), "/opt/python"),
            (str(ROOT), "/srv/jobs"),
            (tempfile.gettempdir(), "/scratch"),
            (os.path.realpath(sys.executable).rpartition("/bin/")[0], "/usr"),
            (host, "driver-host"),
        ):
            text = re.sub(rf"(?<!\w){re.escape(found)}(?!\w)", written, text)
        text = re.sub(r"/[\w./-]*/lib/(python3\.\d+)/(?!site)", r"/usr/lib/\1/", text)
        text = re.sub(r"OS info Linux, [\w.-]+", "OS info Linux, 6.1.0", text)
        text = re.sub(r"(view|modify) acls( groups)?( to)?: root", r"\1 acls\2\3: spark", text)
        return re.sub(r'("User"|"user\.name"):"\w+"', r'\1:"spark"', text)


def _short(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not _QUIET.search(line))


def _trimmed(text: str) -> Iterator[str]:
    for line in text.splitlines():
        event = json.loads(line)
        yield json.dumps(_kept(event), separators=(",", ":")) + "\n"


def _kept(event: dict[str, Any]) -> dict[str, Any]:
    """Without what is most of a log and told nowhere."""
    event.pop("Classpath Entries", None)
    event.pop("Hadoop Properties", None)
    event.pop("Metrics Properties", None)
    event.pop("sparkPlanInfo", None)
    event.pop("Properties", None)
    properties = event.get("System Properties")
    if properties is not None:
        event["System Properties"] = {name: properties[name] for name in _KEPT_PROPERTIES if name in properties}
    for holder in (event.get("Task Info"), event.get("Stage Info")):
        if holder is not None:
            holder["Accumulables"] = []
            holder.pop("RDD Info", None)
    for stage in event.get("Stage Infos", ()):
        stage["Accumulables"], stage["RDD Info"] = [], []
    if "physicalPlanDescription" in event:
        event["physicalPlanDescription"] = event["physicalPlanDescription"][:_LONGEST_PLAN]
    event.pop("Task Executor Metrics", None)
    return event


def main(folder: Path, names: Sequence[str]) -> None:
    """Record all cases, or these, with the Spark of .tools/spark."""
    python = ROOT / ".tools" / "spark" / "bin" / "python"
    home = next((ROOT / ".tools" / "spark" / "lib").glob("python*/site-packages/pyspark"))
    with cluster(python, home, folder, has_history=False) as running:
        for name in names or CASES:
            record(running, name, CASES[name], CORPUS / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
