"""The tasks of a DAG in the order in which they run: who comes first, who waits for whom. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from pierhead.servers.airflow.shapes import TaskDefinition


@dataclass(frozen=True, slots=True)
class Graph:
    """`order` has every task once, each behind those that it waits for; among equals by name."""

    below: Mapping[str, frozenset[str]]
    above: Mapping[str, frozenset[str]]
    order: Sequence[str]
    place: Mapping[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def of(cls, tasks: Iterable[TaskDefinition]) -> "Graph":
        below = {task.task_id: frozenset(task.downstream_task_ids) for task in tasks}
        above: dict[str, set[str]] = {name: set() for name in sorted(below)}
        for name, followers in below.items():
            for follower in followers:
                above.setdefault(follower, set()).add(name)
        try:
            order = tuple(TopologicalSorter({name: sorted(its) for name, its in sorted(above.items())}).static_order())
        except CycleError:  # Airflow lets none through; a shape that says otherwise has no order
            order = tuple(sorted(above))
        frozen = {name: frozenset(its) for name, its in above.items()}
        return cls(below, frozen, order, {name: number for number, name in enumerate(order)})

    def before(self, task: str) -> frozenset[str]:
        """Everything that `task` waits for, near and far."""
        return _reached(task, self.above)

    def after(self, task: str) -> frozenset[str]:
        """Everything that waits for `task`."""
        return _reached(task, self.below)

    def sorted(self, tasks: Iterable[str]) -> list[str]:
        """In graph order; what the graph does not know stands last."""
        last = len(self.order)
        return sorted(tasks, key=lambda task: (self.place.get(task, last), task))

    def first(self, tasks: Iterable[str]) -> list[str]:
        """Those of `tasks` before which no other of them stands: where a failure began."""
        wanted = frozenset(tasks)
        return self.sorted(task for task in wanted if wanted.isdisjoint(self.before(task)))


def _reached(start: str, edges: Mapping[str, frozenset[str]]) -> frozenset[str]:
    found: set[str] = set()
    open_ends = [start]
    while open_ends:
        for each in edges.get(open_ends.pop(), ()):
            if each not in found:
                found.add(each)
                open_ends.append(each)
    return frozenset(found)
