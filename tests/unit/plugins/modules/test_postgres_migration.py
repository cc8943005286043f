"""The whole module, with psycopg2 replaced where the connection would be made."""

from __future__ import annotations

import datetime
import decimal
import types
from pathlib import Path
from typing import Any, Optional
from unittest import mock

import psycopg2
import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, Unreachable
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations import session
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.history import History, Lock

from tests.support.run_module import ModuleFailed, run_module

LOGIN = {"login_user": "n8n", "login_db": "n8ndb", "login_password": "hunter2"}
ONE = {"name": "001_a.sql", "sql": "SELECT 1;"}


def refuse(monkeypatch: pytest.MonkeyPatch, words: str) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    def connect(**login: Any) -> None:
        asked.append(login)
        raise psycopg2.OperationalError(words)

    monkeypatch.setattr(session.psycopg2, "connect", connect)
    return asked


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            'connection to server at "127.0.0.1", port 5432 failed: Connection refused\n\tIs the server running?\n',
            "PostgreSQL at 127.0.0.1:5432 does not answer (Connection refused);"
            " start it, or correct login_host and login_port",
        ),
        (
            'connection failed: FATAL:  password authentication failed for user "n8n"\n',
            "PostgreSQL at 127.0.0.1:5432 refuses the password of user n8n; correct login_password",
        ),
        (
            'connection failed: FATAL:  database "n8ndb" does not exist\n',
            "PostgreSQL at 127.0.0.1:5432 has no database n8ndb; create it, or correct login_db",
        ),
        (
            'connection failed: FATAL:  role "n8n" does not exist\n',
            "PostgreSQL at 127.0.0.1:5432 has no user n8n; create it, or correct login_user",
        ),
        (
            "connection failed: FATAL:  sorry, too many clients already\n",
            "PostgreSQL at 127.0.0.1:5432 refuses the login: sorry, too many clients already",
        ),
    ],
)
def test_a_login_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch, words: str, sentence: str) -> None:
    refuse(monkeypatch, words)
    with pytest.raises(ModuleFailed) as caught:
        run_module("postgres_migration", {**LOGIN, "migrations": [ONE]})
    assert str(caught.value) == sentence


def test_how_the_connection_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = refuse(monkeypatch, "Connection refused")
    with pytest.raises(ModuleFailed):
        run_module("postgres_migration", {**LOGIN, "migrations": [ONE], "schema": 'my "schema', "login_host": "db"})
    assert asked[0]["host"] == "db"
    assert asked[0]["dbname"] == "n8ndb"
    assert asked[0]["options"] == ('-c search_path="my\\ ""schema" -c lock_timeout=500ms -c statement_timeout=300s')


def test_nothing_is_contacted_for_a_file_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = refuse(monkeypatch, "Connection refused")
    with pytest.raises(ModuleFailed, match="has no number"):
        run_module("postgres_migration", {**LOGIN, "migrations": [{"name": "a.sql", "sql": "SELECT 1"}]})
    assert asked == []


@pytest.mark.parametrize("module", ["postgres_migration", "postgres_migration_info"])
def test_no_file_at_all_is_refused_before_anything_is_contacted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str
) -> None:
    asked = refuse(monkeypatch, "Connection refused")
    with pytest.raises(ModuleFailed, match=rf"directory: {tmp_path} holds no \*\.sql file on this host; name one"):
        run_module(module, {**LOGIN, "directory": str(tmp_path)})
    with pytest.raises(ModuleFailed, match=r"migrations: \[\] names no file; give those"):
        run_module(module, {**LOGIN, "migrations": []})
    assert asked == []


def test_before_the_server_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "Connection refused")
    arguments = {**LOGIN, "migrations": [ONE], "assume_empty_if_unreachable": True}
    result = run_module("postgres_migration", arguments, check=True)
    assert result["changed"] is True
    assert result["actions"] == ["apply 001_a.sql"]
    with pytest.raises(ModuleFailed, match="does not answer"):
        run_module("postgres_migration", arguments)


@pytest.mark.parametrize(
    "words",
    [
        'connection to server at "db", port 5432 failed: timeout expired',
        'connection to server at "db", port 5432 failed: server closed the connection unexpectedly',
        "FATAL:  the database system is starting up",
    ],
)
def test_a_server_that_is_there_and_stalls_is_not_taken_for_one_to_come(
    monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    refuse(monkeypatch, words)
    arguments = {**LOGIN, "migrations": [ONE], "assume_empty_if_unreachable": True}
    with pytest.raises(ModuleFailed, match=r"does not answer .*; wait until it does, or look at its log"):
        run_module("postgres_migration", arguments, check=True)


def test_without_psycopg2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PSYCOPG2_ERROR", "No module named psycopg2")
    arguments = {**LOGIN, "migrations": [ONE], "assume_empty_if_unreachable": True}
    assert run_module("postgres_migration", arguments, check=True)["actions"] == ["apply 001_a.sql"]
    with pytest.raises(ModuleFailed, match="install the package python3-psycopg2"):
        run_module("postgres_migration", arguments)


@pytest.mark.parametrize("wrong", [{}, {"migrations": [ONE], "directory": "/tmp"}])
def test_files_come_from_one_place(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModuleFailed, match="migrations"):
        run_module("postgres_migration", {**LOGIN, **wrong})


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (decimal.Decimal("1.50"), 1.5),
        (decimal.Decimal("2.00"), 2),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), "2026-01-02T00:00:00+00:00"),
        (datetime.timedelta(seconds=90), 90.0),
        ([decimal.Decimal("0.5")], [0.5]),
        (memoryview(b"\x01\xff"), "01ff"),
        (None, None),
    ],
)
def test_values_that_ansible_cannot_carry(value: Any, wanted: Any) -> None:
    assert session.plain(value) == wanted


class Server:
    """As much of a psycopg2 connection as a session uses."""

    def __init__(self, version: int = 170000, error: Optional[Exception] = None, closed: int = 0) -> None:
        self.server_version = version
        self.error = error
        self.closed = closed
        self.autocommit = False
        self.executed: list[str] = []

    def cursor(self) -> Server:
        return self

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def execute(self, query: str, params: Any = None) -> None:
        self.executed.append(query)
        if self.error and query not in ("COMMIT", "ROLLBACK"):
            raise self.error

    rowcount = 3
    pid = 7
    description = (types.SimpleNamespace(name="pid"),)

    def get_backend_pid(self) -> int:
        return 7

    def fetchall(self) -> list[tuple[int]]:
        return [(self.pid,)]

    def get_transaction_status(self) -> int:
        return 2 if self.executed[-1] not in ("COMMIT", "ROLLBACK") else 0


def connected(monkeypatch: pytest.MonkeyPatch, server: Server) -> session.Session:
    monkeypatch.setattr(session.psycopg2, "connect", lambda **_: server)
    login = {**dict.fromkeys(session.CONNECTION_OPTIONS), "login_host": "db", "login_port": 5432, **LOGIN}
    error, closed = server.error, server.closed
    server.error, server.closed = None, 0
    live = session.Session(login, {})
    server.error, server.closed = error, closed
    server.executed.clear()
    return live


def test_a_pooler_in_place_of_the_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    server.pid = 8
    with pytest.raises(StackError, match=r"at db:5432 a pooler answers in place of PostgreSQL.*; name the address of"):
        connected(monkeypatch, server)
    refuse(monkeypatch, "FATAL:  unsupported startup parameter: options")
    with pytest.raises(ModuleFailed, match=r"at 127\.0\.0\.1:5432 a pooler answers in place of PostgreSQL"):
        run_module("postgres_migration", {**LOGIN, "migrations": [ONE]})


def test_an_old_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StackError, match="db:5432 is version 11; 12 or newer is needed"):
        connected(monkeypatch, Server(version=110022))


@pytest.mark.parametrize(("keep", "last"), [(True, "COMMIT"), (False, "ROLLBACK")])
def test_transactions_end_as_asked(monkeypatch: pytest.MonkeyPatch, keep: bool, last: str) -> None:
    server = Server()
    live = connected(monkeypatch, server)
    with live.transaction(keep=keep):
        assert live.execute("SELECT 1") == 3
    assert server.executed == ["BEGIN\n;\nSELECT 1", last]


def test_what_is_sent_together_counts_as_one_trip_and_shifts_no_position(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    live = connected(monkeypatch, server)
    live.later("CREATE TABLE a () -- 100 %")
    live.execute("SELECT %s", (1,))
    assert server.executed == ["CREATE TABLE a () -- 100 %%\n;\nSELECT %s"]


@pytest.mark.parametrize(("told", "meant"), [(9, 2), (3, None), (None, None)])
def test_a_position_counts_from_the_statement(told: Optional[int], meant: Optional[int]) -> None:
    diagnosis = mock.Mock(message_primary="no", message_detail=None, message_hint=None, statement_position=told)
    assert session._sql_error(mock.Mock(diag=diagnosis, pgcode="42601"), 7).position == meant


def test_an_error_rolls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(error=psycopg2.Error("oh no"))
    live = connected(monkeypatch, server)
    with pytest.raises(session.SqlError, match="oh no"), live.transaction():
        live.execute("SELECT 1")
    assert server.executed[-1] == "ROLLBACK"


def test_a_lost_connection_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    live = connected(monkeypatch, Server(error=psycopg2.OperationalError("server closed"), closed=1))
    with pytest.raises(Unreachable, match="db:5432 ended the connection: server closed"):
        live.execute("SELECT 1")


def test_a_table_of_another_tool_is_told_as_such() -> None:
    class Foreign:
        def rows(self, query: Any, _params: Any = None) -> list[dict[str, Any]]:
            if isinstance(query, str):
                return [{"?column?": 1}]
            raise session.SqlError('column "name" does not exist', "42703", None)

    with pytest.raises(StackError, match=r"public\.schema_migrations cannot be read: column .* another history_table"):
        History(Foreign(), "public", "schema_migrations").read()


def test_the_lock_is_proven_each_time_it_is_asked_about() -> None:
    """A connection may be silent because its goodbye is still underway."""
    holding = mock.Mock(version=170000, quiet=lambda: True)
    holding.rows.return_value = [{"taken": True, "reads": False}]
    lock = Lock(lambda: holding, "public", "schema_migrations")
    assert lock.try_take()
    lock.check()
    gone = Unreachable("PostgreSQL at db:5432 ended the connection: terminating")
    holding.rows.side_effect = holding.execute.side_effect = gone
    with pytest.raises(StackError, match=r"lost its lock \(PostgreSQL at db:5432 ended .*another run may be at work"):
        lock.check()
