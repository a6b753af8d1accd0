"""The port DataLane in a dict, for tests of the pages: what was asked is kept, and answered from a table of answers.

Not here: judging a token or a statement; the real gateway and server do that in the tests of the whole platform.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pierhead.usecases.ports_data import DataAnswer, DataQuestion


@dataclass(slots=True)
class MemoryData:
    """`answers` by the beginning of the target; the longest that fits wins."""

    answers: Mapping[str, DataAnswer]
    asked: list[DataQuestion] = field(default_factory=list[DataQuestion])

    async def ask(self, question: DataQuestion) -> DataAnswer:
        self.asked.append(question)
        fitting = [start for start in self.answers if question.target.startswith(start)]
        return self.answers[max(fitting, key=len)]
