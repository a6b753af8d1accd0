"""Every table, once, for both databases. Changing one also means a new revision in `migrations/versions`.

Times named `..._ms` are milliseconds since 1970-01-01 UTC, others named `..._at` seconds.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, Table, Text

METADATA = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

FACTS = Table(
    "facts",
    METADATA,
    Column("writer", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("line", LargeBinary, nullable=False),
    Index(None, "call_id"),
    Index(None, "at_ms"),
)

HEADS = Table(
    "heads",
    METADATA,
    Column("writer", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)

CALLS = Table(
    "calls",
    METADATA,
    Column("call_id", Text, primary_key=True),
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
    Column("details", Text, nullable=False, server_default=""),
    Column("minutes_low", Double, nullable=False, server_default="0"),
    Column("minutes_high", Double, nullable=False, server_default="0"),
    Column("minutes_method", Text, nullable=False, server_default=""),
    Column("minutes_stated_at", Double, nullable=False, server_default="0"),
    Column("groups", Text, nullable=False, server_default=""),
    Index(None, "at_ms"),
    Index(None, "principal", "at_ms"),
    Index(None, "server", "at_ms"),
)

MANIFESTS = Table(
    "manifests",
    METADATA,
    Column("server", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("published_at", Double, nullable=False),
)

STATES = Table(
    "states",
    METADATA,
    Column("server", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Double, nullable=False),
)

HEALTH = Table(
    "health",
    METADATA,
    Column("server", Text, primary_key=True),
    Column("document", Text, nullable=False),
)

#: A ring a server: `slot` goes round.
PROBES = Table(
    "probes",
    METADATA,
    Column("server", Text, primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("document", Text, nullable=False),
)

REMINDERS = Table(
    "reminders",
    METADATA,
    Column("review", Text, primary_key=True),
    Column("gate", Text, primary_key=True),
    Column("urgency", Text, primary_key=True),
    Column("told_at", Double, nullable=False),
)

NOTICES = Table(
    "notices",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("content", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", Double, nullable=True),
    Column("fault", Text, nullable=False),
    Column("channel", Text, nullable=False, server_default="webhook"),
    Column("recipient", Text, nullable=False, server_default=""),
    Column("readers", Text, nullable=False, server_default=""),
    Index(None, "next_at"),
)

REVISIONS = Table(
    "revisions",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("published_at", Double, nullable=False),
    Column("published_by", Text, nullable=False),
)

ENTRIES = Table(
    "entries",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("current", Text, nullable=False),
    Column("lock", BigInteger, nullable=False),
)

VERSIONS = Table(
    "versions",
    METADATA,
    Column("server", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("stage", Text, nullable=False),
    Column("published_at", Double, nullable=False),
    Column("document", Text, nullable=False),
    Column("lock", BigInteger, nullable=False),
)

MOVES = Table(
    "moves",
    METADATA,
    Column("server", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("moved_by", Text, nullable=False),
    Column("moved_at", Double, nullable=False),
    Column("reason", Text, nullable=False),
)

REVIEWS = Table(
    "reviews",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("server", Text, nullable=False),
    Column("submitted_at", Double, nullable=False),
    Column("closed_at", Double, nullable=True),
    Column("document", Text, nullable=False),
    Column("lock", BigInteger, nullable=False),
    Index(None, "server", "submitted_at"),
    Index(None, "closed_at"),
)

APPROVALS = Table(
    "approvals",
    METADATA,
    Column("id", Text, primary_key=True),
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
    Column("review_at", Double, nullable=True),
    Index(None, "open_key", unique=True),
    Index(None, "call_key", "created_at"),
    Index(None, "state", "created_at"),
    Index(None, "person", "created_at"),
    Index(None, "run", "moves_at"),
    Index(None, "moves_at"),
    Index(None, "review_at"),
    Index(None, "created_at"),
)

ABSENCES = Table(
    "absences",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("deputy", Text, nullable=False),
    Column("since", Double, nullable=False),
    Column("until", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ended_at", Double, nullable=True),
    Index(None, "until"),
)

CHOICES = Table(
    "choices",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("ended_at", Double, nullable=True),
    Column("document", Text, nullable=False),
    Index(None, "person", "expires_at"),
)

CONSENTS = Table(
    "consents",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("document", Text, nullable=False),
    Index(None, "person"),
    Index(None, "expires_at"),
)

BROWSERS = Table(
    "browsers",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("made_at", Double, nullable=False),
    Index(None, "issuer", "person"),
)
"""Where people hear of approvals by web push; what is sent there must be signed by a key that is not kept here."""

PLANS = Table(
    "plans",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("server", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double, nullable=True),
    Index(None, "owner", "expires_at"),
    Index(None, "expires_at"),
)

CLIENTS = Table(
    "oauth_clients",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("redirect_uris", Text, nullable=False),
    Column("authentication", Text, nullable=False),
    Column("secret_digest", Text, nullable=False),
    Column("registered_at", Double, nullable=False),
)

CODES = Table(
    "oauth_codes",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("family", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("challenge", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("is_spent", Boolean, nullable=False),
    Column("scope", Text, nullable=False, server_default=""),
    Column("proved_at", Double, nullable=False, server_default="0"),
    Index(None, "client_id"),
    Index(None, "expires_at"),
)

REFRESH_TOKENS = Table(
    "oauth_refresh_tokens",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("family", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("spent_at", Double, nullable=True),
    Column("scope", Text, nullable=False, server_default=""),
    Column("proved_at", Double, nullable=False, server_default="0"),
    Index(None, "client_id"),
    Index(None, "family"),
    Index(None, "expires_at"),
)

PEOPLE = Table(
    "people",
    METADATA,
    Column("issuer", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("groups", Text, nullable=False),
    Column("signed_in_at", Double, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Column("provider_grant", Text, nullable=False, server_default=""),
    Column("confirmed_at", Double, nullable=False, server_default="0"),
    Column("asked_at", Double, nullable=False, server_default="0"),
    Column("number", BigInteger, nullable=False, server_default="0"),
    Index(None, "signed_in_at"),
    Index(None, "number"),
)
"""People of an identity provider, as it last stated them. `number` is that of the change."""

WITHDRAWALS = Table(
    "withdrawals",
    METADATA,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("void_before", Double, nullable=False),
    Column("groups", Text, nullable=False),
)
"""What people no longer have."""

NUMBERS = Table(
    "numbers",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""The number of the last change of people, and of withdrawals."""

SERVER_KEYS = Table(
    "server_keys",
    METADATA,
    Column("server", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("made_by", Text, nullable=False),
)
"""What proves the process of a server that its team runs; the key itself is kept nowhere."""

REVOKED_FAMILIES = Table(
    "oauth_revoked_families",
    METADATA,
    Column("family", Text, primary_key=True),
    Column("revoked_at", Double, nullable=False),
)

#: What was handed in with a version; `bound` is the digest of what it is bound to.
PARTS = Table(
    "packet_parts",
    METADATA,
    Column("bound", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("server", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("told", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
