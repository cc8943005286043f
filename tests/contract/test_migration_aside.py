"""What is tried out in a schema aside leaves the real one alone, and says where it cannot be tried out."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.postgres import Database, Server
from tests.support.run_module import ModuleFailed, run_module


@pytest.fixture
def database(live: Server) -> Iterator[Database]:
    with live.database() as fresh:
        yield fresh


def migrate(database: Database, files: dict[str, str], check: bool = False, **more: Any) -> dict[str, Any]:
    migrations = [{"name": name, "sql": sql} for name, sql in files.items()]
    return run_module("postgres_migration", {**database.login, "migrations": migrations, **more}, check=check)


def test_finding_out_what_files_declare_moves_no_sequence(database: Database) -> None:
    files = {
        "001_a.sql": "create table if not exists public.foo(id serial primary key);\n"
        "select setval('public.foo_id_seq', 10);"
    }
    migrate(database, files)
    database.rows("SELECT setval('foo_id_seq', 100)")
    files["002_b.sql"] = "create table if not exists bar(id int)"
    migrate(database, files, check=True)
    assert migrate(database, files, on_drift="fail")["actions"] == ["apply 002_b.sql"]
    assert database.rows("SELECT last_value FROM foo_id_seq") == [(100,)]
    database.rows("DROP TABLE foo")
    with pytest.raises(ModuleFailed, match="table foo is missing"):
        migrate(database, files, on_drift="fail")


def test_finding_out_what_files_declare_holds_no_real_table(database: Database) -> None:
    files = {
        "001_a.sql": "create table foo(id int);",
        "002_b.sql": "alter table public.foo add column if not exists y int; select pg_sleep(1);",
    }
    migrate(database, files)
    files["003_c.sql"] = "create table if not exists z(id int);"
    waits: list[float] = []
    done = threading.Event()

    def read() -> None:
        with contextlib.closing(database.connect()) as reader, reader.cursor() as cursor:
            reader.autocommit = True
            while not done.is_set():
                began = time.monotonic()
                cursor.execute("SELECT count(*) FROM foo")
                waits.append(time.monotonic() - began)
                time.sleep(0.005)

    reader = threading.Thread(target=read)
    reader.start()
    began = time.monotonic()
    migrate(database, files)
    took = time.monotonic() - began
    done.set()
    reader.join()
    assert max(waits) < 0.25
    assert took < 1
