"""notices: reminders of reviews that were given, and what is to be sent outside"""

from alembic import op
from sqlalchemy import Column, Double, Index, Integer, PrimaryKeyConstraint, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "reminders",
        Column("review", Text, nullable=False),
        Column("gate", Text, nullable=False),
        Column("urgency", Text, nullable=False),
        Column("told_at", Double, nullable=False),
        PrimaryKeyConstraint("review", "gate", "urgency", name="pk_reminders"),
    )
    op.create_table(
        "notices",
        Column("id", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("at", Double, nullable=False),
        Column("content", Text, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("next_at", Double, nullable=True),
        Column("fault", Text, nullable=False),
        PrimaryKeyConstraint("id", name="pk_notices"),
        Index("ix_notices_next_at", "next_at"),
    )
