"""What people wrote of the tables behind this server: tier, owner, what they are made from, and good queries.

One YAML file, read again when it changes; a broken one leaves the earlier one in force, and answers say so. Not here:
what the engine knows of its tables. Nothing of this is shown of a table that the caller may not see.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

_MOST_BYTES: Final = 4 * 2**20
_UNREADABLE: Final = "assets: the file cannot be read as it is now; an earlier state is in force"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableAsset(_Strict):
    """`landed` is a column that says when a row came; `reads` are the tables it is made from."""

    tier: Annotated[int, Field(ge=1, le=5)] | None = None
    owner: str = ""
    description: str = ""
    landed: str = ""
    max_lag_minutes: Annotated[int, Field(ge=1)] | None = None
    reads: tuple[str, ...] = ()


class QueryAsset(_Strict):
    """A query that somebody vouches for."""

    sql: Annotated[str, Field(max_length=20_000)]
    description: str
    team: str = ""


class Assets(_Strict):
    tables: Mapping[str, TableAsset] = {}
    queries: tuple[QueryAsset, ...] = ()

    def of(self, name: str) -> TableAsset:
        return self.tables.get(name, _UNDESCRIBED)


_UNDESCRIBED: Final = TableAsset()
NO_ASSETS: Final = Assets()


class AssetFile:
    """The assets as they are now. Errors while it is read are told by `fault`, never raised."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._assets = NO_ASSETS
        self.fault = ""

    def now(self) -> Assets:
        if self._file is None:
            return self._assets
        try:
            told = self._file.stat()
            seen = (told.st_mtime_ns, told.st_size)
            if seen != self._seen:
                self._assets, self._seen, self.fault = _parsed(self._file), seen, ""
        except (OSError, ValueError, yaml.YAMLError, ValidationError):
            self.fault = _UNREADABLE
        return self._assets


def _parsed(file: Path) -> Assets:
    """Errors: ValueError, YAMLError or ValidationError, for what is no file of assets."""
    text = file.read_bytes()
    if len(text) > _MOST_BYTES:
        raise ValueError("too large")
    return Assets.model_validate(cast("object", yaml.safe_load(text)) or {})
