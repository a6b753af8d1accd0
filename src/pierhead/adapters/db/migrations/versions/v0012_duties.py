"""duties: who is away and who stands in, choices that are remembered, broken glass to be reviewed"""

from alembic import op
from sqlalchemy import Column, Double, PrimaryKeyConstraint, Text

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("approvals", Column("review_at", Double, nullable=True))
    op.create_index("ix_approvals_review_at", "approvals", ["review_at"])
    op.create_index("ix_approvals_created_at", "approvals", ["created_at"])
    op.create_table(
        "absences",
        Column("id", Text, nullable=False),
        Column("person", Text, nullable=False),
        Column("deputy", Text, nullable=False),
        Column("since", Double, nullable=False),
        Column("until", Double, nullable=False),
        Column("reason", Text, nullable=False),
        Column("ended_at", Double, nullable=True),
        PrimaryKeyConstraint("id", name="pk_absences"),
    )
    op.create_index("ix_absences_until", "absences", ["until"])
    op.create_table(
        "choices",
        Column("id", Text, nullable=False),
        Column("person", Text, nullable=False),
        Column("expires_at", Double, nullable=False),
        Column("ended_at", Double, nullable=True),
        Column("document", Text, nullable=False),
        PrimaryKeyConstraint("id", name="pk_choices"),
    )
    op.create_index("ix_choices_person_expires_at", "choices", ["person", "expires_at"])
