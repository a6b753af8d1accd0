# ruff: noqa: AIR002, DTZ001, E501, PLC0415
# Written as people write DAGs; recordings quote its lines.
"""DAGs that fail, each in one way that people meet at night. Run by a real Airflow 3, and imported by no test."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import DAG, Asset, Param, task

PLAIN = {"start_date": datetime(2026, 1, 1), "schedule": None, "catchup": False}
ORDERS = Asset("s3://warehouse/core/orders")


class SchemaMismatch(Exception):
    """A contract of our own."""


def _quota() -> None:
    raise ValueError("order 4711 has no currency")


def _chained() -> None:
    try:
        json.loads("{not json")
    except json.JSONDecodeError as broken:
        raise RuntimeError("the rates of 2026-11-20 cannot be read") from broken


def _sleep() -> None:
    print("waiting for the export to finish", flush=True)
    time.sleep(60)


def _missing_file() -> None:
    Path("/data/exports/dt=2026-11-20/orders.csv").read_text()


def _dependency() -> None:
    import pyarrowless_helpers  # noqa: F401


def _permission() -> None:
    raise PermissionError(13, "Permission denied", "/data/finance/ledger.parquet")


def _killed() -> None:
    print("loading 40 GB into memory", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def _terminated() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)


def _memory() -> None:
    raise MemoryError("unable to allocate 37.3 GiB for an array with shape (5000000000,)")


def _schema() -> None:
    raise SchemaMismatch("column 'amount' is string in core.orders, the contract says decimal(18,2)")


def _key() -> None:
    row = {"id": 1}
    print(row["currency_code"])


def _connection() -> None:
    from urllib.request import urlopen

    urlopen("http://127.0.0.1:9/health", timeout=3)


def _subprocess() -> None:
    subprocess.run([sys.executable, "-c", "import sys; print('bad input', file=sys.stderr); sys.exit(3)"], check=True)


def _noisy() -> None:
    for number in range(20_000):
        print(f"row {number}: ok, nothing to see in this line of the log")
    raise ValueError("row 20000 has a negative amount: -12")


def _raised_from() -> None:
    try:
        Path("/mnt/share/orders.dat").read_bytes()
    except FileNotFoundError as missing:
        raise RuntimeError("extract failed") from missing


def _leaves() -> None:
    print("connecting to the ledger")
    print("FATAL: could not connect to ledger-db:5432: Connection refused")
    sys.exit(1)


def _gone(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _process() -> None:
    with ProcessPoolExecutor(1) as pool:
        list(pool.map(_gone, [1]))


def _sqlite() -> None:
    import sqlite3

    sqlite3.connect(":memory:").execute("select * from core_users")


def dag(name: str, function: object, **more: object) -> None:
    """One DAG of one task."""
    with DAG(f"fail_{name}", tags=["failing"], **PLAIN) as made:
        PythonOperator(task_id="work", python_callable=function, **more)
    globals()[made.dag_id] = made


dag("user_exception", _quota)
dag("chained", _chained)
dag("execution_timeout", _sleep, execution_timeout=timedelta(seconds=1))
dag("missing_file", _missing_file)
dag("dependency", _dependency)
dag("permission", _permission)
dag("killed", _killed)
dag("terminated", _terminated)
dag("memory_error", _memory)
dag("schema", _schema)
dag("key_error", _key)
dag("connection", _connection)
dag("subprocess", _subprocess)
dag("noisy", _noisy)
dag("sqlite", _sqlite)
dag("raised_from", _raised_from)
dag("leaves", _leaves)
dag("process", _process)
dag("retries_left", _quota, retries=2, retry_delay=timedelta(hours=3))

with DAG("fail_sensor_timeout", tags=["failing"], **PLAIN) as sensor_timeout:
    PythonSensor(task_id="wait_for_orders", python_callable=lambda: False, timeout=1, poke_interval=1, mode="poke")

with DAG("fail_bash", tags=["failing"], **PLAIN) as bash_exit:
    BashOperator(task_id="load", bash_command="echo 'cannot open the ledger' >&2; exit 5", append_env=True)

with DAG("fail_bash_command_not_found", tags=["failing"], **PLAIN) as bash_command:
    BashOperator(task_id="load", bash_command="hadooop fs -ls /data")

with DAG("fail_bash_no_file", tags=["failing"], **PLAIN) as bash_file:
    BashOperator(
        task_id="load", bash_command="cat /data/exports/dt=2026-11-20/part-0000.csv | wc -l; exit ${PIPESTATUS[0]}"
    )

RATIO = r"""
cat > ratio.py <<'PROGRAM'
def ratio(part, whole):
    return part / whole
print("WARNING: Permission denied for /etc/cache, going on without")
ratio(3, 0)
PROGRAM
"""
with DAG("fail_bash_trace", tags=["failing"], **PLAIN) as bash_trace:
    BashOperator(task_id="load", bash_command=f"{RATIO}{sys.executable} -u ratio.py")

SUBMIT = r"""
cat <<'LOG'
26/11/20 02:01:07 INFO Client: Submitting application application_1795141000000_0042 to ResourceManager
26/11/20 02:01:09 INFO Client: Application report for application_1795141000000_0042 (state: ACCEPTED)
26/11/20 02:01:31 INFO Client: Application report for application_1795141000000_0042 (state: RUNNING)
26/11/20 02:03:02 INFO Client: Application report for application_1795141000000_0042 (state: FINISHED)
26/11/20 02:03:02 INFO Client:
     client token: N/A
     diagnostics: User class threw exception: org.apache.spark.sql.AnalysisException: [PATH_NOT_FOUND] Path does not exist: s3://warehouse/core/orders/dt=2026-11-20. SQLSTATE: 42K03
     final status: FAILED
     tracking URL: http://rm.corp.example:8088/proxy/application_1795141000000_0042/
Exception in thread "main" org.apache.spark.SparkException: Application application_1795141000000_0042 finished with failed status
    at org.apache.spark.deploy.yarn.Client.run(Client.scala:1353)
    at org.apache.spark.deploy.yarn.YarnClusterApplication.start(Client.scala:1800)
    at org.apache.spark.deploy.SparkSubmit.main(SparkSubmit.scala)
LOG
exit 1
"""
with DAG("fail_spark_submit", tags=["failing"], **PLAIN) as spark_submit:
    BashOperator(task_id="submit", bash_command=SUBMIT, outlets=[ORDERS])

with DAG("fail_fan_in", tags=["failing"], **PLAIN) as fan_in:
    start = BashOperator(task_id="start", bash_command="true")
    left = BashOperator(task_id="left", bash_command="true")
    right = PythonOperator(task_id="right", python_callable=_missing_file)
    join = BashOperator(task_id="join", bash_command="true", outlets=[ORDERS])
    publish = BashOperator(task_id="publish", bash_command="true")
    start >> [left, right] >> join >> publish

with DAG("fail_mapped", tags=["failing"], **PLAIN) as mapped:

    @task
    def load(number: int) -> int:
        if number == 2:
            raise ValueError(f"partition {number} is empty")
        return number

    load.expand(number=[0, 1, 2])

with DAG("wait_for_pool", tags=["waiting"], **PLAIN) as pool_wait:
    BashOperator(task_id="load", bash_command="true", pool="no_slots")

with DAG("wait_long", tags=["waiting"], **PLAIN) as wait_long:
    PythonOperator(task_id="work", python_callable=lambda: time.sleep(120))

with DAG("wait_for_file", tags=["waiting"], **PLAIN) as file_wait:
    FileSensor(
        task_id="wait_for_orders", filepath="/data/never", poke_interval=600, mode="reschedule", fs_conn_id="fs_default"
    )

with DAG(
    "good_daily",
    tags=["good"],
    params={
        "day": Param("2026-11-20", type="string", pattern=r"^\d{4}-\d{2}-\d{2}$"),
        "rows": Param(1, type="integer", minimum=1),
    },
    description="Loads orders.",
    default_args={"owner": "data-platform", "retries": 0},
    **PLAIN,
) as good_daily:
    BashOperator(task_id="extract", bash_command="true", outlets=[ORDERS])

with DAG("good_consumer", tags=["good"], start_date=datetime(2026, 1, 1), schedule=[ORDERS], catchup=False) as consumer:
    BashOperator(task_id="read", bash_command="true", inlets=[ORDERS])

#: Fails until a file is there: fails, is repaired, and succeeds when it is cleared.
with DAG("fail_until_repaired", tags=["failing"], **PLAIN) as until_repaired:
    (
        BashOperator(task_id="first", bash_command="true")
        >> BashOperator(
            task_id="load",
            bash_command='test -f "$AIRFLOW_HOME/repaired" || { echo "s3://warehouse/dt=2026-11-20: No such file or directory"; exit 1; }',
        )
        >> BashOperator(task_id="after", bash_command="true")
    )
