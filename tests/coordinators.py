"""Real coordinators of Trino and PrestoDB for tests: brought by tools/java_engines.py, one started for a whole run.

PIERHEAD_TEST_TRINO_URL and PIERHEAD_TEST_PRESTO_URL name running ones (`http://host:port`), which are used and never
stopped. The catalog `hive` is the memory connector: its tables are the test's own. A Trino that is started here has
Iceberg tables besides, in the catalog `lake`, and tables of Hive's own form in `barn`. It takes everybody's word in
plain HTTP, and beside that speaks HTTPS, where it takes tokens of one provider for one audience.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from joserfc.jwk import RSAKey
from tools import java_engines
from tools.java_engines import PRESTO, TRINO, JavaEngine

from pierhead.adapters.local_authority import Authority
from pierhead.adapters.system import SystemClock
from pierhead.bootstrap.running import free_ports

_STARTING_S: Final = 180
_STOPPING_S: Final = 20
_FILES: Final = 8192  # Trino refuses to start with fewer than 4,096
_OPENED: Final = (
    "io lang lang.ref lang.reflect net nio security text util util.concurrent util.concurrent.atomic util.regex"
)
_CONFIG: Final = """coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
query.max-memory=300MB
query.max-memory-per-node=200MB
{more}"""
AUDIENCE: Final = "https://orders.corp.example"
_SECURED: Final = """http-server.https.enabled=true
http-server.https.port={port}
http-server.https.keystore.path={folder}/server.pem
http-server.authentication.type=JWT
http-server.authentication.jwt.key-file={folder}/provider.pem
http-server.authentication.jwt.required-audience={audience}
http-server.authentication.allow-insecure-over-http=true
internal-communication.shared-secret=a secret of one machine that lives as long as a test run
"""
_LAKE: Final = """connector.name=iceberg
iceberg.catalog.type=TESTING_FILE_METASTORE
hive.metastore.catalog.dir=local:///
fs.native-local.enabled=true
local.location={folder}
"""
_BARN: Final = """connector.name=hive
hive.metastore=file
hive.metastore.catalog.dir=local:///
fs.native-local.enabled=true
local.location={folder}
"""
_NODE: Final = """node.environment=test
node.id={name}
node.bind-ip=127.0.0.1
node.internal-address=127.0.0.1
catalog.config-dir={catalogs}
"""


class Address(str):
    """Where a coordinator takes everybody's word; `secured` is where it takes tokens, `authority` the file to trust.

    `lake` is the folder of its Iceberg tables.
    """

    __slots__ = ("authority", "lake", "secured")
    secured: str
    authority: Path
    lake: Path


@cache
def provider_key() -> RSAKey:
    """What the provider signs with whose tokens a Trino of ours takes."""
    return RSAKey.generate_key(2048, {"kid": "provider-1", "use": "sig", "alg": "RS256"}, private=True)


@contextmanager
def coordinator(engine: JavaEngine) -> Generator[str]:
    """The address of a coordinator that answers statements; an `Address`, of a Trino that is started here."""
    given = os.environ.get(f"PIERHEAD_TEST_{engine.name.upper()}_URL")
    if given:
        yield given.rstrip("/")
        return
    if not (engine.home / ".installed").is_file():
        pytest.skip(f"component {engine.name}: no .tools/{engine.folder}; `make test` installs it with mvn")
    java = java_engines.java(engine)
    if java is None:
        pytest.skip(f"component {engine.name}: no Java of {engine.oldest_java} to {engine.newest_java} was found")
    with tempfile.TemporaryDirectory(prefix=f"pierhead-{engine.name}-", ignore_cleanup_errors=True) as folder:
        port, secured_port = free_ports(2)
        _configure(engine, Path(folder), port, secured_port)
        for plain in _running(engine, java, Path(folder), port):
            address = Address(plain)
            address.secured, address.authority = f"127.0.0.1:{secured_port}", Path(folder) / "authority.pem"
            address.lake = Path(folder) / "lake"
            yield address


def _configure(engine: JavaEngine, folder: Path, port: int, secured_port: int) -> None:
    catalogs = folder / "catalog"
    catalogs.mkdir()
    (catalogs / "hive.properties").write_text("connector.name=memory\n", encoding="utf-8")
    (catalogs / "tpch.properties").write_text("connector.name=tpch\n", encoding="utf-8")
    if (engine.home / "plugin" / "iceberg").is_dir():
        (folder / "lake").mkdir()
        (catalogs / "lake.properties").write_text(_LAKE.format(folder=folder / "lake"), encoding="utf-8")
        _add_hive(engine, folder, catalogs)
    more = "discovery-server.enabled=true\nquery.max-total-memory-per-node=300MB\n" if engine is PRESTO else ""
    if engine is TRINO:
        _write_secrets(folder)
        more = _SECURED.format(port=secured_port, folder=folder, audience=AUDIENCE)
    node = _NODE.format(name=engine.name, catalogs=catalogs)
    (folder / "config.properties").write_text(_CONFIG.format(port=port, more=more) + node, encoding="utf-8")


def _add_hive(engine: JavaEngine, folder: Path, catalogs: Path) -> None:
    """The Hive connector out of the Iceberg one, which brings all of it but the word that it is there."""
    plugins = folder / "plugin"
    (plugins / "hive").mkdir(parents=True)
    for plugin in (engine.home / "plugin").iterdir():
        (plugins / plugin.name).symlink_to(plugin)
    for jar in (engine.home / "plugin" / "iceberg").glob("*.jar"):
        if "trino-iceberg" not in jar.name:
            (plugins / "hive" / jar.name).symlink_to(jar)
    with zipfile.ZipFile(plugins / "hive" / "services.jar", "w") as services:
        services.writestr("META-INF/services/io.trino.spi.Plugin", "io.trino.plugin.hive.HivePlugin\n")
    (folder / "barn").mkdir()
    (catalogs / "barn.properties").write_text(_BARN.format(folder=folder / "barn"), encoding="utf-8")


def _write_secrets(folder: Path) -> None:
    authority = Authority.new("corp.example", SystemClock())
    own = authority.svid("spiffe://corp.example/trino", ["127.0.0.1"])
    (folder / "server.pem").write_text(own.key + own.certificate, encoding="ascii")
    (folder / "authority.pem").write_text(authority.bundle, encoding="ascii")
    (folder / "provider.pem").write_bytes(provider_key().as_pem(private=False))


def _command(engine: JavaEngine, java: Path, folder: Path) -> Sequence[str | Path]:
    """The server itself: the launcher in front of it would only wait for it."""
    # The first compiler alone: a run is over before the second has paid for itself.
    options = ["-Xmx1G", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=1"]
    options += ["-XX:+ExitOnOutOfMemoryError", "-Djdk.attach.allowAttachSelf=true"]
    if engine is TRINO:
        options += ["--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"]
        main = "io.trino.server.TrinoServer"
    else:
        opened = [f"java.{name}" for name in _OPENED.split()]
        opened += ["javax.security.auth", "javax.security.auth.login", "jdk.internal.loader", "sun.security.action"]
        options += [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in opened]
        main = "com.facebook.presto.server.PrestoServer"
    config = f"-Dconfig={folder / 'config.properties'}"
    plugins = folder / "plugin" if (folder / "plugin").is_dir() else engine.home / "plugin"
    return [java, *options, config, f"-Dplugin.dir={plugins}", "-cp", f"{engine.home / 'lib'}/*", main]


def _running(engine: JavaEngine, java: Path, folder: Path, port: int) -> Iterator[str]:
    log = folder / "log"
    command = ["/bin/sh", "-c", f'ulimit -n {_FILES} && exec "$@"', "sh", *_command(engine, java, folder)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait(process, f"http://127.0.0.1:{port}", engine, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOPPING_S)


def _wait(process: subprocess.Popen[bytes], address: str, engine: JavaEngine, log: Path) -> None:
    """Until it answers a statement: it says that it has started a little before it has nodes to run one on."""
    until = time.monotonic() + _STARTING_S
    while process.poll() is None and time.monotonic() < until:
        try:
            if _answers(address, engine):
                return
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError("the coordinator did not start:\n" + log.read_text(encoding="utf-8", errors="replace")[-3000:])


def _answers(address: str, engine: JavaEngine) -> bool:
    return rows_of(address, "SELECT count(*) FROM tpch.tiny.orders", engine) == [[15_000]]


def rows_of(address: str, statement: str, engine: JavaEngine = TRINO) -> list[list[Any]]:
    """What a coordinator answers to us, beside the server that is tested; none, for a statement that fails."""
    headers = {f"X-{engine.name.capitalize()}-User": "test"}
    page = _page(f"{address}/v1/statement", headers, statement.encode())
    rows: list[list[Any]] = []
    while "nextUri" in page:
        page = _page(page["nextUri"], headers)
        rows += page.get("data", [])
    return rows


def state_of(address: str, flavour: str, query_id: str) -> tuple[str, str]:
    """How a query stands with the engine, and its name of the error, as the coordinator tells its own page."""
    told: dict[str, Any] = _page(f"{address}/v1/query/{query_id}", {f"X-{flavour}-User": "test"})
    error: dict[str, str] = told.get("errorCode") or {}
    return told["state"], error.get("name", "")


def _page(address: str, headers: dict[str, str], body: bytes | None = None) -> Any:
    request = urllib.request.Request(address, body, headers)  # noqa: S310 - our own coordinator
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)
