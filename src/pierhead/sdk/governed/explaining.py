"""What is told of a read that is asked about and not run: verdict, role, grounds, and the SQL that would run.

Both lanes tell through here, so that explanations read alike. A row rule stands in the SQL by its name: its text may
say what the rows of others are like. Not here: the verdict itself (sql_lane.py, read_lane.py).
"""

from collections.abc import Iterator

from pierhead.sdk import Invalid
from pierhead.sdk.governed.answers import EstimateOfEngine, Explanation
from pierhead.sdk.governed.engine import Estimate
from pierhead.sdk.governed.source import Acting
from pierhead.sdk.sqlguard import GovernedQuery


def permitted_explanation(query: GovernedQuery, shown: str, acting: Acting, estimate: Estimate) -> Explanation:
    """`shown` is the SQL as the caller may see it.

    The engine counts every row of a table, so where a rule hides some it says nothing of them.
    """
    rules = acting.rules_of(query.tables)
    return Explanation(
        verdict="permitted",
        role=acting.name,
        reasons=list(_reasons(query, acting, rules)),
        sql=shown,
        tables=[acting.view.display_name(table) for table in query.tables],
        estimate=None if rules else EstimateOfEngine(rows=estimate.rows, cost=estimate.cost),
    )


def refused_explanation(fault: Invalid, acting: Acting) -> Explanation:
    reasons = [f"{fault.code}: {fault.message}", fault.hint]
    return Explanation(verdict="refused", role=acting.name, reasons=reasons, sql="", tables=[], estimate=None)


def _reasons(query: GovernedQuery, acting: Acting, rules: tuple[str, ...]) -> Iterator[str]:
    yield f"role {acting.name} may read every table of the statement"
    yield from (f"row rule {rule} chooses the rows" for rule in rules)
    for table in query.tables:
        masked = ", ".join(column.name for column in table.columns if column.expression is not None)
        if masked:
            yield f"masked in {acting.view.display_name(table)}: {masked}"
    for function in query.functions:
        yield f"function {function.schema}.{function.name} is granted to the role"
    if acting.role.limits.budget is not None:
        yield "what the engine estimates is held to the role's budget"
