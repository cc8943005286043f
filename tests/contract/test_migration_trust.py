"""What a live database may trust: kills, rivals, tables in use, and indexes that were never finished."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional
from unittest import mock

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations import catalog, scratch
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import Session
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import Statement

from tests.contract.postgres import PATIENCE, Database, Gate, Server, holding, migrate, reading, server
from tests.support.forked import Forked, killed_after
from tests.support.run_module import ModuleFailed, run_module
from tests.support.waiting import until

MIGRATIONS = Path(__file__).resolve().parents[2] / "roles" / "schema" / "files" / "migrations"
SHIPPED = [{"name": path.name, "sql": path.read_text()} for path in sorted(MIGRATIONS.glob("*.sql"))]
CONCURRENT = {
    "name": "004_concurrent.sql",
    "sql": "-- migrate: no-transaction\n"
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS plans_title ON plans (plan_title);\n"
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS plans_intent ON plans (intent);\n",
}
SETTINGS = {"planner_memory.runtime_role": "planner_memory_app"}


def content(database: Database) -> str:
    """A hash over everything that a migration can leave: definitions, privileges, prompts and the history."""
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path = public")
        cursor.execute(catalog._SNAPSHOT, ("public",))
        found = cursor.fetchall()
    found += database.rows(
        "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    found += database.rows("SELECT id, template_name, metadata, md5(content) FROM prompt_templates ORDER BY id")
    found += database.rows("SELECT name, version, checksum, success, kind FROM schema_migrations ORDER BY name")
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


@contextlib.contextmanager
def fresh_schema(database: Database) -> Iterator[None]:
    """Much cheaper than a database."""
    yield
    database.rows("DROP SCHEMA public CASCADE")
    database.rows("CREATE SCHEMA public")


@pytest.mark.parametrize("together", [False, True], ids=["each statement by itself", "as they are sent"])
def test_killed_after_each_statement_the_next_run_ends_where_an_undisturbed_one_does(
    container: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    if not together:
        monkeypatch.setattr(Statement, "makes_no_rows", False)
    files = [*SHIPPED, CONCURRENT]
    done = set()
    boundary = 0
    survived: Optional[bool] = None
    with server(container).database() as database:
        with fresh_schema(database):
            statements = len(migrate(database, *files, settings=SETTINGS)["statements"])
            wanted = content(database)
        while survived is None:
            boundary += 1
            with fresh_schema(database):
                survived = Forked(functools.partial(migrate_until, boundary, database, *files)).answer()
                done.add(len(migrate(database, *files, settings=SETTINGS)["actions"]))
                assert content(database) == wanted, f"killed after statement {boundary}"
    assert together or boundary > statements
    assert done == set(range(len(files) + 1))


def migrate_until(statement: int, database: Database, *migrations: dict[str, str]) -> bool:
    """Count what is to last, not what is found out in the transaction that is rolled back."""
    aside = scratch.declaration
    with killed_after(Session, "execute", statement) as paused:

        def uncounted(*args: Any, **kwargs: Any) -> Any:
            with paused():
                return aside(*args, **kwargs)

        with mock.patch.object(scratch, "declaration", uncounted):
            return bool(migrate(database, *migrations, settings=SETTINGS)["changed"])


def test_ended_by_the_server_after_each_statement_the_next_run_finishes(live: Server) -> None:
    files = [
        {"name": "001_a.sql", "sql": "CREATE TABLE a (id int);"},
        {"name": "002_b.sql", "sql": "INSERT INTO a VALUES (1);\nCREATE TABLE b ();\nINSERT INTO a VALUES (2);"},
        {
            "name": "003_c.sql",
            "sql": "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS c ON a (id);",
        },
    ]
    genuine = Session.execute
    ended = False
    boundary = 0
    with live.database() as database:

        def cut(session: Session, *args: Any) -> int:
            nonlocal left
            answer = genuine(session, *args)
            left -= 1
            if left == 0:
                database.rows("SELECT pg_terminate_backend(%s)", (session._connection.get_backend_pid(),))
                time.sleep(0.05)
            return answer

        while not ended:
            boundary += 1
            left = boundary
            with fresh_schema(database):
                with mock.patch.object(Session, "execute", cut):
                    try:
                        ended = migrate(database, *files)["changed"]
                    except ModuleFailed as error:
                        assert "ended the connection" in str(error), boundary
                migrate(database, *files)
                assert database.rows("SELECT id FROM a ORDER BY 1") == [(1,), (2,)], boundary
                assert database.rows("SELECT count(*) FROM schema_migrations WHERE success") == [(3,)], boundary
    assert boundary > 7


def test_two_runs_at_the_same_moment_apply_once(live: Server) -> None:
    with live.database() as database:
        for _try in range(20):
            runs = [Forked(lambda: migrate(database, *SHIPPED[:3])["changed"]) for _rival in range(2)]
            assert sorted(run.answer() for run in runs) == [False, True]
            with fresh_schema(database):
                assert database.rows("SELECT count(*) FROM schema_migrations") == [(3,)]


def test_two_runs_on_a_history_with_files_pending_apply_once(live: Server) -> None:
    """One transactional, one without transaction, one repeatable; both runs end well, and each file ran once."""
    before = {"name": "001_log.sql", "sql": "CREATE TABLE log (file int, made timestamp DEFAULT clock_timestamp());"}
    pending = [
        {"name": "002_b.sql", "sql": "INSERT INTO log VALUES (2);"},
        {
            "name": "003_c.sql",
            "sql": "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS log_file ON log (file);\n"
            "INSERT INTO log VALUES (3);",
        },
        {"name": "R__d.sql", "sql": "INSERT INTO log VALUES (9);"},
    ]
    for _try in range(20):
        with live.database() as database:
            migrate(database, before)
            runs = [Forked(lambda: migrate(database, before, *pending)["actions"]) for _rival in range(2)]
            assert sorted(len(run.answer()) for run in runs) == [0, 3]
            assert database.rows("SELECT file FROM log ORDER BY 1") == [(2,), (3,), (9,)]
            assert database.rows("SELECT count(*) FROM schema_migrations WHERE success") == [(4,)]


def test_one_that_may_not_wait_says_who_holds_the_lock(database: Database) -> None:
    slow = {"name": "001_slow.sql", "sql": "CREATE TABLE slow (id int); SELECT public.pass_gate();"}
    gate = Gate(database)
    first = Forked(lambda: migrate(database, slow)["changed"])
    gate.reached()
    with pytest.raises(
        ModuleFailed, match=r"another migration run holds the lock \(process \d+, user \w+, from .+, since"
    ):
        migrate(database, slow, lock_wait=0)
    gate.open()
    assert first.answer() is True


def test_who_uses_a_table_is_never_kept_waiting_for_long(database: Database) -> None:
    migrate(database, *SHIPPED)
    change = {"name": "004_priority.sql", "sql": "ALTER TABLE events ADD COLUMN priority integer;"}
    with holding(database, "SELECT * FROM events"):
        run = Forked(lambda: migrate(database, *SHIPPED, change, lock_wait=20 * PATIENCE)["actions"])
        with reading(database, "SELECT 1 FROM events LIMIT 1") as waits:
            # The reader queues behind the change, several times, each time no longer than the change waits.
            assert until(lambda: len([wait for wait in waits if wait > 0.3]) >= 2, 30)
    assert run.answer() == ["apply 004_priority.sql"]


BASE = {"name": "001_base.sql", "sql": "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1), (1);\n"}
UNIQUE = {
    "name": "002_unique.sql",
    "sql": "-- migrate: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);\n",
}


def validity(database: Database) -> Optional[bool]:
    rows = database.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('t_a')")
    return rows[0][0] if rows else None


def test_an_index_on_a_table_that_no_file_made_is_finished_too(database: Database) -> None:
    database.rows(BASE["sql"])
    with pytest.raises(ModuleFailed, match=r"002_unique\.sql line 2: could not create unique index"):
        migrate(database, UNIQUE)
    assert validity(database) is False
    database.rows("DELETE FROM t")
    assert migrate(database, UNIQUE)["changed"] is True
    assert validity(database) is True
    assert migrate(database, UNIQUE)["changed"] is False


def test_an_index_that_was_never_finished_is_dropped_and_built(database: Database) -> None:
    with pytest.raises(
        ModuleFailed, match=r"002_unique\.sql line 2: could not create unique index .*what ran before it stays"
    ):
        migrate(database, BASE, UNIQUE)
    assert validity(database) is False
    told = run_module("postgres_migration_info", {**database.login, "migrations": [BASE, UNIQUE]})
    assert (told["applied"], told["pending"], told["unfinished"]) == (
        ["001_base.sql"],
        ["002_unique.sql"],
        ["002_unique.sql"],
    )
    database.rows("DELETE FROM t WHERE ctid = '(0,1)'")
    checked = run_module("postgres_migration", {**database.login, "migrations": [BASE, UNIQUE]}, check=True)
    assert "allows no transaction" in checked["warnings"][-1]
    assert validity(database) is False
    assert migrate(database, BASE, UNIQUE)["actions"] == ["apply 002_unique.sql"]
    assert validity(database) is True
    assert migrate(database, BASE, UNIQUE)["changed"] is False


TAKEN = {
    "CREATE INDEX t_a ON t (b)": r"index t_a is there already as btree \(b\), and the file says unique btree \(a\)",
    "CREATE INDEX t_a ON t (a)": r"index t_a is there already as btree \(a\), and the file says unique btree \(a\)",
    "CREATE UNIQUE INDEX t_a ON t (a) WHERE a > 1": r"as unique btree \(a\) WHERE \(a > 1\), and the file says unique",
    "CREATE TABLE other (a int); CREATE UNIQUE INDEX t_a ON other (a)": "index t_a is there already and belongs to",
    "CREATE SEQUENCE t_a": "t_a is there already and is no index; give the index another name",
}


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("ran_before", [False, True], ids=["by hand", "after a file"])
def test_another_thing_of_the_name_is_not_taken_for_the_index(database: Database, taken: str, ran_before: bool) -> None:
    base = {"name": "001_base.sql", "sql": "CREATE TABLE t (a int, b int);"}
    if ran_before:
        migrate(database, base)
    else:
        database.rows(base["sql"])
    database.rows(taken)
    files = [base, UNIQUE] if ran_before else [UNIQUE]
    for check in (True, False):
        with pytest.raises(ModuleFailed, match=rf"002_unique\.sql line 2: .*{TAKEN[taken]}"):
            migrate(database, *files, check=check)
    assert database.rows("SELECT 1 FROM pg_class WHERE relname = 't_a' AND relkind <> 'S'") or "SEQUENCE" in taken
    told = run_module("postgres_migration_info", {**database.login, "migrations": files})
    assert "002_unique.sql" in told["pending"]


def test_another_table_of_the_name_is_not_taken_by_a_file_without_transaction(database: Database) -> None:
    file = {
        "name": "001_t.sql",
        "sql": "-- migrate: no-transaction\nCREATE TABLE IF NOT EXISTS t (a int);\n"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);",
    }
    database.rows("CREATE TABLE t (a text)")
    for check in (True, False, False):
        with pytest.raises(
            ModuleFailed, match=r"001_t\.sql found what contradicts it: column t\.a is text, declared is"
        ):
            migrate(database, file, check=check)
    assert database.rows("SELECT to_regclass('t_a')::text") == [(None,)]
    database.rows("ALTER TABLE t ALTER a TYPE int USING 1")
    assert migrate(database, file)["drift"] == []


def test_an_index_of_the_name_that_is_what_the_file_says_is_taken(database: Database) -> None:
    database.rows("CREATE SCHEMA app; CREATE TABLE app.t (a int, b text)")
    file = {
        "name": "001_i.sql",
        "sql": "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON app.t"
        " (lower(b), a DESC) -- why\nINCLUDE (b) WHERE a IN (1, 2);",
    }
    database.rows("CREATE INDEX i ON app.t (lower(b), a DESC) INCLUDE (b) WHERE a IN (1, 2)")
    for check in (True, False):
        assert migrate(database, file, on_drift="ignore", check=check)["changed"] is True
    database.rows("DELETE FROM schema_migrations; DROP INDEX app.i; CREATE INDEX i ON app.t (lower(b), a)")
    with pytest.raises(ModuleFailed, match=r"index app\.i is there already as btree \(lower\(b\), a\), and the file"):
        migrate(database, file, on_drift="ignore")
    file["sql"] = file["sql"].replace("CREATE INDEX", "DROP INDEX CONCURRENTLY IF EXISTS app.i;\nCREATE INDEX")
    for check in (True, False):
        assert migrate(database, file, on_drift="ignore", check=check)["changed"] is True


def test_a_concurrent_index_waits_for_an_old_transaction_and_blocks_nobody(database: Database) -> None:
    migrate(database, {**BASE, "sql": "CREATE TABLE t (a int);"})
    files = [{**BASE, "sql": "CREATE TABLE t (a int);"}, UNIQUE]
    with contextlib.closing(database.connect()) as old, old.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (1)")
        run = Forked(lambda: migrate(database, *files)["changed"])
        time.sleep(1)
        with contextlib.closing(database.connect()) as other, other.cursor() as writer:
            writer.execute("SET lock_timeout = '300ms'")
            writer.execute("INSERT INTO t VALUES (2)")
            other.commit()
        old.commit()
    assert run.answer() is True
    assert validity(database) is True


def test_a_lost_lock_ends_the_run_before_the_next_file(database: Database) -> None:
    """Whoever ends the connection that holds the lock ends the run: no second run works beside it."""
    slow = {"name": "001_slow.sql", "sql": "SELECT public.pass_gate();"}
    gate = Gate(database)
    run = Forked(lambda: migrate(database, slow, {**BASE, "name": "002_base.sql"}))
    gate.reached()
    holders = "FROM pg_locks WHERE locktype = 'advisory' AND granted"
    database.rows(f"SELECT pg_terminate_backend(pid) {holders}")
    assert until(lambda: not database.rows(f"SELECT pid {holders}"), 30)
    gate.open()
    with pytest.raises(
        ModuleFailed,
        match=r"this run lost its lock \(PostgreSQL at .* ended the connection: .*nothing more was applied",
    ):
        run.answer()
    assert database.rows("SELECT to_regclass('t')::text") == [(None,)]
