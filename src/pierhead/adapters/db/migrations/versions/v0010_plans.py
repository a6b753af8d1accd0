"""plans: what people plan at a server, until it is carried out or half an hour is over"""

from alembic import op
from sqlalchemy import Column, Double, PrimaryKeyConstraint, Text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "plans",
        Column("id", Text, nullable=False),
        Column("server", Text, nullable=False),
        Column("tool", Text, nullable=False),
        Column("owner", Text, nullable=False),
        Column("arguments", Text, nullable=False),
        Column("digest", Text, nullable=False),
        Column("expires_at", Double, nullable=False),
        Column("used_at", Double, nullable=True),
        PrimaryKeyConstraint("id", name="pk_plans"),
    )
    op.create_index("ix_plans_owner_expires_at", "plans", ["owner", "expires_at"])
    op.create_index("ix_plans_expires_at", "plans", ["expires_at"])
