"""A database as a governed server: SQLite, PostgreSQL and DuckDB, read only.

`build` is the entry point `sql` of the group `pierhead.servers`, `DATABASES` that of `pierhead.databases`. Inside:
policy.py (who may read what), source.py (what can be asked), engines/ (how it runs), server.py (the tools). The guard
itself is pierhead.sdk.sqlguard.
"""

from pierhead.servers.sql.database import DATABASES
from pierhead.servers.sql.server import build

__all__ = ("DATABASES", "build")
