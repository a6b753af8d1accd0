"""What came of each case against what was expected, by pydantic-evals: one assertion for each expectation.

Imported only by a run: the extra `eval` brings pydantic-evals. Not here: how a case is run (`eval_run`).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from pydantic_evals import Case, Dataset
from pydantic_evals.evaluators import EvaluationReason, Evaluator, EvaluatorContext
from pydantic_evals.reporting import ReportCase

from pierhead.testing.eval_cases import EvalCase, Expectation
from pierhead.testing.eval_run import MOST_TURNS, Called, Ran

_CUT = 200


@dataclass(repr=False)
class Judge(Evaluator[EvalCase, Ran, None]):
    """Holds one case against its `expect`."""

    def evaluate(self, ctx: EvaluatorContext[EvalCase, Ran, None]) -> Mapping[str, EvaluationReason]:
        said = judge(ctx.inputs.expect, ctx.output)
        return {name: EvaluationReason(not fault, fault or None) for name, fault in said.items()}


def judge(expect: Expectation, ran: Ran) -> Mapping[str, str]:
    """By expectation: what is wrong with it; empty for what holds."""
    of_tool = [call for call in ran.calls if call.tool == expect.tool]
    meant = [call for call in of_tool if is_part(expect.arguments, call.arguments)]
    said = {"tool": _of_tool(expect, ran, of_tool)}
    if expect.arguments:
        said["arguments"] = "" if meant else f"called with {[dict(call.arguments) for call in of_tool]}"
    if expect.result is not None:
        said["result"] = "" if any(_holds(expect, call) for call in meant) else _answers(meant)
    if expect.most_tokens is not None:
        said["tokens"] = "" if ran.tokens <= expect.most_tokens else f"{ran.tokens} tokens"
    if expect.least_minutes is not None:
        said["minutes"] = "" if ran.minutes >= expect.least_minutes else f"{ran.minutes:g} minutes"
    said["end"] = "" if ran.is_ended else f"no end after {len(ran.calls)} calls, {MOST_TURNS} turns at most"
    return said


def is_part(expected: object, found: object) -> bool:
    """Whether `found` has every member of `expected`; lists as long as each other, in order; other values alike."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        members, all_ = cast("Mapping[str, object]", expected), cast("Mapping[str, object]", found)
        return all(name in all_ and is_part(value, all_[name]) for name, value in members.items())
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        ones, others = cast("Sequence[object]", expected), cast("Sequence[object]", found)
        return len(ones) == len(others) and all(map(is_part, ones, others))
    return isinstance(expected, bool) == isinstance(found, bool) and expected == found


def _of_tool(expect: Expectation, ran: Ran, of_tool: Sequence[Called]) -> str:
    if of_tool:
        return ""
    called = ", ".join(call.tool for call in ran.calls) or "nothing"
    return f"called {called}" if expect.tool in ran.offered else f"{expect.tool} is not offered; called {called}"


def _holds(expect: Expectation, call: Called) -> bool:
    wanted = expect.result
    if wanted is None or not call.is_ok:
        return False
    return wanted.contains in call.text and (wanted.json_ is None or is_part(wanted.json_, call.found))


def _answers(calls: Sequence[Called]) -> str:
    return "; ".join(f"answered {call.text[:_CUT]}" for call in calls) or "no call as expected"


Run = Callable[[EvalCase], Awaitable[Ran]]


async def judged(cases: Sequence[EvalCase], run: Run) -> tuple[list[dict[str, Any]], list[Ran]]:
    """Every case run, one after another, and judged: the report's rows, and what came of each.

    Errors: of a run, as they are raised; a library's report would hold their text alone.
    """
    several = {case.name: await run(case) for case in cases}
    known = [Case[EvalCase, Ran, None](name=case.name, inputs=case) for case in cases]
    dataset = Dataset[EvalCase, Ran, None](name="pierhead", cases=known, evaluators=[Judge()])
    report = await dataset.evaluate(lambda case: several[case.name], max_concurrency=1, progress=False)
    return [_row(each) for each in report.cases], list(several.values())


def _row(case: "ReportCase[EvalCase, Ran, None]") -> dict[str, Any]:
    ran, held = case.output, case.assertions
    return {
        "name": case.name,
        "ok": all(each.value for each in held.values()) and not case.evaluator_failures,
        "failed": {name: each.reason for name, each in held.items() if not each.value},
        "held": [name for name, each in held.items() if each.value],
        "calls": [{key: value for key, value in asdict(call).items() if key != "found"} for call in ran.calls],
        "tokens": ran.tokens,
        "minutes": ran.minutes,
        "turns": len(ran.recording.turns),
        "model_tokens": {"input": ran.recording.input_tokens, "output": ran.recording.output_tokens},
    }
