"""packets: what submitters hand in with a version"""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, LargeBinary, PrimaryKeyConstraint, Text

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "packet_parts",
        Column("bound", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("server", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("digest", Text, nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("told", Text, nullable=False),
        Column("made_by", Text, nullable=False),
        Column("made_at", Double, nullable=False),
        Column("content", LargeBinary, nullable=False),
        PrimaryKeyConstraint("bound", "kind", name="pk_packet_parts"),
    )
