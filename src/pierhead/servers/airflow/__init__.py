"""Airflow as a governed server: why a run failed, what its logs say, and changes that people agree to.

The plug-in of kind `airflow`. Below: `pierhead.sdk` alone.
"""

from pierhead.servers.airflow.server import build

__all__ = ["build"]
