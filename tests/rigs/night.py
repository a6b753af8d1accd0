"""The night of the story on one machine: a real Airflow, Spark and Trino, and the platform over four servers on them.

    python -m tests.rigs.night FOLDER

The DAG `daily_orders` submits a Spark job that reads one day of an Iceberg table from its files; that day has not
landed. The fleet is that of docs/how-to/investigate-at-two.md, at the addresses of this machine. Above: the test of the
story, and whoever wants to try it.
"""

import json
import re
import select
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from tests.components import ROOT, airflow, free_port, spark
from tests.coordinators import Address, coordinator, rows_of
from tests.rigs.airflow_instance import AirflowInstance, running
from tests.rigs.mesh import bundle, svid
from tests.running_platform import Up, up
from tools.java_engines import TRINO

AGENT: Final = "spiffe://corp.example/agents/incident"
SERVERS: Final = ("airflow", "spark", "lake", "knowledge")
DAY: Final = "2026-11-20"
RUN: Final = "night"
SCRIPT: Final = ROOT / "examples" / "two_in_the_morning.py"
_RIGS: Final = Path(__file__).parent
_PAGE: Final = ROOT / "docs" / "how-to" / "investigate-at-two.md"
_REFRESH_S: Final = 120

_SUBMIT: Final = """#!/bin/bash
set -o pipefail
export SPARK_HOME='{home}' PYSPARK_PYTHON='{python}' SPARK_LOCAL_IP=127.0.0.1 SPARK_LOCAL_HOSTNAME=127.0.0.1
"$SPARK_HOME/bin/spark-submit" --master 'local[1]' --name daily_orders --driver-memory 600m \\
  --driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' \\
  --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=1 --conf spark.driver.host=127.0.0.1 \\
  '{job}' '{lake}' "$1" 2>&1 | tee "{logs}/daily_orders-$1-$$.log"
"""
_TABLES: Final = (
    "CREATE SCHEMA IF NOT EXISTS lake.sales",
    "DROP TABLE IF EXISTS lake.sales.orders",
    "DROP TABLE IF EXISTS lake.sales.daily_orders",
    """CREATE TABLE lake.sales.orders (id bigint, state varchar, dt date)
    WITH (partitioning = ARRAY['dt'], location = 'local:///raw/orders')""",
    "CREATE TABLE lake.sales.daily_orders (state varchar, orders bigint, dt date) WITH (partitioning = ARRAY['dt'])",
)
_LANDED: Final = """INSERT INTO lake.sales.orders
SELECT orderkey, orderstatus, date '{day}' FROM tpch.tiny.orders WHERE orderkey < 2000"""
_ASSETS: Final = {"tables": {"orders": {"owner": "shop"}, "daily_orders": {"owner": "sales-data", "reads": ["orders"]}}}
_OWNERS: Final = [{"things": ["orders"], "team": "shop", "on_call": "oncall:shop", "channel": "#shop-data"}]
_RUNBOOK: Final = """---
title: A day of orders is late
owner: shop
---
# A day of orders is late

The shop exports its orders after 01:00 UTC. Where a day has not landed by 02:00, ask the shop, and clear
`daily_orders` once it has.
"""


@dataclass(frozen=True)
class Night:
    """Everything that runs."""

    folder: Path
    airflow: AirflowInstance
    trino: Address
    platform: Up

    @property
    def proofs(self) -> Path:
        return self.folder / "svids"

    @property
    def link(self) -> str:
        """What people paste: the task of the run that failed."""
        return f"{self.airflow.url}/dags/daily_orders/runs/{RUN}/tasks/load"

    def prove(self) -> None:
        """Make the agent's proofs anew: they live for minutes."""
        self.proofs.mkdir(exist_ok=True)
        for server in SERVERS:
            (self.proofs / f"{server}.jwt").write_text(svid(AGENT, self.platform.mcp(server)))

    def tell(self, webhook: str) -> None:
        """Where Airflow tells of failures from now on."""
        (self.airflow.home / "webhook").write_text(webhook)

    def fail(self) -> str:
        """Have the DAG run for a day that has not landed; the state in which the run ends."""
        begun = {"dag_run_id": RUN, "logical_date": f"{DAY}T00:00:00Z"}
        self.airflow.asked("/api/v2/dags/daily_orders/dagRuns", self.airflow.token(), begun)
        return self.airflow.ended("daily_orders", RUN)

    def land(self) -> None:
        """The day that was missing arrives."""
        rows_of(self.trino, _LANDED.format(day=DAY))


@contextmanager
def night(folder: Path, trino: AbstractContextManager[str]) -> Generator[Night]:
    """All of it in `folder`, Airflow and the rest at the same time; it ends with the block."""
    instance = AirflowInstance(airflow(), folder / "airflow", _RIGS / "night_dags.py", "daily_orders")
    with ExitStack() as opened:
        with ThreadPoolExecutor(1) as beside:
            starting = beside.submit(opened.enter_context, running(instance))
            address = opened.enter_context(trino)
            assert isinstance(address, Address), "the lake is read from its files: the coordinator is started here"
            _prepare(folder, instance, address)
            platform = opened.enter_context(_platform(folder, _fleet(folder, instance, address)))
        starting.result()
        found = Night(folder, instance, address, platform)
        found.prove()
        yield found


def _platform(folder: Path, fleet: dict[str, Any]) -> AbstractContextManager[Up]:
    """The platform over that fleet, which knows the agent by its trust bundle."""
    (folder / "fleet.yaml").write_text(json.dumps(fleet))
    (folder / "bundle.json").write_bytes(bundle())
    place = {AGENT: {"surface": "agent", "environment": "production"}}
    mesh = {"trust_domain": "corp.example", "bundle": str(folder / "bundle.json"), "workloads": json.dumps(place)}
    return up(folder / "data", folder / "fleet.yaml", **{f"mesh__{name}": value for name, value in mesh.items()})


def _prepare(folder: Path, instance: AirflowInstance, address: Address) -> None:
    """The lake's days but the last, the command that submits the job, and what people wrote down."""
    for statement in (*_TABLES, *(_LANDED.format(day=day) for day in ("2026-11-18", "2026-11-19"))):
        rows_of(address, statement)
    for name in ("logs", "events", "runbooks"):
        (folder / name).mkdir()
    python, home = spark()
    submit = folder / "submit"
    paths = {"job": _RIGS / "night_job.py", "lake": address.lake, "logs": folder / "logs"}
    submit.write_text(_SUBMIT.format(home=home, python=python, **paths))
    submit.chmod(0o755)
    (folder / "password").write_text(instance.password)
    (folder / "assets.yaml").write_text(yaml.safe_dump(_ASSETS))
    (folder / "owners.yaml").write_text(yaml.safe_dump(_OWNERS))
    (folder / "runbooks" / "late-orders.md").write_text(_RUNBOOK)


def _fleet(folder: Path, instance: AirflowInstance, address: Address) -> dict[str, Any]:
    """The fleet of the page, with the addresses and folders of this machine."""
    block = re.search(r"^```yaml fleet\n(.*?)^```", _PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    fleet: dict[str, Any] = yaml.safe_load(block[1])
    at = fleet["servers"]
    at["airflow"] |= {"url": instance.url, "login": {"user": "admin", "password": {"file": str(folder / "password")}}}
    at["spark"] |= {"driver_logs": [str(folder / "logs")], "event_logs": [str(folder / "events")]}
    at["lake"] |= {
        "url": address.replace("http://", "trino://pierhead@") + "/lake/sales",
        "assets": str(folder / "assets.yaml"),
    }
    at["knowledge"]["ownership"] = str(folder / "owners.yaml")
    at["knowledge"]["sources"]["runbooks"]["folder"] = str(folder / "runbooks")
    return fleet


def main(folder: Path) -> None:
    """Let the DAG fail, say what to type, and wait for Ctrl-C."""
    folder.mkdir(parents=True)
    with night(folder, coordinator(TRINO)) as at:
        at.tell(f"http://127.0.0.1:{free_port()}")  # nobody listens there
        at.fail()
        (folder / "nora").write_text(at.platform.token("nora"))
        flags = f"--gateway {at.platform.url} --incidents {folder}"
        program = f"{sys.executable} {SCRIPT}"
        print(f"{program} look {flags} --proofs {at.proofs} {at.link}")
        print(f"{program} clear {flags} --person {folder}/nora {folder}/inc-*.json")
        print(f"{sys.executable} -m pierhead.apps.cli approvals list --as olaf --data {at.platform.data}")
        print(f"Enter: {DAY} lands; Ctrl-C: all of it ends", flush=True)
        _attend(at)


def _attend(at: Night) -> None:
    """Keep the proofs new, and have the day land when somebody presses Enter."""
    watched = [sys.stdin]
    while True:
        ready, _, _ = select.select(watched, [], [], _REFRESH_S)
        if ready:
            watched = []
            if sys.stdin.readline():
                at.land()
                print(f"{DAY} has landed", flush=True)
        at.prove()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve())
    except KeyboardInterrupt:
        print("ended")
