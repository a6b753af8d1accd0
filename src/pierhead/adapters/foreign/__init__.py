"""Guests, servers that nobody here wrote: one kept connection each, over stdio or HTTP.

`kept` keeps it, `stdio` and `remote` say how it is made; `webhook` and `document` leave by the same guarded way,
`outward`. Nothing is imported here: who sends a webhook need not load an MCP client, some 60 MB. Above:
`bootstrap/wire_guard`, `bootstrap/wire_notices`, `bootstrap/wire_clients`. Not here: a guest's tools, and who may call
them (`sdk/guest`).
"""
