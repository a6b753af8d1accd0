"""Governed SQL, for every kind of server that lets callers read by statements: policy, schema, source, lanes.

policy.py (who may read what), source.py (what can be asked), sql_lane.py (statements of callers), engine.py (what is
asked of an engine), trino.py (the one that two kinds share). The guard itself is pierhead.sdk.sqlguard. Not here: the
other engines, reads by parameters, writes, REST (pierhead.servers.sql).
"""
