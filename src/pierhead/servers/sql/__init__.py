"""A database as a governed server: SQLite, PostgreSQL and DuckDB, read only.

`build` is the entry point `sql` of the group `pierhead.servers`, `DATABASES` that of `pierhead.databases`. Inside:
server.py (the tools), read_lane.py and write_lane.py (reads and writes by parameters), engines/ (how it runs), rest/.
Policy, source and statements are pierhead.sdk.governed, the guard itself pierhead.sdk.sqlguard.
"""

from pierhead.servers.sql.database import DATABASES
from pierhead.servers.sql.server import build

__all__ = ("DATABASES", "build")
