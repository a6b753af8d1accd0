"""notices: the channel and the place that each goes to, or the people whom it is for"""

from alembic import op
from sqlalchemy import Column, Text

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("notices", Column("channel", Text, nullable=False, server_default="webhook"))
    op.add_column("notices", Column("recipient", Text, nullable=False, server_default=""))
    op.add_column("notices", Column("readers", Text, nullable=False, server_default=""))
