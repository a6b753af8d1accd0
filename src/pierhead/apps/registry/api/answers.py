"""What the API's endpoints have in common: the question they get, and how answers and refusals are written.

Below: `apps/problem`, the only table of statuses. Above: `routes`. Not here: what any endpoint answers.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pierhead.apps.problem import MODERN, http_status
from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.site import Site
from pierhead.core.errors import Invalid, PierheadError, Unauthenticated
from pierhead.core.identity import Caller
from pierhead.usecases.explain_decision import Explanation

RESOURCE: Final = "/api/v1"
"""Behind the public URL: the audience of the API's tokens (RFC 8707)."""

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, by a caller who proved who they are."""

    site: Site
    caller: Caller
    request: Request

    @property
    def sees_all(self) -> bool:
        """Whether the caller is shown what they may not use, as on the pages."""
        return not self.caller.groups.isdisjoint(self.site.auditors)

    def query(self, *allowed: str) -> Mapping[str, str]:
        """The query's members, each at most once and each of these.

        Errors: Invalid. A member that is misspelt would otherwise show more than was asked for.
        """
        query = query_of(self.request)
        unknown = sorted(query.keys() - set(allowed))
        if unknown:
            hint = f"allowed: {', '.join(allowed)}" if allowed else "leave the query out"
            raise Invalid(f"unknown query members: {', '.join(unknown)}"[:300], hint=hint)
        return query


Endpoint = Callable[[Asked], Awaitable[object]]
"""Answers a dataclass or a mapping, which becomes the JSON body."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that took part: `effect` is permit, forbid, ask or refuse; `question` is reach or use."""

    policy: str
    effect: str
    question: str
    text: str


def reasons_of(explained: Explanation) -> tuple[Reason, ...]:
    """Every rule that took part; and, where no rule says why it is refused, that none permits it and whom to ask."""
    rules = [Reason(match.rule, match.effect, match.question, match.sentence) for match in explained.reasons]
    if explained.question is not None and explained.sentence not in {rule.text for rule in rules}:
        rules.append(Reason("", "refuse", explained.question, f"{explained.sentence}; {explained.whom_to_ask}"))
    return tuple(rules)


def moment(seconds: float) -> str:
    """RFC 3339, UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = orjson.dumps(content)
    return Response(body, status, {**HEADERS, **(headers or {})}, media_type="application/json")


def problem(error: PierheadError, public_url: str, methods: str = "", oldest_s: float = 0.0) -> Response:
    """An error as the API tells it; for 401 with the way to sign in (RFC 9728), for 405 with what is allowed."""
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = challenge(public_url, error, oldest_s)
    if error.code == "method-not-allowed":
        headers["allow"] = methods
    content = {"code": error.code, "message": error.message, "hint": error.hint}
    return answer(content, http_status(error, MODERN), headers)


def challenge(public_url: str, error: Unauthenticated, oldest_s: float) -> str:
    """The way to sign in; where it was too long ago, how recent it must be (RFC 9470)."""
    place = f'Bearer resource_metadata="{public_url}/.well-known/oauth-protected-resource{RESOURCE}"'
    if error.code == "sign-in-too-old":
        return f'{place}, error="insufficient_user_authentication", max_age="{oldest_s:.0f}"'
    return place if error.code == "no-credentials" else f'{place}, error="invalid_token"'
