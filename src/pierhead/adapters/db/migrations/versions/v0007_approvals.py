"""approvals: every record of a decision that people were asked for"""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, PrimaryKeyConstraint, Text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "approvals",
        Column("id", Text, nullable=False),
        Column("call_key", Text, nullable=False),
        Column("open_key", Text, nullable=True),
        Column("state", Text, nullable=False),
        Column("server", Text, nullable=False),
        Column("person", Text, nullable=False),
        Column("people", Text, nullable=False),
        Column("approvers", Text, nullable=False),
        Column("run", Text, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("moves_at", Double, nullable=True),
        Column("document", Text, nullable=False),
        Column("lock", BigInteger, nullable=False),
        PrimaryKeyConstraint("id", name="pk_approvals"),
    )
    op.create_index("ix_approvals_open_key", "approvals", ["open_key"], unique=True)
    op.create_index("ix_approvals_call_key_created_at", "approvals", ["call_key", "created_at"])
    op.create_index("ix_approvals_state_created_at", "approvals", ["state", "created_at"])
    op.create_index("ix_approvals_person_created_at", "approvals", ["person", "created_at"])
    op.create_index("ix_approvals_run_moves_at", "approvals", ["run", "moves_at"])
    op.create_index("ix_approvals_moves_at", "approvals", ["moves_at"])
