"""The official MCP registry API, v0.1: what IDEs and other registries read of this one.

Read `routes` first: every path, and what answers it. Then `views` (who sees which servers), `listings` (one list,
built once a revision), `reading` and `changing`. Pure parts are in `usecases/official_*`. Not here: the platform's own
API (`api`), pages (`web`), MCP.
"""
