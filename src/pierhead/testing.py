"""For an author's own tests: the platform in memory."""

from pierhead.sdk.testing import Running, platform

__all__ = ["Running", "platform"]
