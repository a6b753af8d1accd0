"""consents: which clients people let in, and for what kinds of use"""

from alembic import op
from sqlalchemy import Column, Double, PrimaryKeyConstraint, Text

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "consents",
        Column("id", Text, nullable=False),
        Column("issuer", Text, nullable=False),
        Column("person", Text, nullable=False),
        Column("expires_at", Double, nullable=False),
        Column("document", Text, nullable=False),
        PrimaryKeyConstraint("id", name="pk_consents"),
    )
    op.create_index("ix_consents_person", "consents", ["person"])
    op.create_index("ix_consents_expires_at", "consents", ["expires_at"])
