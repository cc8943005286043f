"""A live PostgreSQL for contract tests: one container a version, a database of its own for whoever asks."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Optional

import psycopg2
import pytest
from psycopg2 import sql

from tests.support.containers import docker
from tests.support.run_module import run_module
from tests.support.waiting import until

# What a host gets, and what runs on the droplet since before us.
VERSIONS = (17, 15)
PASSWORD = "contract-" + secrets.token_hex(4)
# Seconds after which whoever uses a table counts as shut out.
PATIENCE = 3
GATE = """
CREATE TABLE gate (opened boolean);
CREATE FUNCTION pass_gate() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    FOR n IN 1..1200 LOOP EXIT WHEN EXISTS (SELECT FROM gate); PERFORM pg_sleep(0.05); END LOOP;
END $$;
"""
RUNNING: dict[int, Server] = {}


@dataclass(frozen=True)
class Database:
    """One database; ``login`` is what the module takes."""

    server: Server
    name: str

    @property
    def login(self) -> dict[str, Any]:
        return {
            "login_host": self.server.host,
            "login_port": self.server.port,
            "login_user": self.server.user,
            "login_password": PASSWORD,
            "login_db": self.name,
        }

    def connect(self) -> Any:
        return psycopg2.connect(
            host=self.server.host, port=self.server.port, user=self.server.user, password=PASSWORD, dbname=self.name
        )

    def rows(self, query: Any, params: Optional[Sequence[Any]] = None) -> list[tuple[Any, ...]]:
        """Run one statement in autocommit; its rows, if it has any."""
        with contextlib.closing(self.connect()) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(query, params)
                return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def undone(self) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
        """Run statements in a transaction that is rolled back."""
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:

            def rows(query: str) -> list[tuple[Any, ...]]:
                cursor.execute(query)
                return cursor.fetchall() if cursor.description else []

            yield rows
            connection.rollback()


@dataclass(frozen=True)
class Server:
    host: str
    port: int
    user: str

    @contextlib.contextmanager
    def database(self, template: str = "template1") -> Iterator[Database]:
        """A new database, dropped afterwards."""
        admin = Database(self, "postgres")
        name = f"t_{secrets.token_hex(4)}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        admin.rows(create)
        try:
            yield Database(self, name)
        finally:
            admin.rows(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def server(container: Callable[..., Any], version: int = VERSIONS[0]) -> Server:
    """The session's server; PLANNER_MEMORY_TEST_POSTGRES=host:port:user names one that trusts this host instead."""
    if version not in RUNNING:
        given = os.environ.get("PLANNER_MEMORY_TEST_POSTGRES")
        RUNNING[version] = _given(given) if given and version == VERSIONS[0] else _started(container, version)
    return RUNNING[version]


@pytest.fixture(scope="session", params=VERSIONS, ids=lambda version: f"postgres{version}")
def live(request: pytest.FixtureRequest, container: Callable[..., Any]) -> Server:
    """Each version in turn."""
    image = f"postgres:{request.param}"
    if request.param != VERSIONS[0] and not docker("images", "-q", image):
        pytest.skip(f"there is no image {image} here, which ./stack test contract makes")
    return server(container, request.param)


@pytest.fixture
def database(live: Server) -> Iterator[Database]:
    """A fresh one for each test."""
    with live.database() as fresh:
        yield fresh


def migrate(database: Database, *migrations: dict[str, str], check: bool = False, **more: Any) -> dict[str, Any]:
    return run_module("postgres_migration", {**database.login, "migrations": list(migrations), **more}, check=check)


def named(files: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "sql": text} for name, text in files.items()]


def migrate_files(database: Database, files: dict[str, str], **more: Any) -> dict[str, Any]:
    return migrate(database, *named(files), **more)


@contextlib.contextmanager
def reading(database: Database, query: str) -> Iterator[list[float]]:
    """Ask the same all the while; the seconds that each answer took.

    The server says whether a lock was waited for longer than ``PATIENCE``, so that no load of this machine counts.

    :raises psycopg2.errors.LockNotAvailable: at the end, when one was
    """
    waits: list[float] = []
    done = threading.Event()

    def read() -> None:
        with contextlib.closing(database.connect()) as reader, reader.cursor() as cursor:
            reader.autocommit = True
            cursor.execute(f"SET lock_timeout = '{PATIENCE}s'")
            while not done.is_set():
                began = time.monotonic()
                cursor.execute(query)
                waits.append(time.monotonic() - began)
                time.sleep(0.005)

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            assert until(lambda: waits or reader.done(), 30)
            yield waits
        finally:
            done.set()
        reader.result()


@dataclass(frozen=True)
class Gate:
    """A statement ``SELECT public.pass_gate()`` lasts until the gate is opened, a minute at most."""

    database: Database

    def __post_init__(self) -> None:
        self.database.rows(GATE)

    def reached(self) -> None:
        """Wait until a statement of somebody else's is at it."""
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query ~ 'pass_gate'"
            " AND state = 'active' AND pid <> pg_backend_pid()"
        )
        assert until(lambda: self.database.rows(waiting), 30)

    def open(self) -> None:
        self.database.rows("INSERT INTO gate VALUES (true)")

    def close(self) -> None:
        self.database.rows("DELETE FROM gate")


@contextlib.contextmanager
def holding(database: Database, statement: str, seconds: float = 0) -> Iterator[None]:
    """Run a statement in a transaction that stays open, or ends after some seconds."""
    with contextlib.closing(database.connect()) as other, other.cursor() as cursor:
        cursor.execute(statement)
        timer = threading.Timer(seconds, other.rollback) if seconds else None
        if timer:
            timer.start()
        yield
        if timer:
            timer.join()


def _given(address: str) -> Server:
    host, port, user = address.split(":")
    return Server(host, int(port), user)


def _started(container: Callable[..., Any], version: int) -> Server:
    started = container(
        f"postgres:{version}",
        env={"POSTGRES_USER": "n8n", "POSTGRES_PASSWORD": PASSWORD},
        ports=[5432],
        args=["postgres", "-c", "fsync=off"],
    )
    live = Server(started.host, started.port(5432), "n8n")
    started.wait(lambda: bool(Database(live, "postgres").rows("SELECT 1")))
    return live
