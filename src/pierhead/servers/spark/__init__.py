"""Spark for people who are woken up: why a run failed, what its stages did, and what may be done about it.

Diagnosis reads whatever is left of an application (event log, logs, what became of its pods) and says what it could
not read. Not here: rules of failures (`sdk/failure_rules`), which other servers use as well.
"""

from pierhead.servers.spark.server import build

__all__ = ["build"]
