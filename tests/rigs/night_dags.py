"""The DAG of the night: its task `load` submits a Spark job, and whoever is on call is told when it fails."""

import json
import os
import urllib.request
from datetime import datetime
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset

ORDERS = Asset("lake://sales/daily_orders")


def tell(context):
    """To the incident agent's webhook."""
    instance = context["ti"]
    told = {"dag_id": instance.dag_id, "run_id": instance.run_id, "task_id": instance.task_id}
    pages = f"{os.environ['AIRFLOW__API__BASE_URL']}/dags/{instance.dag_id}/runs/{instance.run_id}"
    body = json.dumps({**told, "url": f"{pages}/tasks/{instance.task_id}"}).encode()
    hook = Path(os.environ["AIRFLOW_HOME"], "webhook").read_text().strip()
    urllib.request.urlopen(urllib.request.Request(hook, body), timeout=10)  # noqa: S310


with DAG(
    "daily_orders",
    description="Orders of a day, by their state.",
    tags=["sales"],
    default_args={"owner": "sales-data", "retries": 0},
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
) as daily_orders:
    load = BashOperator(
        task_id="load",
        bash_command='exec "$AIRFLOW_HOME/../submit" {{ ds }}',
        append_env=True,
        outlets=[ORDERS],
        on_failure_callback=tell,
    )
    publish = BashOperator(task_id="publish", bash_command="true")
    load >> publish
