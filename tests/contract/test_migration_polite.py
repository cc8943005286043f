"""Nobody is shut out longer than needed, and what is in the way is named; each file starts as the first one did."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tests.contract.postgres import Database, Gate, holding, migrate_files, named
from tests.support.forked import Forked
from tests.support.run_module import ModuleFailed, run_module

FIRST = {"001_a.sql": "create table a(id int);"}


def info(database: Database, files: dict[str, str]) -> dict[str, Any]:
    return run_module("postgres_migration_info", {**database.login, "migrations": named(files)})


def test_a_history_that_somebody_reads_is_in_nobodys_way(database: Database) -> None:
    migrate_files(database, FIRST)
    files = {**FIRST, "002_b.sql": "create table b(id int)"}
    with holding(database, "SELECT * FROM schema_migrations"):
        assert migrate_files(database, files, check=True)["changed"] is True
        assert migrate_files(database, files, lock_wait=0)["changed"] is True


def test_during_a_long_first_file_others_look_and_wait(database: Database) -> None:
    migrate_files(database, FIRST)
    files = {**FIRST, "002_b.sql": "create table b(id int); select public.pass_gate()"}
    gate = Gate(database)
    for _try in range(2):
        runs = [Forked(lambda: migrate_files(database, files)["changed"]) for _rival in range(2)]
        gate.reached()
        assert info(database, files)["pending"] == ["002_b.sql"]
        with pytest.raises(ModuleFailed, match=r"another migration run holds the lock \(process \d+"):
            migrate_files(database, files, check=True, lock_wait=0)
        gate.open()
        assert sorted(run.answer() for run in runs) == [False, True]
        gate.close()
        database.rows("DROP TABLE b; DELETE FROM schema_migrations WHERE name = '002_b.sql'")


def test_a_history_of_an_earlier_version_gets_its_columns(database: Database) -> None:
    migrate_files(database, FIRST)
    database.rows("ALTER TABLE schema_migrations DROP COLUMN kind, DROP COLUMN details")
    files = {**FIRST, "002_b.sql": "create table b(id int)"}
    migrate_files(database, files, check=True)
    with holding(database, "SELECT * FROM schema_migrations", 1):
        assert migrate_files(database, files)["actions"] == ["apply 002_b.sql"]
    assert database.rows("SELECT kind FROM schema_migrations") == [("versioned",)] * 2


def test_a_table_that_is_locked_is_named_with_who_holds_it(database: Database) -> None:
    files = {"001_a.sql": "create table a(id serial);"}
    migrate_files(database, files)
    with holding(database, "LOCK TABLE a IN ACCESS EXCLUSIVE MODE"):
        sentence = (
            r"the look at the database got no lock .* \(a is held by process \d+, user n8n, .*idle in transaction"
        )
        with pytest.raises(ModuleFailed, match=sentence):
            migrate_files(database, files, lock_wait=0.5)
        with pytest.raises(ModuleFailed, match=sentence):
            info(database, files)
    with holding(database, "LOCK TABLE a IN ACCESS EXCLUSIVE MODE", 1):
        assert migrate_files(database, files)["changed"] is False


def test_a_borrowed_table_that_is_locked_is_waited_for(database: Database) -> None:
    database.rows("CREATE TABLE clients (id int PRIMARY KEY); CREATE TABLE b (id text)")
    files = {"001_a.sql": "create table if not exists b (id int, c int references clients (id))"}
    for seconds, sentence in (
        (0, r"got no lock .*\(clients is held by process"),
        (1, r"column b\.id is text, declared is"),
    ):
        locked = holding(database, "LOCK TABLE clients IN ACCESS EXCLUSIVE MODE", seconds)
        with locked, pytest.raises(ModuleFailed, match=sentence):
            migrate_files(database, files, borrowed_tables=["clients"], lock_wait=60 if seconds else 0.3)


def test_a_setting_may_be_any_text(database: Database) -> None:
    value = "a b\\c'd\"é%s\n z\t"
    files = {"001_a.sql": "create table s as select current_setting('app.x') as v"}
    migrate_files(database, files, settings={"app.x": value})
    assert database.rows("SELECT v FROM s") == [(value,)]


def test_a_file_without_transaction_goes_on_where_it_got_no_lock(database: Database) -> None:
    files = {"001_a.sql": "create table a(id int); create table log(n int)"}
    migrate_files(database, files)
    files["002_b.sql"] = (
        "-- migrate: no-transaction\ninsert into log values (1);\nalter table a add column if not exists x int;"
        "\ninsert into log values (2);"
    )
    with (
        holding(database, "SELECT * FROM a"),
        pytest.raises(ModuleFailed, match=r"002_b\.sql line 3 got no lock .*\(a is held .*what ran before it stays"),
    ):
        migrate_files(database, files, lock_timeout=100, lock_wait=1)
    assert database.rows("SELECT n FROM log") == [(1,)]
    database.rows("DELETE FROM log")
    with holding(database, "SELECT * FROM a", 1):
        migrate_files(database, files, lock_timeout=100)
    assert database.rows("SELECT n FROM log ORDER BY 1") == [(1,), (2,)]


def test_settings_and_role_of_a_file_end_with_it(database: Database) -> None:
    files = {
        "001_a.sql": "create schema other; set search_path = other; set work_mem = '1MB'; set role pg_monitor;",
        "002_b.sql": "create table b as select current_user::text as who, current_setting('work_mem') as mem;",
    }
    migrate_files(database, files, check=True)
    migrate_files(database, files)
    assert database.rows("SELECT who, mem <> '1MB' FROM public.b") == [(database.server.user, True)]


def test_what_a_file_keeps_for_its_session_ends_with_it(database: Database) -> None:
    first = (
        "CREATE TEMP TABLE t (id int); DECLARE c CURSOR WITH HOLD FOR SELECT 1; LISTEN news;"
        " SELECT pg_advisory_lock(7); SELECT pg_advisory_unlock_all(); SELECT pg_advisory_lock(8);"
    )
    second = (
        "CREATE TABLE t (id int); INSERT INTO t VALUES (5); DECLARE c CURSOR WITH HOLD FOR SELECT 2;"
        " CREATE TABLE kept AS SELECT count(*) AS locks FROM pg_locks WHERE locktype = 'advisory' AND objid = 8;"
    )
    files = {
        "001_a.sql": first,
        "002_b.sql": second,
        "003_c.sql": f"-- migrate: no-transaction\nDISCARD ALL; {FIRST_C}",
    }
    migrate_files(database, files, check=True)
    migrate_files(database, files)
    assert database.rows("SELECT id, locks FROM public.t, kept, c") == [(5, 0)]


FIRST_C = "CREATE TABLE IF NOT EXISTS c (); INSERT INTO c DEFAULT VALUES"


def test_an_unfinished_index_of_another_table_is_left_alone(database: Database) -> None:
    database.rows("CREATE TABLE other (a int); INSERT INTO other VALUES (1), (1)")
    with contextlib.suppress(Exception):
        database.rows("CREATE UNIQUE INDEX CONCURRENTLY foo ON other (a)")
    files = {
        "001_t.sql": "create table t(id int)",
        "002_i.sql": "-- migrate: no-transaction\ncreate index /* why */ concurrently if not exists foo on t(id);",
    }
    with pytest.raises(ModuleFailed, match=r"002_i\.sql line 2: index foo is there already and belongs to table other"):
        migrate_files(database, files)
    assert database.rows("SELECT indrelid::regclass::text FROM pg_index WHERE NOT indisvalid") == [("other",)]


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("create index concurrently on t(id)", "CREATE INDEX CONCURRENTLY without a name"),
        ("create /* x */ unique index -- y\n concurrently on t(id)", "CREATE INDEX CONCURRENTLY without a name"),
        ("create index /* x */ concurrently i on t(id)", "without IF NOT EXISTS"),
    ],
)
def test_an_index_that_could_not_be_found_again_is_refused(database: Database, statement: str, sentence: str) -> None:
    with pytest.raises(ModuleFailed, match=sentence):
        migrate_files(database, {"001_i.sql": f"-- migrate: no-transaction\n{statement};"})
