"""A shop whose tables are related in every way, with composite keys, other keys than id, and odd names.

The same rows on four engines, so that answers can be compared. `secret` columns and tables hold the canary.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
from tests.integration.sql_shops import DuckdbShop, MariadbShop, PostgresShop, Shop, SqliteShop

CANARY: Final = "canary-7193"
_TABLES: Final = """
CREATE TABLE people (person_id integer PRIMARY KEY, name varchar(40) NOT NULL, region varchar(10) NOT NULL,
  manager_id integer REFERENCES people(person_id), born date, secret varchar(20));
CREATE TABLE passports (person_id integer PRIMARY KEY REFERENCES people(person_id), number varchar(20) NOT NULL);
CREATE TABLE orders (region varchar(10) NOT NULL, number integer NOT NULL,
  person_id integer NOT NULL REFERENCES people(person_id), total integer, status varchar(10) DEFAULT 'new',
  PRIMARY KEY (region, number));
CREATE TABLE products (code varchar(10) PRIMARY KEY, "select" varchar(20), "odd ""col." varchar(20), price integer,
  tags {json}, is_active boolean NOT NULL);
CREATE TABLE lines (region varchar(10) NOT NULL, number integer NOT NULL, place integer NOT NULL,
  product_code varchar(10) NOT NULL REFERENCES products(code), qty integer NOT NULL,
  PRIMARY KEY (number, region, place), FOREIGN KEY (region, number) REFERENCES orders(region, number));
CREATE TABLE labels (label_id integer PRIMARY KEY, word varchar(20) NOT NULL UNIQUE);
CREATE TABLE product_labels (product_code varchar(10) NOT NULL REFERENCES products(code),
  label_id integer NOT NULL REFERENCES labels(label_id), PRIMARY KEY (product_code, label_id));
CREATE TABLE notes (body varchar(1000), person_id integer REFERENCES people(person_id));
CREATE TABLE vault (person_id integer PRIMARY KEY REFERENCES people(person_id), word varchar(20));
"""
_ROWS: Final = f"""
INSERT INTO people VALUES (1, 'Ada', 'north', NULL, '1990-05-01', '{CANARY}');
INSERT INTO people VALUES (2, 'Bo', 'south', 1, '1985-01-31', '{CANARY}'), (3, 'Cy', 'north', 1, NULL, '{CANARY}');
INSERT INTO people VALUES (4, 'Di', 'west', 2, '2000-02-29', '{CANARY}');
INSERT INTO passports VALUES (1, 'P-1'), (3, 'P-3');
INSERT INTO orders VALUES ('n', 1, 1, 30, 'paid'), ('n', 2, 1, NULL, 'new'), ('s', 1, 2, 70, 'paid'),
  ('s', 2, 3, 30, 'void'), ('w', 1, 3, 5, 'new');
INSERT INTO products VALUES ('a-1', 'first', 'it''s', 10,
  '{{"color": "red", "size": 5, "in": {{"deep": [1, 2]}}, "hot": true}}', true),
  ('b,2', 'second', '100%_', 20, '{{"color": "blue", "size": 12}}', false), ('c(3)', NULL, 'x"y', NULL, NULL, true);
INSERT INTO lines VALUES ('n', 1, 1, 'a-1', 3), ('n', 1, 2, 'b,2', 1), ('s', 1, 1, 'a-1', 7), ('s', 2, 1, 'c(3)', 2);
INSERT INTO labels VALUES (1, 'new'), (2, 'sale'), (3, 'unused');
INSERT INTO product_labels VALUES ('a-1', 1), ('a-1', 2), ('b,2', 2);
INSERT INTO notes VALUES ('one', 1), ('two', NULL), ('{"x" * 600}', 2);
INSERT INTO vault VALUES (1, '{CANARY}'), (2, '{CANARY}');
"""
READ: Final[Mapping[str, Any]] = {"operations": ["read"]}
ROLES: Final[Mapping[str, Any]] = {
    "reader": {
        "tables": {
            "people": {"operations": ["read"], "columns": {"exclude": ["secret"]}},
            **dict.fromkeys(("passports", "orders", "products", "lines", "labels", "product_labels", "notes"), READ),
        }
    }
}


def script(json: str) -> str:
    return _TABLES.format(json=json) + _ROWS


def load(engine: str, place: str | Path) -> Shop:
    """`place` is a folder, or the URL of a server."""
    if engine == "postgres":
        shop = PostgresShop(f"{place}/related")
        shop._psql(f"{place}/postgres", "DROP DATABASE IF EXISTS related")
        shop._psql(f"{place}/postgres", "CREATE DATABASE related")
        shop._psql(shop.url, script("jsonb") + "ANALYZE;")
        return shop
    if engine == "mysql":
        made = MariadbShop(f"{place}/related")
        made.run("DROP DATABASE IF EXISTS related; CREATE DATABASE related", database="")
        text = script("json").replace(" lines ", ' "lines" ')  # a reserved word there
        made.run("SET sql_mode = 'ANSI_QUOTES';" + text, database="related")
        return made
    file = Path(place) / "related.db"
    if engine == "duckdb":
        with duckdb.connect(str(file)) as database:
            database.execute(script("JSON"))
        return DuckdbShop(file)
    connection = sqlite3.connect(file)
    connection.executescript(script("JSON"))
    connection.close()
    return SqliteShop(file)
