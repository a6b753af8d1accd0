"""browsers: where people hear of approvals by web push"""

from alembic import op
from sqlalchemy import Column, Double, PrimaryKeyConstraint, Text

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "browsers",
        Column("id", Text, nullable=False),
        Column("issuer", Text, nullable=False),
        Column("person", Text, nullable=False),
        Column("address", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("secret", Text, nullable=False),
        Column("label", Text, nullable=False),
        Column("made_at", Double, nullable=False),
        PrimaryKeyConstraint("id", name="pk_browsers"),
    )
    op.create_index("ix_browsers_issuer_person", "browsers", ["issuer", "person"])
