"""A Trino or Presto for engineers: tables, freshness, lineage, governed queries, and the queries of the engine.

`build` is the entry point `trino` and `presto` of the group `pierhead.servers`. Inside: server.py (the tools), and a
module for each thing they answer. Policy, guard and statements are those of every data server (pierhead.sdk.governed).
"""

from pierhead.servers.presto.server import build

__all__ = ("build",)
