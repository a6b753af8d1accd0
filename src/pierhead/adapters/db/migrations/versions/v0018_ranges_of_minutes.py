"""ranges of minutes: the whole estimate that was in force when a call ran; calls of before have its middle alone"""

from alembic import op
from sqlalchemy import Column, Double, Text

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    for name in ("minutes_low", "minutes_high", "minutes_stated_at"):
        op.add_column("calls", Column(name, Double, nullable=False, server_default="0"))
    op.add_column("calls", Column("minutes_method", Text, nullable=False, server_default=""))
