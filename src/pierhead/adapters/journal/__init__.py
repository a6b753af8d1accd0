"""The durable audit spool: append, sync, chain; and reading it back.

A writer's directory holds numbered segments, one record a line. `writer` appends, `segments` keeps the files,
`reader` checks them from outside. Not here: what a record is (`core/chain`), shipping it (`usecases/ship_facts`).
"""

from pierhead.adapters.journal.reader import Report, read, verify, verify_all
from pierhead.adapters.journal.segments import Disk, SystemDisk
from pierhead.adapters.journal.writer import Journal, Limits

__all__ = ["Disk", "Journal", "Limits", "Report", "SystemDisk", "read", "verify", "verify_all"]
