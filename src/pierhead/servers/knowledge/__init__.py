"""Knowledge: documentation, runbooks and past analyses, found by words and quoted with their place.

The plug-in of kind `knowledge`. Below: `pierhead.sdk` alone.
"""

from pierhead.servers.knowledge.server import build

__all__ = ["build"]
