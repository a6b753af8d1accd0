"""Looks into a failed Airflow run as an incident agent does, call by call and without a model.

    two_in_the_morning.py look --gateway https://pierhead.corp.example --proofs /run/svids LINK
    two_in_the_morning.py listen --gateway ... --proofs ... --port 8099     # takes Airflow's failure webhook
    two_in_the_morning.py clear --gateway ... --person TOKEN-FILE incidents/INCIDENT.json

`look` and `listen` are a program alone, which reads and drafts. `clear` is a person who is on call: it plans what was
planned and asks for it; once another person has approved, the same command carries it out. `--proofs` is a folder with
one JWT-SVID for each server (`airflow.jwt`), whose audience is that server's URL at the gateway; spiffe-helper keeps
such files new. docs/how-to/investigate-at-two.md tells the steps.
"""

import argparse
import asyncio
import hashlib
import json
import re
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

#: Bytes that the answers of each step may have together.
BUDGETS: Final = {1: 6_000, 2: 8_000, 3: 3_000, 4: 4_000, 5: 1_000}
SERVERS: Final = ("airflow", "spark", "lake", "knowledge")
_PARTITION: Final = re.compile(r"\b(\w+=[\w:-]+(?:\.[\w:-]+)*)")
_LARGEST_EVENT: Final = 64 * 1024
_LOOKS: Final = 20
_LOOK_S: Final = 2.0


class Stuck(Exception):
    """A tool answered what the story cannot go on with."""


@dataclass(frozen=True)
class Step:
    """One call that was made, and how many bytes its answer had."""

    number: int
    tool: str
    size: int
    summary: str


@dataclass
class Agent:
    """Who calls: a workload by its proofs, or a person by their access token."""

    gateway: str
    proofs: Path | None = None
    person: str = ""
    steps: list[Step] = field(default_factory=list[Step])

    async def ask(self, number: int, server: str, tool: str, **arguments: object) -> dict[str, Any]:
        """What a tool answers. Errors: Stuck."""
        async with self._at(server) as client:
            text = await _said(client, tool, arguments)
        try:
            told: dict[str, Any] = json.loads(text)
        except ValueError:
            raise Stuck(f"{tool}: {text[:300]}") from None
        if "error" in told:
            raise Stuck(f"{tool}: {told['error']}")
        self.steps.append(Step(number, tool, len(text.encode()), told.get("summary", "")))
        return told

    async def tools(self) -> list[tuple[str, bool]]:
        """Every tool that it is shown, and whether it only reads."""
        found: list[tuple[str, bool]] = []
        for server in SERVERS:
            async with self._at(server) as client:
                listed = await client.list_tools()
            found += [(tool.name, bool(tool.annotations and tool.annotations.read_only_hint)) for tool in listed.tools]
        return found

    @asynccontextmanager
    async def _at(self, server: str) -> AsyncGenerator[Client]:
        """A connection for one question: proofs live for minutes."""
        headers = {"authorization": f"Bearer {self.person or self._proof(server)}"}
        url = f"{self.gateway}/mcp/{server}"
        async with (
            httpx2.AsyncClient(headers=headers, trust_env=False, timeout=90) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            yield client

    def _proof(self, server: str) -> str:
        if self.proofs is None:
            raise Stuck("neither a person nor the proofs of a workload are given")
        return (self.proofs / f"{server}.jwt").read_text("utf-8").strip()


async def _said(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    """The text that a model would read, also of an error."""
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as refused:
        return refused.message
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


async def look_into(agent: Agent, incident: str, link: str) -> dict[str, Any]:
    """Steps 1 to 7: what failed, why, what is late, whose it is, a draft of the finding, and a plan."""
    run = await _diagnosed(agent, link)
    first = _first(run["data"]["first_failed"], "failed task")
    app = _first([each["id"] for each in first["external_ids"] if each["system"] == "spark"], "Spark application")
    failure, past = await asyncio.gather(
        agent.ask(2, "spark", "spark_diagnose_failure", app=app),
        agent.ask(2, "spark", "spark_search_analyses", fingerprint=first["fingerprint"]),
    )
    output = _first(run["data"]["assets_at_risk"], "asset at risk")["asset"].rstrip("/").rpartition("/")[2]
    partition = _PARTITION.search(failure["data"]["quote"])
    lineage = await agent.ask(3, "lake", "presto_get_lineage", table=output, direction="upstream")
    upstream = _first(lineage["data"]["edges"], f"table that {output} is made from")["made_from"]
    wanted = {"expect_partition": partition[1]} if partition else {}
    fresh = await agent.ask(3, "lake", "presto_check_freshness", table=upstream, last_n=3, **wanted)
    dag_id, run_id = run["data"]["dag_id"], run["data"]["run_id"]
    about = ["sensors", "retries", "assets"]
    dag = await agent.ask(4, "airflow", "airflow_get_dag", dag_id=dag_id, include=about)
    owner = await agent.ask(5, "knowledge", "knowledge_find_owner", entity=upstream)
    found = {"run": run, "failure": failure, "past": past, "lineage": lineage, "fresh": fresh, "dag": dag}
    report = report_of(incident, {**found, "owner": owner})
    drafted = await agent.ask(6, "spark", "spark_record_analysis", app=app, report=report, idempotency_key=incident)
    clear = {"dag_id": dag_id, "run_id": run_id}
    plan = await agent.ask(7, "airflow", "airflow_plan_clear", **clear)
    return {
        "incident": incident,
        "link": link,
        "report": report,
        "analysis": drafted["data"]["id"],
        "clear": clear,
        "plan": {"digest": plan["data"]["plan_digest"], "summary": plan["summary"], "count": plan["data"]["count"]},
        "steps": [asdict(step) for step in agent.steps],
    }


async def _diagnosed(agent: Agent, link: str) -> dict[str, Any]:
    """The diagnosis of a run, after its end where that is near.

    Airflow tells of a failure before it has stored it, and before it is known which tasks it keeps from running.
    """
    run = await agent.ask(1, "airflow", "airflow_diagnose_run", url=link)
    for _ in range(_LOOKS):
        if run["data"]["run_state"] not in {"queued", "running"}:
            break
        agent.steps.pop()
        await asyncio.sleep(_LOOK_S)
        run = await agent.ask(1, "airflow", "airflow_diagnose_run", url=link)
    return run


def _first(found: list[Any], what: str) -> Any:  # noqa: ANN401 - JSON
    """Errors: Stuck, where there is none."""
    if not found:
        raise Stuck(f"no {what} is known")
    return found[0]


def report_of(incident: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The finding as a record of a root cause: each claim cites the answer that bears it, and quotes it."""
    failure, fresh, lineage = found["failure"]["data"], found["fresh"]["data"], found["lineage"]["data"]
    upstream, owners = fresh["table"], found["owner"]["data"]["owners"]
    cited = {name: [answer["evidence"]["id"]] for name, answer in found.items() if "evidence" in answer}
    whom = f"{owners[0]['team']} ({owners[0]['on_call'] or owners[0]['channel']})" if owners else "nobody known"
    has_sensor = bool(found["dag"]["data"]["sensors"])
    return {
        "incident": incident,
        "title": f"{found['run']['data']['dag_id']}: {failure['category']} of {upstream}"[:200],
        "fingerprints": [each for each in (failure["fingerprint"],) if each],
        "impact": [{"entity": lineage["table"], "class": "affected", "evidence": cited["lineage"]}],
        "root_cause": {
            "claim": f"{upstream} is {fresh['verdict']}: {fresh['why']}; newest {fresh['latest']}",
            "confidence": "confirmed" if failure["confidence"] == "confirmed" else "likely",
            "evidence": cited["failure"],
            "quote": failure["quote"],
        },
        "contributing": [] if has_sensor else [f"no sensor of the DAG waits for {upstream}"],
        "not_checked": found["failure"].get("missing", []),
        "fix": {
            "kind": "rerun",
            "proposal": f"clear the failed tasks once {upstream} has landed; ask {whom}",
            "risk": "what is written is written anew",
            "approval_class": "approve",
        },
        "prevention": [f"wait for {upstream} before the first task that reads it"],
    }


async def clear(agent: Agent, case: Mapping[str, Any]) -> dict[str, Any]:
    """Step 8, for a person: plan anew, and clear once somebody else has approved; then what became of the run.

    Shapes: `case` is what `look_into` gave. What waits comes back with its approval, what ran with the runs.
    Errors: Stuck, where there would be something else to clear than was found.
    """
    plan = case.get("pending") or await agent.ask(8, "airflow", "airflow_plan_clear", **case["clear"])
    if plan["data"]["plan_digest"] != case["plan"]["digest"]:
        raise Stuck("what a clear would run is no longer what was planned; look again")
    reason = f"{case['incident']}: {case['report']['root_cause']['claim']}"[:300]
    ticket = {"plan_id": plan["plan_id"], "reason": reason}
    told = await agent.ask(8, "airflow", "airflow_clear_tasks", **ticket)
    if told["status"] == "approval_required":
        return {**case, "pending": plan, "approval": told["approval"]}
    runs = await agent.ask(8, "airflow", "airflow_list_runs", dag_id=case["clear"]["dag_id"], limit=3)
    return {**case, "pending": None, "cleared": told["data"]["cleared"], "runs": runs["data"]["runs"]}


@dataclass(frozen=True)
class Incidents:
    """A folder with a file for each incident: a failure that is told again is the same one."""

    folder: Path

    def opened(self, event: Mapping[str, Any]) -> str:
        """The incident of a task that failed in a run; nothing, where it was opened before.

        Errors: KeyError, TypeError, for what tells of no failure.
        """
        event = {name: event[name] for name in ("dag_id", "run_id", "task_id", "url")}
        named = json.dumps([event["dag_id"], event["run_id"], event["task_id"]])
        incident = f"inc-{hashlib.sha256(named.encode()).hexdigest()[:12]}"
        if not all(isinstance(value, str) for value in event.values()):
            raise TypeError("an event is of texts")
        try:
            with self.file(incident).open("x") as kept:
                json.dump({"incident": incident, "event": event}, kept)
        except FileExistsError:
            return ""
        return incident

    def file(self, incident: str) -> Path:
        return self.folder / f"{incident}.json"

    def keep(self, case: Mapping[str, Any]) -> Path:
        """Add to what is known of an incident, at once or not at all."""
        file = self.file(str(case["incident"]))
        known: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
        written = file.with_suffix(".new")
        written.write_text(json.dumps({**known, **case}, indent=1) + "\n", "utf-8")
        return written.replace(file)


def listening(port: int, incidents: Incidents, agent: Agent) -> ThreadingHTTPServer:
    """Takes `{dag_id, run_id, task_id, url}` of failures on this machine, and looks into each once."""

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            try:
                event: Any = json.loads(self.rfile.read(min(length, _LARGEST_EVENT)))
                incident = incidents.opened(event)
            except (ValueError, KeyError, TypeError):
                self._said(400, "bad-event")
                return
            self._said(202 if incident else 200, incident or "known")
            if incident:
                self._look(Agent(agent.gateway, agent.proofs), incident, event["url"])

        def _look(self, one: Agent, incident: str, link: str) -> None:
            try:
                show(one, incidents.keep(asyncio.run(look_into(one, incident, link))))
            except Exception as raised:  # noqa: BLE001 - the top of this thread: the incident says how far it came
                steps = [asdict(step) for step in one.steps]
                incidents.keep({"incident": incident, "link": link, "stuck": repr(raised), "steps": steps})

        def _said(self, status: int, words: str) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(words)))
            self.end_headers()
            self.wfile.write(words.encode())
            self.wfile.flush()

        def log_message(self, format: str, *words: object) -> None:  # noqa: A002 - its name there
            del format, words

    return ThreadingHTTPServer(("127.0.0.1", port), Hook)


def show(agent: Agent, file: Path) -> None:
    for step in agent.steps:
        print(f"{step.number}  {step.tool:<26} {step.size:>6} bytes  {step.summary}")
    print(file, flush=True)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    for name in ("look", "listen", "clear"):
        command = commands.add_parser(name)
        command.add_argument("--gateway", required=True)
        command.add_argument("--incidents", type=Path, default=Path("incidents"))
    for name in ("look", "listen"):
        commands.choices[name].add_argument("--proofs", type=Path, required=True)
    commands.choices["look"].add_argument("link")
    commands.choices["listen"].add_argument("--port", type=int, default=8099)
    commands.choices["clear"].add_argument("--person", type=Path, required=True)
    commands.choices["clear"].add_argument("case", type=Path)
    chosen = parser.parse_args(words)
    chosen.incidents.mkdir(parents=True, exist_ok=True)
    try:
        return _run(chosen, Incidents(chosen.incidents))
    except Stuck as stuck:
        print(stuck, file=sys.stderr)
        return 1


def _run(chosen: argparse.Namespace, incidents: Incidents) -> int:
    agent = Agent(chosen.gateway.rstrip("/"))
    if chosen.command == "clear":
        agent.person = chosen.person.read_text("utf-8").strip()
        case = asyncio.run(clear(agent, json.loads(chosen.case.read_text("utf-8"))))
    else:
        agent.proofs = chosen.proofs
        if chosen.command == "listen":
            listening(chosen.port, incidents, agent).serve_forever()
        incident = f"inc-{hashlib.sha256(chosen.link.encode()).hexdigest()[:12]}"
        case = asyncio.run(look_into(agent, incident, chosen.link))
    show(agent, incidents.keep(case))
    if case.get("pending"):
        print(f"waits for another person: {case['approval']['url']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
