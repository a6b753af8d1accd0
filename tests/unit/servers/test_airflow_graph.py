"""The order of a DAG's tasks."""

from pierhead.servers.airflow.graph import Graph
from pierhead.servers.airflow.shapes import TaskDefinition


def graph(**below: list[str]) -> Graph:
    return Graph.of([TaskDefinition(task_id=name, downstream_task_ids=its) for name, its in below.items()])


DIAMOND = graph(publish=[], left=["join"], start=["left", "right"], join=["publish"], right=["join"])


def test_every_task_stands_behind_those_it_waits_for() -> None:
    place = DIAMOND.place
    assert place["start"] < place["left"] < place["join"] < place["publish"]
    assert place["start"] < place["right"] < place["join"]


def test_the_first_failed_are_those_before_which_nothing_failed() -> None:
    assert DIAMOND.first({"publish", "right", "join"}) == ["right"]
    assert DIAMOND.first({"left", "right", "publish"}) == ["left", "right"]
    assert DIAMOND.first(()) == []


def test_whatever_is_near_and_far_is_reached() -> None:
    assert DIAMOND.before("join") == {"left", "right", "start"}
    assert DIAMOND.after("left") == {"join", "publish"}


def test_a_circle_has_no_order_and_does_no_harm() -> None:
    circle = graph(one=["two"], two=["one"])
    assert circle.order == ("one", "two")
    assert circle.before("one") == {"one", "two"}


def test_a_task_that_the_graph_does_not_know_stands_last() -> None:
    assert DIAMOND.sorted(["ghost", "publish", "start"]) == ["start", "publish", "ghost"]
