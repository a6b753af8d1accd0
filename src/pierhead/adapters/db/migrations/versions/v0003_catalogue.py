"""catalogue: entries, versions, their moves and reviews"""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, PrimaryKeyConstraint, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "entries",
        Column("name", Text, nullable=False),
        Column("document", Text, nullable=False),
        Column("origin", Text, nullable=False),
        Column("made_by", Text, nullable=False),
        Column("made_at", Double, nullable=False),
        Column("current", Text, nullable=False),
        Column("lock", BigInteger, nullable=False),
        PrimaryKeyConstraint("name", name="pk_entries"),
    )
    op.create_table(
        "versions",
        Column("server", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("stage", Text, nullable=False),
        Column("published_at", Double, nullable=False),
        Column("document", Text, nullable=False),
        Column("lock", BigInteger, nullable=False),
        PrimaryKeyConstraint("server", "version", name="pk_versions"),
    )
    op.create_table(
        "moves",
        Column("server", Text, nullable=False),
        Column("number", BigInteger, nullable=False, autoincrement=False),
        Column("version", Text, nullable=False),
        Column("step", Text, nullable=False),
        Column("source", Text, nullable=False),
        Column("target", Text, nullable=False),
        Column("moved_by", Text, nullable=False),
        Column("moved_at", Double, nullable=False),
        Column("reason", Text, nullable=False),
        PrimaryKeyConstraint("server", "number", name="pk_moves"),
    )
    op.create_table(
        "reviews",
        Column("id", Text, nullable=False),
        Column("server", Text, nullable=False),
        Column("submitted_at", Double, nullable=False),
        Column("closed_at", Double, nullable=True),
        Column("document", Text, nullable=False),
        Column("lock", BigInteger, nullable=False),
        PrimaryKeyConstraint("id", name="pk_reviews"),
    )
    op.create_index("ix_reviews_server_submitted_at", "reviews", ["server", "submitted_at"])
    op.create_index("ix_reviews_closed_at", "reviews", ["closed_at"])
