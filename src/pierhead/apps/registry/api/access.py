"""`GET /api/v1/access`: who may reach what with which tools, as JSON or CSV: for access reviews, and for "who can?".

For auditors; for owners, of what they own. Not here: what a grant is (`usecases/review_access`).
"""

import csv
import io
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from pierhead.apps.registry.api.answers import HEADERS, Asked, moment
from pierhead.apps.registry.web.access import Access, Question, access
from pierhead.core.errors import Invalid
from pierhead.usecases.review_access import Grant

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


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
    """The same as a table; no cell of it is a formula, whoever opens it."""
    written = io.StringIO()
    rows = [grant_form(each) for each in found.grants]
    writer = csv.writer(written)
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(row, name) for name in _COLUMNS] for row in rows)
    headers = {**HEADERS, "content-disposition": 'attachment; filename="access-review.csv"'}
    return Response(written.getvalue(), 200, headers, media_type="text/csv; charset=utf-8")


_COLUMNS: Final = (
    *("who", "kind", "server", "tool", "effect", "decision", "approval", "surfaces", "environments", "bounds"),
    *("role", "operations", "owner", "last_used"),
)


def _cell(row: Mapping[str, object], name: str) -> str:
    value = row[name]
    text = "; ".join(map(str, value)) if isinstance(value, list) else str(value or "")  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - of texts
    return f"'{text}" if text.startswith(_FORMULAS) else text
