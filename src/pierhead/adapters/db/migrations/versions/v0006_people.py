"""people: who signed in at an identity provider"""

from alembic import op
from sqlalchemy import Column, Double, PrimaryKeyConstraint, Text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "people",
        Column("issuer", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("groups", Text, nullable=False),
        Column("signed_in_at", Double, nullable=False),
        PrimaryKeyConstraint("issuer", "name", name="pk_people"),
    )
    op.create_index("ix_people_signed_in_at", "people", ["signed_in_at"])
