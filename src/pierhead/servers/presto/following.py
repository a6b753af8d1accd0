"""A Trino or Presto server that follows its entry while it runs: roles at once, everything else at a restart."""

from collections.abc import Mapping

from pierhead.sdk.governed.source import Source
from pierhead.servers.presto.settings import PrestoSettings


class FollowedEntry:
    """The port `pierhead.sdk.server.Following`."""

    def __init__(self, chosen: PrestoSettings, source: Source) -> None:
        self._chosen = chosen
        self._source = source

    def change(self, settings: Mapping[str, object]) -> str:
        """Put its roles in force; says which other members wait for a restart. Errors: Misconfigured."""
        written = PrestoSettings.parse(self._chosen.name, settings)
        self._source.replace(written.policy())
        kept = (
            name
            for name in PrestoSettings.model_fields
            if name != "roles" and getattr(written, name) != getattr(self._chosen, name)
        )
        return ", ".join(kept)

    async def refresh(self) -> None:
        await self._source.refresh()
