"""first tables: the record, policy, processes, sign-in"""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, LargeBinary, PrimaryKeyConstraint, Text

revision = "0001"
down_revision = None


def upgrade() -> None:
    _record()
    _policy()
    _sign_in()


def _record() -> None:
    op.create_table(
        "calls",
        Column("call_id", Text, nullable=False),
        Column("rank", Integer, nullable=False),
        Column("at_ms", BigInteger, nullable=False),
        Column("principal", Text, nullable=False),
        Column("person", Text, nullable=False),
        Column("surface", Text, nullable=False),
        Column("server", Text, nullable=False),
        Column("tool", Text, nullable=False),
        Column("effect", Text, nullable=False),
        Column("client", Text, nullable=False),
        Column("decision", Text, nullable=False),
        Column("outcome", Text, nullable=False),
        Column("sentence", Text, nullable=False),
        Column("arguments_digest", Text, nullable=False),
        Column("minutes", Double, nullable=False),
        Column("duration_ms", Double, nullable=True),
        Column("bytes_out", BigInteger, nullable=False),
        PrimaryKeyConstraint("call_id", name="pk_calls"),
    )
    op.create_index("ix_calls_at_ms", "calls", ["at_ms"])
    op.create_index("ix_calls_principal_at_ms", "calls", ["principal", "at_ms"])
    op.create_index("ix_calls_server_at_ms", "calls", ["server", "at_ms"])
    op.create_table(
        "facts",
        Column("writer", Text, nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("at_ms", BigInteger, nullable=False),
        Column("hash", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("call_id", Text, nullable=False),
        Column("line", LargeBinary, nullable=False),
        PrimaryKeyConstraint("writer", "sequence", name="pk_facts"),
    )
    op.create_index("ix_facts_at_ms", "facts", ["at_ms"])
    op.create_index("ix_facts_call_id", "facts", ["call_id"])
    op.create_table(
        "heads",
        Column("writer", Text, nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("hash", Text, nullable=False),
        PrimaryKeyConstraint("writer", name="pk_heads"),
    )


def _policy() -> None:
    op.create_table(
        "manifests",
        Column("server", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("document", Text, nullable=False),
        Column("published_at", Double, nullable=False),
        PrimaryKeyConstraint("server", name="pk_manifests"),
    )
    op.create_table(
        "revisions",
        Column("number", BigInteger, autoincrement=False, nullable=False),
        Column("digest", Text, nullable=False),
        Column("document", Text, nullable=False),
        Column("published_at", Double, nullable=False),
        Column("published_by", Text, nullable=False),
        PrimaryKeyConstraint("number", name="pk_revisions"),
    )
    op.create_table(
        "states",
        Column("server", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("since", Double, nullable=False),
        PrimaryKeyConstraint("server", name="pk_states"),
    )


def _sign_in() -> None:
    op.create_table(
        "oauth_clients",
        Column("id", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("redirect_uris", Text, nullable=False),
        Column("authentication", Text, nullable=False),
        Column("secret_digest", Text, nullable=False),
        Column("registered_at", Double, nullable=False),
        PrimaryKeyConstraint("id", name="pk_oauth_clients"),
    )
    op.create_table(
        "oauth_codes",
        Column("digest", Text, nullable=False),
        Column("family", Text, nullable=False),
        Column("client_id", Text, nullable=False),
        Column("redirect_uri", Text, nullable=False),
        Column("challenge", Text, nullable=False),
        Column("person", Text, nullable=False),
        Column("resource", Text, nullable=False),
        Column("expires_at", Double, nullable=False),
        Column("is_spent", Boolean, nullable=False),
        PrimaryKeyConstraint("digest", name="pk_oauth_codes"),
    )
    op.create_index("ix_oauth_codes_client_id", "oauth_codes", ["client_id"])
    op.create_index("ix_oauth_codes_expires_at", "oauth_codes", ["expires_at"])
    op.create_table(
        "oauth_refresh_tokens",
        Column("digest", Text, nullable=False),
        Column("family", Text, nullable=False),
        Column("client_id", Text, nullable=False),
        Column("person", Text, nullable=False),
        Column("resource", Text, nullable=False),
        Column("expires_at", Double, nullable=False),
        Column("spent_at", Double, nullable=True),
        PrimaryKeyConstraint("digest", name="pk_oauth_refresh_tokens"),
    )
    op.create_index("ix_oauth_refresh_tokens_client_id", "oauth_refresh_tokens", ["client_id"])
    op.create_index("ix_oauth_refresh_tokens_expires_at", "oauth_refresh_tokens", ["expires_at"])
    op.create_index("ix_oauth_refresh_tokens_family", "oauth_refresh_tokens", ["family"])
    op.create_table(
        "oauth_revoked_families",
        Column("family", Text, nullable=False),
        Column("revoked_at", Double, nullable=False),
        PrimaryKeyConstraint("family", name="pk_oauth_revoked_families"),
    )
