"""health: how servers fare, and the last looks at each"""

from alembic import op
from sqlalchemy import Column, Double, Integer, PrimaryKeyConstraint, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "health",
        Column("server", Text, nullable=False),
        Column("document", Text, nullable=False),
        PrimaryKeyConstraint("server", name="pk_health"),
    )
    op.create_table(
        "probes",
        Column("server", Text, nullable=False),
        Column("slot", Integer, autoincrement=False, nullable=False),
        Column("at", Double, nullable=False),
        Column("document", Text, nullable=False),
        PrimaryKeyConstraint("server", "slot", name="pk_probes"),
    )
