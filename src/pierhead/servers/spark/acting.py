"""Ending an application, and starting one anew as it was, but for settings that the operator lets be changed.

What a scheduler owns is its own to start: an application of Airflow's is refused, and the tool that clears its task is
named. Whoever acts is on call, or owns the job by its name; that is asked again right before. Below: `standalone`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pierhead.sdk import Caller, Conflict, Forbidden, Invalid, Plan
from pierhead.sdk.envelope import Envelope, summed_up
from pierhead.sdk.redacting import redact
from pierhead.servers.spark import logs
from pierhead.servers.spark.answers import ConfChange, Killed, Resubmitted
from pierhead.servers.spark.application import Application
from pierhead.servers.spark.desk import Desk
from pierhead.servers.spark.standalone import StandaloneManager

_SUBMIT: Final = "org.apache.spark.deploy.SparkSubmit"
_FLAGS: Final = frozenset({"--verbose", "-v", "--supervise"})
_SHORT: Final = {
    "spark.driver.memory": "--driver-memory",
    "spark.executor.memory": "--executor-memory",
    "spark.executor.cores": "--executor-cores",
    "spark.executor.instances": "--num-executors",
    "spark.cores.max": "--total-executor-cores",
}
_VALUE: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")
_RUNNING: Final = frozenset({"RUNNING", "WAITING", "SUBMITTED"})


@dataclass(frozen=True, slots=True)
class Command:
    """How an application was submitted: options as pairs (a flag's value is None), its program, and what that got."""

    options: Sequence[tuple[str, str | None]]
    program: str
    arguments: Sequence[str]

    def option(self, name: str) -> str:
        return next((value or "" for option, value in self.options if option == name), "")

    def changed(self, conf: Mapping[str, str]) -> list[str]:
        """The arguments of the same submission with these settings instead of what it had for them."""
        dropped = {"--deploy-mode", *(_SHORT[key] for key in conf if key in _SHORT)}
        kept = [
            (name, value)
            for name, value in self.options
            if name not in dropped and not (name == "--conf" and (value or "").partition("=")[0] in conf)
        ]
        words = [word for name, value in kept for word in ((name,) if value is None else (name, value))]
        new = [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")]
        return [*new, *words, self.program, *self.arguments]


def read_command(command: str) -> Command:
    """Errors: Invalid (`not-resubmittable`) for what was not started by spark-submit."""
    words = command.split()
    if not words or words[0] != _SUBMIT:
        message = "its event log does not say how it was submitted"
        raise Invalid(message, hint="submit it as its owner does", code="not-resubmittable")
    options, rest = list[tuple[str, str | None]](), iter(words[1:])
    for word in rest:
        if not word.startswith("-"):
            return Command(options, word, list(rest))
        options.append((word, None) if word in _FLAGS else (word, next(rest, "")))
    raise Invalid("its submission names no program", hint="submit it as its owner does", code="not-resubmittable")


class Acting:
    """Over the manager that the settings name."""

    def __init__(self, desk: Desk, manager: StandaloneManager) -> None:
        self._desk = desk
        self._manager = manager

    async def close(self) -> None:
        await self._manager.close()

    async def kill(self, app: str, caller: Caller) -> Envelope[Killed]:
        """Errors: Forbidden (`not-your-job`); Conflict (`not-running`)."""
        found = await self._desk.reader.application(self._desk.reference(app))
        name = found.application.name if found.application else await self._manager.name(found.id)
        self._allowed(caller, name)
        before = await self._manager.state(found.id)
        if before not in _RUNNING:
            told = before or "not known to the master"
            raise Conflict(f"{found.id} is {told}; nothing was ended", hint="look at it again", code="not-running")
        after = await self._manager.kill(found.id)
        return Envelope(
            summary=f"{found.id}: {before}, now {after}", data=Killed(app=found.id, before=before, after=after)
        )

    async def plan(self, app: str, conf: Mapping[str, str], caller: Caller) -> Plan[ConfChange]:
        """Errors: Invalid (`conf-not-allowed`, `not-resubmittable`); Conflict (`airflow-owned`); Forbidden."""
        application, command = await self._submitted(app, caller)
        self._changeable(conf)
        changes = list(_changes(application, conf))
        name = redact(application.name)[:80]
        return Plan(
            f"start {name} anew as it was submitted, with {len(changes)} settings changed",
            [ConfChange(setting="command", before="", after=redact(" ".join(command.changed(conf)))[:2000]), *changes],
            undo="end the new application: spark_kill_application",
            cost=f"as application {application.id}: {application.duration / 1000:.0f} s",
        )

    async def resubmit(self, plan: Plan[ConfChange], caller: Caller) -> Envelope[Resubmitted]:
        """Errors: as `plan`; ToolFailed (`not-submitted`)."""
        app, conf = str(plan.arguments["app"]), dict(plan.arguments.get("conf") or {})
        application, command = await self._submitted(app, caller)
        self._changeable(conf)
        properties = {
            "spark.app.name": application.name,
            "spark.master": command.option("--master") or application.properties.get("spark.master", ""),
            "spark.submit.deployMode": "cluster",
            "spark.driver.supervise": "false",
            "spark.driver.memory": conf.get("spark.driver.memory")
            or application.properties.get("spark.driver.memory", "1g"),
        }
        submission = await self._manager.submit(command.changed(conf), properties, command.program)
        state, started = await self._manager.started(submission, application.name, application.id)
        data = Resubmitted(submission=submission, app=started, state=state)
        return Envelope(summary=summed_up(redact(f"{application.name}: {submission} {state}, {started}")), data=data)

    async def _submitted(self, app: str, caller: Caller) -> tuple[Application, Command]:
        reference = self._desk.reference(app)
        found = await self._desk.found(app)
        if found.application is None:
            message = "its event log is not there, so that nobody knows how it was submitted"
            raise Invalid(message, hint="submit it as its owner does", code="not-resubmittable")
        self._allowed(caller, found.application.name)
        if reference.airflow or self._is_of_airflow(found.application):
            message = f"{found.id} belongs to Airflow, which would not know of another run"
            raise Conflict(message, hint="clear its task there: airflow_clear_tasks", code="airflow-owned")
        return found.application, read_command(found.application.command)

    def _is_of_airflow(self, application: Application) -> bool:
        told = (*application.properties, *application.properties.values(), application.command, application.name)
        named = any("airflow" in each.casefold() for each in told)
        return named or logs.is_named_in(self._desk.chosen.airflow_logs, application.id)

    def _allowed(self, caller: Caller, name: str) -> None:
        if not self._desk.chosen.may_act_on(caller, name):
            message = "you are neither on call nor an owner of this job"
            raise Forbidden(message, hint="ask its owner, or whoever is on call", code="not-your-job")

    def _changeable(self, conf: Mapping[str, str]) -> None:
        allowed = self._desk.chosen.changeable
        wrong = sorted(key for key, value in conf.items() if key not in allowed or not _VALUE.fullmatch(value))
        if wrong:
            message = f"these settings may not be changed, or not so: {', '.join(wrong)[:300]}"
            raise Invalid(message, hint=f"change only {', '.join(allowed)}", code="conf-not-allowed")


def _changes(application: Application, conf: Mapping[str, str]) -> Iterator[ConfChange]:
    for key, value in sorted(conf.items()):
        before = application.properties.get(key, "")
        if before != value:
            yield ConfChange(setting=key, before=redact(before), after=value)
