"""server keys: what proves the process of a server that its team runs"""

from alembic import op
from sqlalchemy import Column, Double, PrimaryKeyConstraint, Text

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "server_keys",
        Column("server", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("digest", Text, nullable=False),
        Column("made_at", Double, nullable=False),
        Column("made_by", Text, nullable=False),
        PrimaryKeyConstraint("server", name="pk_server_keys"),
    )
