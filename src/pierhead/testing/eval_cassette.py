"""What a model said, kept beside the cases, so that they are judged again without it.

Each recording is found by the digest of the prompt and of the definitions that the model was shown: change either, and
it is stale. Kept are the calls it asked for: not its words, which quote results, and no result: tools run on replay.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field

from pierhead.core.errors import Invalid
from pierhead.testing.eval_cases import parsed

_STRICT: Final = ConfigDict(extra="forbid", frozen=True)


class ToolAsked(BaseModel):
    """One call that a model asked for."""

    model_config = _STRICT
    tool: str
    arguments: Mapping[str, Any]


class Turn(BaseModel):
    """What a model asked for at once. Without calls it is its last."""

    model_config = _STRICT
    calls: tuple[ToolAsked, ...] = ()


class Recording(BaseModel):
    """One case, as a model went through it. Units: tokens as its provider counted them, zero where it did not."""

    model_config = _STRICT
    name: str
    digest: str
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]
    input_tokens: int = 0
    output_tokens: int = 0


class Cassette(BaseModel):
    """Every case of a file, with the model's name."""

    model_config = _STRICT
    model: str
    recordings: tuple[Recording, ...]

    def find(self, digest: str) -> Recording | None:
        return next((each for each in self.recordings if each.digest == digest), None)


def cassette_of(cases: Path) -> Path:
    """Where the cassette of a file of cases lies."""
    return cases.with_name(f"{cases.stem}.cassette.yaml")


def read_cassette(file: Path) -> Cassette:
    """Errors: Invalid (`stale-cassette` where there is none, `bad-eval-file`)."""
    if not file.is_file():
        raise stale(f"{file} is not there")
    return parsed(Cassette, file)


def write_cassette(file: Path, cassette: Cassette) -> None:
    text = yaml.safe_dump(cassette.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)
    file.write_text(f"# What a model said, recorded by pierhead eval --record. Not for editing.\n{text}", "utf-8")


def stale(what: str) -> Invalid:
    """Nothing is recorded for what is asked now."""
    return Invalid(what, hint="record anew: pierhead eval FILE --record --model PROVIDER:NAME", code="stale-cassette")


def digest_of(prompt: str, tools: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 of what a model is given first: the prompt, and the definitions in any order."""
    shown = sorted(tools, key=lambda tool: str(tool["name"]))
    return hashlib.sha256(orjson.dumps([prompt, shown], option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(slots=True)
class Replayed:
    """Speaks the turns of a recording, one after another, whatever it is answered."""

    recording: Recording
    _next: int = 0

    async def say(self, answers: Iterable[str]) -> Turn:
        """The next turn; an empty one after the last."""
        del answers
        self._next += 1
        turns = self.recording.turns
        return turns[self._next - 1] if self._next <= len(turns) else Turn()

    @property
    def spent(self) -> tuple[int, int]:
        return self.recording.input_tokens, self.recording.output_tokens
