"""proved sign-ins: when whoever agreed to a client had proved who they are"""

from alembic import op
from sqlalchemy import Column, Double

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    for table in ("oauth_codes", "oauth_refresh_tokens"):
        op.add_column(table, Column("proved_at", Double, nullable=False, server_default="0"))
