# ruff: noqa: AIR002, DTZ001, PLC0415, TRY301
# Written as people write DAGs; recordings quote its lines.
"""DAGs that fail at what is around them: services, databases, stores, programs. Run by a real Airflow 3 beside those.

Needs pandas, the providers http, postgres, amazon and docker, and the connections `api` (an HTTP server that answers
with the status that a path names, and breaks off at `/reset`), `warehouse` (PostgreSQL: `orders(id int, amount int)`)
and `store` (S3 with the bucket `exports`). Imported by no test.
"""

import logging
import sqlite3
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator, PythonVirtualenvOperator
from airflow.sdk import DAG, BaseHook

PLAIN = {"start_date": datetime(2026, 1, 1), "schedule": None, "catchup": False, "tags": ["services"]}


def _object() -> None:
    S3Hook("store").read_key("dt=2026-11-20/orders.csv", "exports")


def _program() -> None:
    subprocess.run(["spark-submitt", "--version"], check=True)


def _caught() -> None:
    for path in ("/data/a", "/data/b"):
        try:
            raise PermissionError(13, "Permission denied", path)
        except PermissionError:
            logging.getLogger("loader").exception("cannot read %s, going on with the next", path)
    raise ValueError("no rows were loaded for 2026-11-20")


def _no_connection() -> None:
    BaseHook.get_connection("warehouse_db")


def _locked() -> None:
    file = Path(tempfile.mkdtemp()) / "state.db"
    writer = sqlite3.connect(file)
    writer.execute("create table seen (day text)")
    writer.execute("begin exclusive")
    sqlite3.connect(file, timeout=0.2).execute("insert into seen values ('2026-11-20')")


def _columns() -> None:
    import pandas as pd

    table = pd.DataFrame({"id": [1], "amount": [12.5]})
    print(table["currency"].unique())


def _nothing() -> None:
    print("there is nothing to do")


def dag(name: str, operator: type, **more: object) -> None:
    """One DAG of one task."""
    with DAG(f"fail_{name}", **PLAIN) as made:
        operator(task_id="work", **more)
    globals()[made.dag_id] = made


dag("http_absent", HttpOperator, http_conn_id="api", endpoint="404", method="GET")
dag("http_unavailable", HttpOperator, http_conn_id="api", endpoint="503", method="GET")
dag("http_reset", HttpOperator, http_conn_id="api", endpoint="reset", method="GET")
dag("value", SQLExecuteQueryOperator, conn_id="warehouse", sql="insert into orders values (7, 'twelve')")
dag("object", PythonOperator, python_callable=_object)
dag("program", PythonOperator, python_callable=_program)
dag("caught", PythonOperator, python_callable=_caught)
dag("no_connection", PythonOperator, python_callable=_no_connection)
dag("locked", PythonOperator, python_callable=_locked)
dag("columns", PythonOperator, python_callable=_columns)
dag("docker", DockerOperator, image="loader:1", docker_url="unix:///var/run/no-docker.sock")
dag("package", PythonVirtualenvOperator, python_callable=_nothing, requirements=["no-such-package-of-ours==9.9.9"])
dag("shell", BashOperator, bash_command="set -u; echo $EXPORT_DAY_THAT_IS_NOT_SET")
dag("disk", BashOperator, bash_command="dd if=/dev/zero of=/dev/full bs=1M count=1")
