"""What Airflow noted of a run beside its logs: a worker that was lost, a state that somebody set.

It is asked where a log does not say why a task ended. Above: `diagnosing`. Not here: asking (`api`). Who set a state is
not told on: whoever may read that reads it in Airflow.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pierhead.sdk.failure_rules import Verdict, line_at
from pierhead.servers.airflow.shapes import Event, Instance

#: Events of the scheduler, the one that tells most first, in Airflow's words.
LOST: Final = (
    "heartbeat timeout",
    "stuck in queued tries exceeded",
    "stuck in queued reschedule",
    "state mismatch",
)
#: Events of people, who set the state of a task or of a whole run, by how they begin.
_OF_PEOPLE: Final = ("patch_task_", "patch_dag_run", "bulk_task_instances")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


def noted(events: Sequence[Event], instance: Instance) -> Verdict | None:
    """What they say of the attempt that failed; nothing where they do not say why."""
    return set_by_somebody(events, instance.task_id, instance.start_date) or _lost(events, instance)


def set_by_somebody(events: Sequence[Event], task_id: str, since: str) -> Verdict | None:
    """Whether somebody set the task, or its whole run, to failed since that moment."""
    for event in events:
        is_its = event.task_id in {"", task_id} and event.event.startswith(_OF_PEOPLE)
        if is_its and '"failed"' in event.extra and _moment(event.when) >= _moment(since):
            return Verdict("killed", "confirmed", ("noted.by-person",), _quote(event))
    return None


def _lost(events: Sequence[Event], instance: Instance) -> Verdict | None:
    its = [
        each
        for each in events
        if (each.task_id, each.map_index) == (instance.task_id, instance.map_index)
        and each.try_number in {None, instance.try_number}
    ]
    for name in LOST:
        for event in its:
            if event.event == name:
                return Verdict("executor_lost", "confirmed", ("noted.lost",), _quote(event))
    return None


def _quote(event: Event) -> str:
    return line_at(f"{event.event}: {event.extra}", 0)


def _moment(text: str) -> datetime:
    """The beginning of time where there is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return _EPOCH
    return found if found.tzinfo else found.replace(tzinfo=UTC)
