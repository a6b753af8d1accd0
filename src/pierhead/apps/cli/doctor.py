"""`pierhead doctor`: what is wrong on this machine, and what to do about it. Changes nothing."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, settings_of, show
from pierhead.core.errors import PierheadError

if TYPE_CHECKING:
    from pierhead.bootstrap.settings import Settings

_CHECK_FAILED: Final = 8
_LEAST_FREE: Final = 200 * 1024 * 1024
_TIMEOUT_S: Final = 3


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    db: Annotated[str, typer.Option("--db", help="Check this database's login instead, and print its grants.")] = "",
    roles: Annotated[Path | None, typer.Option("--roles", help="The roles file. Default: DATA/roles.yaml")] = None,
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Check settings, keys, disk and the running platform. Exit code 8 if something is wrong.

    With --db: what the database's login may do besides what the roles need, and the script of one that may do no more.
    Examples: pierhead doctor; pierhead doctor --db postgresql://reader@db/shop
    """
    settings = settings_of(data, config).settings
    if db:
        _check_login(db, roles, settings, output, as_json=as_json)
        return
    rows = [{"check": name, "ok": not fault, "finding": fault or "ok"} for name, fault in _findings(settings)]
    show(rows, ("check", "finding"), output, json=as_json)
    if not all(row["ok"] for row in rows):
        raise typer.Exit(_CHECK_FAILED)


def _check_login(db: str, roles: Path | None, settings: "Settings", output: Output, *, as_json: bool) -> None:
    from pierhead.bootstrap.wire_login import check_login  # noqa: PLC0415 - see the package's docstring

    found = check_login(db, roles, settings)
    rows = [{"check": each.check, "level": each.level, "finding": each.said} for each in found.findings]
    if as_json or output is not Output.TABLE:
        emit({"findings": rows, "script": found.script}, output, json=as_json)
    else:
        show(rows, ("check", "level", "finding"), output, json=False)
        print(found.script, end="")
    if any(each.level == "danger" for each in found.findings):
        raise typer.Exit(_CHECK_FAILED)


def _findings(settings: "Settings") -> Iterator[tuple[str, str]]:
    place = settings.platform.data.resolve()
    yield "settings", ""
    yield "data directory", _told(lambda: _writable(place))
    yield "free disk", _free(place)
    yield "keys", _told(lambda: _keys(place))
    yield "platform", _told(lambda: _answers(place))


def _told(check: Callable[[], None]) -> str:
    """Empty, or the fault with its hint."""
    try:
        check()
    except PierheadError as error:
        return f"{error.message}: {error.hint}"
    return ""


def _writable(place: Path) -> None:
    from pierhead.bootstrap.running import require_directory  # noqa: PLC0415 - see the package's docstring

    require_directory(place)


def _free(place: Path) -> str:
    existing = next(path for path in (place, *place.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    return "" if free >= _LEAST_FREE else f"{free // 2**20} MiB left; a full disk refuses every call: make room"


def _keys(place: Path) -> None:
    from pierhead.bootstrap.keys import Keys  # noqa: PLC0415

    keys = Keys.at(place)
    for file in sorted(keys.directory.glob("*.key")):
        keys.read(file.name)


def _answers(place: Path) -> None:
    import urllib.error  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    from pierhead.bootstrap.running import find_running  # noqa: PLC0415
    from pierhead.core.errors import UpstreamUnreachable  # noqa: PLC0415

    running = find_running(place)
    try:
        urllib.request.urlopen(f"{running.diagnostics_url}/readyz", timeout=_TIMEOUT_S).close()  # noqa: S310 - http, ours
    except urllib.error.HTTPError as failed:
        said = failed.read().decode(errors="replace").strip().replace("\n", "; ")
        raise UpstreamUnreachable(f"the gateway is not ready: {said}", hint=f"read {place / 'logs'}") from None
    except OSError as failed:
        raise UpstreamUnreachable(f"the gateway does not answer: {failed}", hint=f"read {place / 'logs'}") from None
