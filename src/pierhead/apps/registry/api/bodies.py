"""A request's body, read strictly into a model: one JSON object, no member twice, every fault told at once.

Above: the endpoints, each with the model of what it takes. Not here: forms (`apps/registry/forms`).
"""

import json
import re
from typing import Annotated, Final, TypeVar

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pierhead.apps.registry.api.answers import Asked
from pierhead.apps.registry.forms import body_of
from pierhead.core.errors import Invalid

Model = TypeVar("Model", bound=BaseModel)
_SMALL: Final = 64 * 1024
#: Control characters, and those that turn the direction of what stands around them: no text of a person needs them.
_UNREADABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u2069\ufeff]")


class Strict(BaseModel):
    """What a body may hold: these members, of these very types, and no other."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _readable(text: str) -> str:
    if _UNREADABLE.search(text):
        raise ValueError("it holds characters that cannot be seen")
    return text


Name = Annotated[str, Field(min_length=1, max_length=128)]
Sentence = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_readable)]
"""What a person says and others read."""


async def read_body(model: type[Model], asked: Asked, operation: str, limit: int = _SMALL) -> Model:
    """The body of a request; `operation` is where the documentation of its members stands.

    Errors: Invalid, its message naming every fault.
    """
    body, hint = await body_of(asked.request, limit), f"see /docs#{operation}"
    try:
        orjson.loads(body)  # no NaN, no half of a surrogate pair: what Python's own parser lets pass
        return model.model_validate(json.loads(body, object_pairs_hook=_once))
    except ValidationError as wrong:
        raise Invalid(f"the body cannot be read: {_faults(wrong)}"[:1000], hint=hint) from None
    except (ValueError, RecursionError):
        raise Invalid("the body is no JSON object, each member once", hint=hint) from None


def _faults(wrong: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in wrong.errors())


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members
