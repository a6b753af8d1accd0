"""groups of callers: those that the person had who asked, to tell what teams cost; calls of before have none"""

from alembic import op
from sqlalchemy import Column, Text

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("calls", Column("groups", Text, nullable=False, server_default=""))
