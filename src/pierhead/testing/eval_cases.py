"""The cases of `pierhead eval`, read from YAML: what somebody asks of a model, and what it should then do.

Above: `eval_run`, which puts them to a model, and `eval_judges`. Not here: the model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pierhead.core.errors import Invalid
from pierhead.testing.bench import Identity

_HINT: Final = "see docs/how-to/evaluate-with-a-model.md"
_LARGEST: Final = 1024 * 1024
_STRICT: Final = ConfigDict(extra="forbid", frozen=True)
Kind = TypeVar("Kind", bound=BaseModel)
_Name = Annotated[str, Field(min_length=1, max_length=250)]


class Asker(BaseModel):
    """Who asks: tools that they may not use are not shown to the model."""

    model_config = _STRICT
    person: _Name
    groups: tuple[_Name, ...] = ()

    @property
    def identity(self) -> Identity:
        return Identity(self.person, frozenset(self.groups))


class ExpectedResult(BaseModel):
    """What an answer should hold: a text, members of its JSON, or both."""

    model_config = _STRICT
    contains: str = ""
    json_: Any = Field(default=None, alias="json")

    @model_validator(mode="after")
    def _says_something(self) -> "ExpectedResult":
        if not self.contains and self.json_ is None:
            raise ValueError("say contains or json")
        return self


class Expectation(BaseModel):
    """What should come of it. Units: tokens as `eval_run` counts them; minutes as the tools' owners declared them."""

    model_config = _STRICT
    tool: _Name
    arguments: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    result: ExpectedResult | None = None
    most_tokens: int | None = Field(default=None, gt=0)
    least_minutes: float | None = Field(default=None, gt=0)


class EvalCase(BaseModel):
    """One prompt, of one person."""

    model_config = _STRICT
    name: _Name
    prompt: Annotated[str, Field(min_length=1, max_length=20_000)]
    asker: Asker = Field(alias="as")
    expect: Expectation


class EvalFile(BaseModel):
    """A file of cases. `server` is `MODULE:NAME`; empty for that of the project around the file."""

    model_config = _STRICT
    server: str = ""
    cases: Annotated[tuple[EvalCase, ...], Field(min_length=1, max_length=500)]

    @model_validator(mode="after")
    def _has_each_name_once(self) -> "EvalFile":
        names = [case.name for case in self.cases]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two cases are called {', '.join(twice)}")
        return self


def read_cases(file: Path) -> EvalFile:
    """The cases of a file. Errors: Invalid (`bad-eval-file`), naming each fault by its place."""
    return parsed(EvalFile, file)


def parsed(model: type[Kind], file: Path) -> Kind:
    """A YAML file as that model. Errors: Invalid (`bad-eval-file`)."""
    try:
        with file.open("rb") as opened:
            text = opened.read(_LARGEST + 1)
    except OSError as gone:
        raise Invalid(f"cannot read {file}: {gone.strerror}", hint=_HINT, code="bad-eval-file") from None
    if len(text) > _LARGEST:
        raise Invalid(f"{file} is larger than 1 MiB", hint="split it", code="bad-eval-file")
    try:
        return model.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as broken:
        raise Invalid(f"{file} is no YAML: {broken}", hint=_HINT, code="bad-eval-file") from None
    except ValidationError as invalid:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in invalid.errors())
        raise Invalid(f"{file}: {faults}", hint=_HINT, code="bad-eval-file") from None
