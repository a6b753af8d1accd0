"""Slices of task logs, bounded here: the end of what Airflow streams, as lines with their moment and level.

Text of logs is content. Not here: what it amounts to (`diagnosing`).
"""

from typing import Final

from pierhead.sdk.envelope import Envelope, Limits, Link, Page, summed_up
from pierhead.sdk.log_reading import LogQuestion, read_log
from pierhead.servers.airflow.answers import LogLineTold, LogTold
from pierhead.servers.airflow.api import no_such
from pierhead.servers.airflow.desk import Desk
from pierhead.servers.airflow.logs import Tail, tail_of
from pierhead.servers.airflow.shapes import Instance

_NEXT: Final = "the cursor, or words in `contains`"


async def tail(desk: Desk, instance: Instance, most: int) -> Tail:
    """The last bytes of the log of one attempt. Errors: NotFound, UpstreamUnreachable, ToolFailed."""
    number = max(1, instance.try_number)
    opening = desk.api.log(instance.dag_id, instance.dag_run_id, instance.task_id, instance.map_index, number)
    async with opening as stream:
        return await tail_of(stream, most)


async def log_slice(desk: Desk, instance: Instance, question: LogQuestion) -> Envelope[LogTold]:
    """The lines that answer `question`.

    Errors: Invalid (`bad-cursor`), NotFound (`airflow-not-found`) of a task that has not run, and as `tail`.
    """
    if instance.try_number < 1:
        why = f"log of {instance.name}: it has not run ({instance.state or 'no state'})"
        raise no_such(why, "airflow_diagnose_run tells what it waits for, or what failed before it")
    kept = await tail(desk, instance, desk.chosen.most_log_bytes)
    sliced = await read_log(kept, question)
    data = LogTold(
        lines=[
            LogLineTold(number=line.number, text=line.text, is_match=line.is_match, repeats=line.repeats)
            for line in sliced.lines
        ],
        matched=sliced.matched,
        try_number=max(1, instance.try_number),
        bytes_total=kept.total,
        bytes_read=sliced.bytes_read,
    )
    why = sliced.truncated or ("bytes" if kept.is_cut else None)
    limits = Limits(why=why, seen=sliced.bytes_read, next=_NEXT) if why else None
    summary = f"{instance.name}, try {data.try_number}: {sliced.matched} matches, {len(data.lines)} lines of them shown"
    url = desk.link(instance.dag_id, instance.dag_run_id, instance.task_id, instance.map_index)
    answer = Envelope(
        summary=summed_up(summary),
        data=data,
        limits=limits,
        page=Page(returned=len(data.lines), next_cursor=sliced.next_cursor),
        links=[Link(title=f"{instance.name} and its log", url=url)],
    )
    return desk.told(answer, f"log of {instance.dag_id}.{instance.name}")
