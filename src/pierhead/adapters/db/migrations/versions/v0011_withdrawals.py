"""withdrawals: what people no longer have, and how the provider is asked about them again"""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, PrimaryKeyConstraint, Text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "withdrawals",
        Column("issuer", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("void_before", Double, nullable=False),
        Column("groups", Text, nullable=False),
        PrimaryKeyConstraint("issuer", "subject", name="pk_withdrawals"),
    )
    op.create_table(
        "numbers",
        Column("name", Text, nullable=False),
        Column("number", BigInteger, nullable=False),
        PrimaryKeyConstraint("name", name="pk_numbers"),
    )
    op.add_column("people", Column("subject", Text, nullable=False, server_default=""))
    op.add_column("people", Column("provider_grant", Text, nullable=False, server_default=""))
    op.add_column("people", Column("confirmed_at", Double, nullable=False, server_default="0"))
    op.add_column("people", Column("asked_at", Double, nullable=False, server_default="0"))
    op.add_column("people", Column("number", BigInteger, nullable=False, server_default="0"))
    op.execute("UPDATE people SET number = 1, confirmed_at = signed_in_at")
    op.create_index("ix_people_number", "people", ["number"])
