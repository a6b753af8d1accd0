"""`GET /api/v1/access`: who may reach what with which tools, as JSON or CSV: for access reviews, and for "who can?".

For auditors; for owners, of what they own. Not here: what a grant is (`usecases/review_access`).
"""

from typing import Final

from starlette.responses import Response

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.apps.registry.api.tables import csv_file
from pierhead.apps.registry.web.access import Access, Question, access
from pierhead.core.errors import Invalid
from pierhead.usecases.review_access import Grant


async def access_review(asked: Asked) -> object:
    """The grants. Errors: Invalid; Forbidden; NotFound."""
    query = asked.query("server", "tool", "table", "format")
    written_as = query.get("format", "json")
    if written_as not in {"json", "csv"}:
        raise Invalid("no such format", hint="json or csv")
    question = Question(query.get("server", ""), query.get("tool", ""), query.get("table", ""))
    found = await access(asked.site, asked.caller, question)
    return csv_answer(found) if written_as == "csv" else access_form(found)


def access_form(found: Access) -> dict[str, object]:
    return {
        "policy_version": found.revision,
        "since": moment(found.since),
        "grants": [grant_form(each) for each in found.grants],
        "not_judged": list(found.not_judged),
        "is_cut": found.is_cut,
    }


def grant_form(grant: Grant) -> dict[str, object]:
    return {
        "who": str(grant.holder),
        "kind": grant.holder.kind,
        "server": grant.server,
        "tool": grant.tool,
        "effect": grant.effect,
        "decision": grant.decision,
        "approval": grant.approval,
        "surfaces": grant.surfaces,
        "environments": grant.environments,
        "bounds": list(grant.bounds),
        "role": grant.role,
        "operations": list(grant.operations),
        "owner": grant.owner,
        "last_used": moment(grant.last_used) if grant.last_used else None,
    }


def csv_answer(found: Access) -> Response:
    """The same as a table."""
    return csv_file("access-review.csv", _COLUMNS, map(grant_form, found.grants))


_COLUMNS: Final = (
    *("who", "kind", "server", "tool", "effect", "decision", "approval", "surfaces", "environments", "bounds"),
    *("role", "operations", "owner", "last_used"),
)
