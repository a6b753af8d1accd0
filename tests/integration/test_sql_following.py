"""What a running source follows: its entry of the fleet file, and its schema when somebody misses something."""

import asyncio
import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml

from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.follow_fleet import FollowedEntry
from pierhead.core.errors import Forbidden, Invalid
from pierhead.core.identity import Caller, User
from pierhead.sdk.governed.engine import Limits
from pierhead.sdk.governed.policy import parse_policy
from pierhead.sdk.governed.source import MISSES_APART_S, Source
from pierhead.sdk.governed.sql_lane import SqlLane
from pierhead.servers.sql.server import assemble
from pierhead.servers.sql.settings import SqlSettings

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

ANN = Caller(User("https://memory.example", "ann", frozenset({"analysts"})), "ide", "test", "call-1")


def make(folder: Path) -> Path:
    with sqlite3.connect(folder / "shop.db") as connection:
        connection.executescript(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, qty INTEGER); INSERT INTO orders VALUES (1, 2)"
        )
    return folder / "shop.db"


def entry(file: Path, **roles: Any) -> dict[str, Any]:
    return {
        "kind": "sql",
        "url": f"sqlite:///{file}",
        "owner": "data",
        "support": "#data",
        "access": {"groups": ["analysts"]},
        "roles": roles,
    }


def write(fleet: Path, server: dict[str, Any]) -> None:
    unfinished = fleet.with_suffix(".new")
    unfinished.write_text(yaml.safe_dump({"people": {"ann": {"groups": ["analysts"]}}, "servers": {"shop": server}}))
    unfinished.rename(fleet)


async def rows(source: Source, sql: str) -> Any:
    return (await SqlLane(source).run_query(ANN, sql=sql, max_rows=5, timeout_s=5)).rows


async def test_roles_of_a_fleet_are_followed_and_a_broken_file_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, fleet = make(tmp_path), tmp_path / "fleet.yaml"
    narrow = {"tables": {"orders": {"operations": ["read"], "columns": {"exclude": ["qty"]}}}}
    write(fleet, entry(file, analyst=narrow))
    settings = fleet_file.load(fleet, tmp_path).servers["shop"].settings
    server, source = assemble(SqlSettings.parse("shop", settings))
    assert server.following is not None
    followed = FollowedEntry("shop", fleet, tmp_path, server.following, settings)
    await source.open()
    try:
        with pytest.raises(Invalid, match="qty"):
            await rows(source, "SELECT qty FROM orders")
        write(fleet, entry(file, analyst={"tables": ["orders"], "operations": ["read"]}))
        followed.look()
        assert [list(row) for row in await rows(source, "SELECT qty FROM orders")] == [[2]]
        for broken in (entry(file, analyst={"tables": ["nothing"], "operations": ["read"]}), {"kind": "nothing"}):
            write(fleet, broken)
            followed.look()
            assert "keeps its settings" in caplog.text
            assert await rows(source, "SELECT qty FROM orders")
        caplog.set_level(logging.WARNING)
        write(fleet, {**entry(file, analyst=narrow), "owner": "others", "read_only": True})
        followed.look()
        with pytest.raises(Invalid, match="qty"):
            await rows(source, "SELECT qty FROM orders")
        assert "until it is started again: owner, read_only" in caplog.text
        with sqlite3.connect(file) as connection:
            connection.execute("ALTER TABLE orders ADD COLUMN note TEXT")
        before = source.ground.catalog.version
        await followed.refresh()
        assert source.ground.catalog.version != before
    finally:
        await source.close()


async def test_a_login_of_a_role_takes_its_password_from_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file, fleet = make(tmp_path), tmp_path / "fleet.yaml"
    role = {"tables": ["orders"], "operations": ["read"], "login": {"url": {"env": "SHOP_OF_ANALYSTS"}}}
    write(fleet, entry(file, analyst={"tables": ["orders"], "operations": ["read"]}))
    settings = fleet_file.load(fleet, tmp_path).servers["shop"].settings
    server, source = assemble(SqlSettings.parse("shop", settings))
    assert server.following is not None
    followed = FollowedEntry("shop", fleet, tmp_path, server.following, settings)
    await source.open()
    try:
        write(fleet, entry(file, analyst=role))
        followed.look()
        assert "the variable SHOP_OF_ANALYSTS is not set" in caplog.text
        (tmp_path / "other").mkdir()
        other = make(tmp_path / "other")
        with sqlite3.connect(other) as connection:
            connection.execute("UPDATE orders SET qty = 7")
        monkeypatch.setenv("SHOP_OF_ANALYSTS", f"sqlite:///{other}")
        write(fleet, entry(file, analyst=role))
        followed.look()
        assert [list(row) for row in await rows(source, "SELECT qty FROM orders")] == [[7]]
    finally:
        await source.close()


async def test_what_somebody_misses_is_looked_for_again_but_not_at_every_call(tmp_path: Path) -> None:
    file = make(tmp_path)
    time = [0.0]
    looked: list[float] = []
    policy = parse_policy({"analyst": {"tables": {"*": {"operations": ["read"]}}}})
    settings = SqlSettings.parse("shop", {**entry(file), "roles": {}})
    source = Source(settings.engine(), policy, now=lambda: time[0])
    await source.open()
    introspect = source.engine.introspect

    async def counted() -> Any:
        looked.append(time[0])
        return await introspect()

    source.engine.introspect = counted
    try:
        with sqlite3.connect(file) as connection:
            connection.execute("CREATE TABLE late (id INTEGER PRIMARY KEY)")
        with pytest.raises(Invalid, match="late"):
            await rows(source, "SELECT id FROM late")
        assert looked == []  # the schema is younger than five seconds
        time[0] = MISSES_APART_S + 1
        for _ in range(9):
            with pytest.raises(Invalid, match="late"):
                await rows(source, "SELECT id FROM late")
            if source._closing:
                await asyncio.gather(*source._closing)
                break
        assert len(looked) == 1
        assert list(await rows(source, "SELECT id FROM late")) == []
        with pytest.raises(Invalid):
            await rows(source, "SELECT id FROM nothing")
        assert len(looked) == 1
        time[0] *= 2
        with sqlite3.connect(file) as connection:
            connection.execute("DROP TABLE late")
        with pytest.raises(Invalid):  # the engine misses it, and the guard did not know
            await source.engine.run((await _governed(source)), source.ground.roles["analyst"].view, {}, Limits(5, 5.0))
        with pytest.raises(Invalid):
            await rows(source, "SELECT id, id + 1 FROM late")
        await asyncio.gather(*source._closing)
        assert len(looked) == 2
        assert "late" not in source.ground.roles["analyst"].view.table_names
    finally:
        await source.close()


async def _governed(source: Source) -> Any:
    from pierhead.sdk.sqlguard import govern  # noqa: PLC0415

    return govern("SELECT id FROM late", source.ground.roles["analyst"].view, max_rows=5)


async def test_a_refusal_is_no_miss(tmp_path: Path) -> None:
    settings = SqlSettings.parse("shop", {**entry(make(tmp_path)), "roles": {}})
    source = Source(settings.engine(), parse_policy({"a": {"groups": ["others"], "tables": []}}), now=lambda: 0.0)
    await source.open()
    with pytest.raises(Forbidden):
        await rows(source, "SELECT 1")
    assert not source._closing
    await source.close()
