"""scopes: what a code and a refresh token may be used for; those granted before have the least"""

from alembic import op
from sqlalchemy import Column, Text

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    for table in ("oauth_codes", "oauth_refresh_tokens"):
        op.add_column(table, Column("scope", Text, nullable=False, server_default=""))
