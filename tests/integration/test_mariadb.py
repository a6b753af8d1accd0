"""What only MariaDB has: the published holes of its drivers and dialect, its sessions, its names, its schema."""

import asyncio
import decimal
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncmy
import pytest
from tests.integration.sql_shops import CALLER, Governed, MariadbShop, source
from tests.shop import CANARIES, analyst_view

from pierhead.core.errors import Invalid, Misconfigured, PierheadError, ToolTimedOut, UpstreamUnreachable
from pierhead.sdk.governed.engine import Limits, SecondOpinionDiffers
from pierhead.sdk.sqlguard import GovernedQuery
from pierhead.servers.sql.engines.mysql import MysqlEngine
from pierhead.servers.sql.engines.mysql_session import Address, Sessions

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
VIEW = analyst_view("mysql")


@pytest.fixture(scope="module")
def shop(mariadb_url: str) -> MariadbShop:
    return MariadbShop.load(mariadb_url)


@pytest.fixture
async def opened(shop: MariadbShop) -> AsyncIterator[Governed]:
    governed = source(shop)
    await governed.open()
    yield governed
    await governed.close()


@pytest.fixture
async def sessions(shop: MariadbShop) -> AsyncIterator[Sessions]:
    pool = Sessions(Address.parse(shop.url))
    yield pool
    await pool.close()


async def ask(governed: Governed, sql: str, seconds: float = 5.0) -> list[list[object]]:
    return (await governed.run_query(CALLER, sql=sql, max_rows=50, timeout_s=seconds)).rows


def query(sql: str, *slots: str) -> GovernedQuery:
    return GovernedQuery(sql, (), 50, explain=False, slots=slots)


async def test_a_session_runs_no_second_statement(sessions: Sessions, shop: MariadbShop) -> None:
    """Asyncmy connects with several statements on; without COM_SET_OPTION the first line would run both."""
    connection = await asyncmy.connect(host="127.0.0.1", port=urlsplit(shop.url).port, user="root", database="shop")
    await connection.query("SELECT 1; SELECT 2")
    connection.close()
    async with sessions.session() as session:
        for attempt in (session.say, session.rows):
            with pytest.raises(asyncmy.errors.ProgrammingError):
                await attempt("SELECT 1; SELECT 2")


async def test_a_session_cannot_write(sessions: Sessions, shop: MariadbShop) -> None:
    before = shop.state()
    writes = (
        "DELETE FROM secrets",
        "INSERT INTO secrets (token) VALUES ('x')",
        "UPDATE orders SET qty = 0",
        "CREATE TABLE more (id int)",
        "CREATE TEMPORARY TABLE more (id int)",
        "DROP TABLE secrets",
        "SELECT wipe()",
        "SELECT nextval(s)",
        "CALL some_proc()",
        "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE secrets (token)",
    )
    async with sessions.session() as session:
        for write in writes:
            with pytest.raises(asyncmy.errors.Error):
                await session.rows(write)
    assert shop.state() == before


async def test_using_and_natural_never_reach_a_hidden_column(opened: Governed) -> None:
    """MariaDB's own column grants let both through."""
    guess = "(SELECT 'c7@canary.example' AS email, 7 AS n) g"
    with pytest.raises(Invalid):
        await ask(opened, f"SELECT n FROM customers JOIN {guess} USING (email)")
    right = await ask(opened, f"SELECT count(*) FROM customers NATURAL JOIN {guess}")
    wrong = await ask(opened, f"SELECT count(*) FROM customers NATURAL JOIN {guess.replace('c7@', 'x@')}")
    assert right == wrong


async def test_regular_expressions_are_written_as_mariadb_reads_them(opened: Governed) -> None:
    rows = await ask(opened, "SELECT id FROM customers WHERE name REGEXP 'r 1[0-2]$' AND NOT name RLIKE '1$'")
    assert [row[0] for row in rows] == [10, 12]
    assert await ask(opened, "SELECT id FROM customers WHERE name REGEXP 'a|r 1$' = 1 AND id < 3") == [[1]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 /*!50000 , (SELECT token FROM secrets) */",
        "SELECT 1 /*M! UNION SELECT token FROM secrets */",
        "SELECT 1 /*M!100000 UNION SELECT token FROM secrets */",
        "SELECT 'a' /*! UNION SELECT token FROM secrets */ 'b'",
        "SELECT 'it''s' /*!, token FROM secrets */",
        'SELECT "a\\" /*! */" /*!, (SELECT token FROM secrets) */',
        "SELECT `a/*!` FROM orders /*!UNION SELECT token FROM secrets*/",
        "SELECT 1 -- /*\n/*! UNION SELECT token FROM secrets */",
        "SELECT 1 # '\n/*! UNION SELECT token FROM secrets # ' */",
    ],
)
async def test_what_the_server_executes_inside_comments_is_refused(opened: Governed, sql: str) -> None:
    with pytest.raises(Invalid):
        await ask(opened, sql)


async def test_a_comment_sign_inside_a_string_is_text(opened: Governed) -> None:
    assert await ask(opened, "SELECT '/*! no comment */' AS a FROM products LIMIT 1") == [["/*! no comment */"]]


async def test_the_time_limit_cannot_be_lifted(opened: Governed) -> None:
    endless = "SELECT count(*) FROM orders a, orders b, orders c, orders d WHERE a.qty + b.qty + c.qty + d.qty > 1"
    with pytest.raises(Invalid) as refused:
        await ask(opened, f"SET STATEMENT max_statement_time=0 FOR {endless}")
    assert refused.value.code == "not-a-read"
    with pytest.raises(ToolTimedOut):
        await ask(opened, f"SELECT /*+ MAX_EXECUTION_TIME(0) */ {endless.removeprefix('SELECT ')}", seconds=0.5)


async def test_a_session_outlives_no_time_limit_of_its_own(sessions: Sessions) -> None:
    async with sessions.session() as session:
        held = "SELECT @@max_statement_time, @@tx_read_only, @@sql_select_limit, @@lock_wait_timeout, @@autocommit"
        assert [int(value) for value in (await session.rows(held))[0]] == [61, 1, 100_001, 2, 1]
        assert "QUOTES" not in (await session.rows("SELECT @@sql_mode"))[0][0]


async def test_values_are_bound_and_never_text(shop: MariadbShop) -> None:
    engine = shop.engine()
    nasty = "x' OR 1=1 -- \\"
    values = {"a": nasty, "b": 7, "c": decimal.Decimal("1.50"), "d": None, "e": b"\x00\xff"}
    rows = await engine.run(query("SELECT ?, ?, ?, ?, ?", *values), VIEW, values, Limits(5, 5.0))
    assert rows.rows == ((nasty, 7, decimal.Decimal("1.50"), None, b"\x00\xff"),)
    await engine.close()


async def test_many_ended_statements_leave_no_one_waiting(shop: MariadbShop, opened: Governed) -> None:
    """More statements than there are sessions, all ended: the next one runs, and the server works on none."""
    endless = "SELECT count(*) FROM orders a, orders b, orders c, orders d WHERE a.qty + b.qty + c.qty + d.qty > 1"
    ended = await asyncio.gather(*(ask(opened, endless, 0.5) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(outcome, ToolTimedOut) for outcome in ended)
    assert await ask(opened, "SELECT count(*) FROM products") == [[40]]
    running = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%b.qty%' AND id <> connection_id()"
    async with asyncio.timeout(5):
        while (await asyncio.to_thread(shop.run, running)).strip() != "0":
            pass


async def test_the_second_opinion_knows_databases_and_functions(opened: Governed, shop: MariadbShop) -> None:
    shop.run("CREATE TABLE IF NOT EXISTS otherdb.orders (id int); INSERT INTO otherdb.orders VALUES (1)")
    shop.run("CREATE OR REPLACE FUNCTION shop.three() RETURNS int DETERMINISTIC NO SQL RETURN 3")
    governed = source(shop)
    await governed.open()
    for hole in (
        "SELECT id FROM otherdb.orders",
        "SELECT three() FROM shop.orders",
        "SELECT token FROM leaky",
        "SELECT host FROM mysql.user",
        "SELECT count(*) FROM information_schema.tables",
    ):
        with pytest.raises(SecondOpinionDiffers):
            await governed.source.engine.confirm(GovernedQuery(hole, VIEW.tables, 1, explain=False), VIEW, {})
    await governed.close()
    shop.run("DROP TABLE otherdb.orders; DROP FUNCTION three")


async def test_a_login_without_rights_below_a_view_reads_the_view(shop: MariadbShop) -> None:
    shop.run("DROP USER IF EXISTS totals@'%'; CREATE USER totals@'%'; GRANT SELECT ON shop.order_totals TO totals@'%'")
    narrow = MariadbShop(shop.url.replace("root", "totals"))
    governed = source(narrow, {"totals": {"tables": ["order_totals"], "operations": ["read"]}})
    await governed.open()
    assert len(await ask(governed, "SELECT * FROM order_totals ORDER BY customer_id")) == 50
    await governed.close()


async def test_names_are_found_in_any_case_and_written_as_stored(opened: Governed) -> None:
    assert await ask(opened, "SELECT ID, Orders.QTY FROM Orders WHERE Orders.id = 3") == [[3, 4]]
    with pytest.raises(Invalid):
        await ask(opened, "SELECT token FROM SECRETS")


async def test_keys_references_defaults_and_generated_columns_are_known(shop: MariadbShop) -> None:
    shop.run(
        "DROP TABLE IF EXISTS pieces, heads;"
        "CREATE TABLE heads (b int, a int, name varchar(20) UNIQUE, PRIMARY KEY (a, b));"
        "CREATE TABLE pieces (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, b int, a int NOT NULL, price decimal(8,2),"
        " note varchar(9) DEFAULT 'n', doubled int AS (a * 2) STORED, body text COMMENT 'what it says',"
        " CONSTRAINT of_head FOREIGN KEY (a, b) REFERENCES heads (a, b), UNIQUE (note, price), UNIQUE (body(10)))"
    )
    engine = shop.engine()
    tables = {table.name: table for table in (await engine.introspect()).tables}
    await engine.close()
    shop.run("DROP TABLE pieces, heads")
    pieces, heads = tables["pieces"], tables["heads"]
    assert (heads.primary_key, heads.unique) == (("a", "b"), (("name",),))
    assert (pieces.primary_key, pieces.unique) == (("id",), (("note", "price"),))
    (key,) = pieces.foreign_keys
    assert (key.columns, key.target_schema, key.target, key.target_columns) == (("a", "b"), "shop", "heads", ("a", "b"))
    columns = {column.name: column for column in pieces.columns}
    assert [name for name, column in columns.items() if column.has_default] == ["id", "note"]
    assert [name for name, column in columns.items() if column.is_generated] == ["doubled"]
    assert columns["body"].comment == "what it says"
    assert (columns["id"].type, columns["price"].is_nullable) == ("bigint(20) unsigned", True)
    assert tables["leaky"].reads == {("shop", "secrets")}
    assert "s" not in tables, "a sequence is no table"


async def test_errors_of_the_server_are_never_shown(opened: Governed) -> None:
    for sql in (
        "SELECT CAST(name AS DATE) + nothing FROM customers",
        "SELECT (SELECT name FROM customers) FROM products",
        "SELECT id FROM orders WHERE name = 'x'",
        "SELECT exp(1000000) FROM orders",
    ):
        try:
            await ask(opened, sql)
        except PierheadError as refusal:
            shown = f"{refusal.message} {refusal.hint}"
            assert not any(word in shown for word in (*CANARIES, "Customer 1", "SQL syntax", "MariaDB"))


async def test_a_refused_login_and_an_absent_server_are_told_apart(shop: MariadbShop) -> None:
    port = urlsplit(shop.url).port
    for url, said in (
        (f"mysql://analyst_login:wrong@127.0.0.1:{port}/shop", "refuses this source's login"),
        ("mysql://root@127.0.0.1:9/shop", "does not answer"),
    ):
        engine = MysqlEngine(url)
        with pytest.raises(UpstreamUnreachable, match=said):
            await engine.introspect()
        await engine.close()


@pytest.mark.parametrize(
    "url",
    [
        "mysql://root@127.0.0.1",
        "mysql:///shop",
        "mysql://root@127.0.0.1:port/shop",
        "mysql://root@db.example/shop?ssl-mode=maybe",
        "mysql://root@db.example/shop?local_infile=1",
    ],
)
async def test_a_url_that_says_too_little_or_too_much_does_not_start(url: str) -> None:
    with pytest.raises(Misconfigured):
        MysqlEngine(url)


async def test_beyond_this_machine_a_connection_is_encrypted_unless_the_url_says_otherwise() -> None:
    assert Address.parse("mysql://root@127.0.0.1/shop").tls is None
    strict = Address.parse("mysql://root@db.example/shop").tls
    assert strict
    assert strict.check_hostname
    assert Address.parse("mysql://root@db.example/shop?ssl-mode=disabled").tls is None
