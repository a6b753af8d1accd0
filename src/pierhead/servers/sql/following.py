"""A SQL server that follows its entry of the fleet file while it runs: roles at once, everything else at a restart.

Above: bootstrap, which watches the file. Not here: what a role means (policy.py), swapping it (source.py).
"""

from collections.abc import Mapping

from pierhead.sdk.governed.policy import parse_policy
from pierhead.sdk.governed.source import Source
from pierhead.servers.sql.settings import SqlSettings
from pierhead.servers.sql.write_lane import ready_to_write


class FollowedSource:
    """The port `pierhead.sdk.server.Following`."""

    def __init__(self, chosen: SqlSettings, source: Source) -> None:
        self._chosen = chosen
        self._source = source

    def change(self, settings: Mapping[str, object]) -> str:
        """Put its roles in force. Queries are tools, and stay; a source that became read only reads from now on."""
        written = SqlSettings.parse(self._chosen.name, settings)
        policy = parse_policy(written.roles, self._chosen.queries)
        is_reading = self._chosen.read_only or written.read_only
        self._source.replace(policy.reading() if is_reading else policy)
        ready_to_write(self._source)
        kept = (
            name
            for name in SqlSettings.model_fields
            if name != "roles" and getattr(written, name) != getattr(self._chosen, name)
        )
        return ", ".join(kept)

    async def refresh(self) -> None:
        await self._source.refresh()
