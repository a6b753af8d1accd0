"""`pierhead serve` and `doctor` on a real PostgreSQL: logins that are too strong, passwords, a schema that moves on."""

import json
from pathlib import Path

import asyncpg
import httpx2
import pytest
from tests.serving_database import Serving, pierhead, serving

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(180)]

TABLES = """
CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL, cost int);
CREATE TABLE orders (id int PRIMARY KEY, product_id int REFERENCES products, qty int NOT NULL);
CREATE TABLE secrets (token text);
INSERT INTO products VALUES (1, 'tea', 3); INSERT INTO orders VALUES (1, 1, 2);
"""
ROLES = """
roles:
  analyst:
    tables:
      orders: {operations: [read]}
      products: {operations: [read], columns: {exclude: [cost]}}
"""


@pytest.fixture
async def url(postgres_url: str) -> str:
    """A database of its own, for its superuser."""
    owner = await asyncpg.connect(f"{postgres_url}/postgres")
    await owner.execute("DROP DATABASE IF EXISTS served WITH (FORCE)")
    await owner.execute("DROP ROLE IF EXISTS pierhead_reader")
    await owner.execute("CREATE DATABASE served")
    await owner.close()
    await run(f"{postgres_url}/served", TABLES)
    return f"{postgres_url}/served"


async def run(url: str, statements: str) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute(statements)
    await owner.close()


def roles_file(folder: Path) -> Path:
    file = folder / "roles.yaml"
    file.write_text(ROLES)
    return file


async def test_the_script_of_doctor_makes_a_login_that_can_do_no_more(url: str, tmp_path: Path) -> None:
    roles, data = str(roles_file(tmp_path)), str(tmp_path / "data")
    found = pierhead("doctor", "--db", url, "--roles", roles, "--data", data, "--json")
    assert found.returncode == 8
    said = json.loads(found.stdout)
    levels = {finding["check"]: finding["level"] for finding in said["findings"]}
    assert levels == {
        "login": "ok",
        "superuser": "danger",
        "ownership": "danger",
        "files": "danger",
        "writing": "advice",
        "reading": "advice",
    }
    await run(url, said["script"].replace("CHANGE-ME", "a-password"))
    reader = f"postgresql://pierhead_reader:a-password@{url.rpartition('@')[2]}"
    checked = pierhead("doctor", "--db", reader, "--roles", roles, "--data", data)
    assert checked.returncode == 0, checked.stdout
    assert "danger" not in checked.stdout
    assert "advice" not in checked.stdout
    with serving(reader, tmp_path / "data", "--roles", roles) as running:
        assert running.facts["warnings"] == []
        assert "a-password" not in command_of(running)
        async with running.mcp() as client:
            answer = await client.call_tool("run_query", {"sql": "SELECT * FROM products JOIN orders USING (id)"})
            assert answer.structured_content["rows"] == [[1, "tea", 1, 2]], answer
        assert "a-password" not in running.log.read_text()


async def test_a_login_that_is_too_strong_is_warned_of_and_sends_no_sql_elsewhere(url: str, tmp_path: Path) -> None:
    for folder in ("here", "there", "trusted"):
        (tmp_path / folder).mkdir()
    with serving(url, tmp_path / "here" / "data") as running:
        assert any("superuser" in warning for warning in running.facts["warnings"])
        assert answered(running) == 200
    elsewhere = ("--host", "127.0.0.2", "--public-url", "https://data.example")
    with serving(url, tmp_path / "there" / "data", *elsewhere) as running:
        assert running.facts["url"] == "https://data.example"
        assert answered(running, "data.example") in (403, 404)
    with serving(url, tmp_path / "trusted" / "data", *elsewhere, "--sql-with-privileged-login") as running:
        assert answered(running, "data.example") == 200
        assert answered(running, "other.example") == 421


def command_of(running: Serving) -> str:
    """What every user of this machine reads of the process."""
    command = Path(f"/proc/{running.process.pid}/cmdline").read_text()
    assert "serve" in command
    return command


def answered(running: Serving, name: str = "") -> int:
    """The status of a statement sent over REST."""
    headers = {"authorization": f"Bearer {running.key}", **({"host": name} if name else {})}
    where = f"{running.facts['listening']}/api/v1/_sql"
    statement = {"sql": "SELECT count(*) FROM orders"}
    return httpx2.post(where, json=statement, headers=headers, trust_env=False, timeout=60).status_code
