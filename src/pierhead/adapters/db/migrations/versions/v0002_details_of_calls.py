"""details: what servers note of their calls"""

from alembic import op
from sqlalchemy import Column, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("calls", Column("details", Text, nullable=False, server_default=""))
