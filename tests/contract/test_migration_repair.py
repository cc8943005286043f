"""What is repaired on a table in use is made beside whoever uses it, and leaves nothing where it cannot be made."""

from __future__ import annotations

import contextlib
import threading
import time
from unittest import mock

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import Session

from tests.contract.postgres import PATIENCE, Database, migrate_files, reading
from tests.support.run_module import ModuleFailed

# Each row takes its time, as many rows would.
SLOW = """
CREATE FUNCTION slow(a int) RETURNS int LANGUAGE plpgsql IMMUTABLE
AS $$ BEGIN PERFORM pg_sleep(CASE WHEN a > 0 THEN 0.06 ELSE 0 END); RETURN a; END $$;
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE t (a int CONSTRAINT t_check CHECK (slow(a) < 1000), b int CONSTRAINT t_fkey REFERENCES other);
"""
FILES = {
    "001_a.sql": SLOW + "CREATE INDEX t_slow ON t (slow(a)); CREATE UNIQUE INDEX t_once ON t (b);"
    " CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE INDEX p_id ON p (id);"
}
LOST = {
    "ALTER TABLE t DROP CONSTRAINT t_check": "table t lacks constraint t_check CHECK ((slow(a) < 1000))",
    "ALTER TABLE t DROP CONSTRAINT t_fkey": "table t lacks constraint t_fkey FOREIGN KEY (b) REFERENCES other(id)",
    "DROP INDEX t_slow": "table t lacks index t_slow btree (slow(a))",
    "DROP INDEX t_once": "table t lacks index t_once btree (b)",
    "DROP INDEX p_id": "table p lacks index p_id btree (id)",
}


def lose(database: Database) -> None:
    for statement in LOST:
        database.rows(statement)


def unfinished(database: Database) -> list[tuple[str]]:
    return database.rows(
        "SELECT conname FROM pg_constraint WHERE NOT convalidated"
        " UNION ALL SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
    )


def test_nobody_is_kept_waiting_while_a_table_is_repaired(database: Database) -> None:
    migrate_files(database, FILES)
    lose(database)
    database.rows("INSERT INTO t SELECT n FROM generate_series(1, 60) AS n")
    checked = migrate_files(database, FILES, on_drift="repair", check=True)
    assert len([one for one in checked["warnings"] if "was not rehearsed" in one]) == 2
    with reading(database, "INSERT INTO t (a) VALUES (0)"):
        began = time.monotonic()
        repaired = migrate_files(database, FILES, on_drift="repair")
        took = time.monotonic() - began
    assert took > 2 * PATIENCE, "each of the two looks at the rows would have kept the others out"
    assert sorted(repaired["actions"]) == sorted(f"repair: {words}" for words in LOST.values())
    assert repaired["actions"] == checked["actions"]
    assert unfinished(database) == []
    assert migrate_files(database, FILES, on_drift="fail")["changed"] is False


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("(2000, NULL)", r"lacks constraint t_check .*, and it cannot be added: check constraint .* it was not made"),
        ("(0, 7)", r"lacks constraint t_fkey .*, and it cannot be added: insert or update .* it was not made"),
        (
            "(0, 1), (0, 1)",
            r"lacks index t_once .*, and it cannot be added: could not create unique .* was not made",
        ),
    ],
)
def test_what_the_rows_do_not_allow_leaves_nothing(database: Database, rows: str, sentence: str) -> None:
    migrate_files(database, FILES)
    lose(database)
    database.rows(f"INSERT INTO other VALUES (1); INSERT INTO t VALUES {rows}")
    for _turn in range(2):
        with pytest.raises(ModuleFailed, match=sentence):
            migrate_files(database, FILES, on_drift="repair")
        assert unfinished(database) == []
    database.rows("DELETE FROM t")
    migrate_files(database, FILES, on_drift="repair")
    assert migrate_files(database, FILES, on_drift="fail")["changed"] is False


@pytest.mark.parametrize("cut", ["ADD CONSTRAINT", "VALIDATE", "CREATE INDEX CONCURRENTLY"])
def test_a_repair_that_was_cut_off_is_ended_by_the_next_run(database: Database, cut: str) -> None:
    migrate_files(database, FILES)
    lose(database)
    genuine = Session.execute

    def ending(session: Session, query: object, *args: object) -> int:
        done = genuine(session, query, *args)  # type: ignore[arg-type]
        if cut in str(query):
            session.close()
        return done

    with mock.patch.object(Session, "execute", ending), contextlib.suppress(Exception):
        migrate_files(database, FILES, on_drift="repair")
    migrate_files(database, FILES, on_drift="repair")
    assert unfinished(database) == []
    assert migrate_files(database, FILES, on_drift="fail")["changed"] is False


def test_an_index_that_waits_for_too_long_leaves_none_or_one_that_the_next_run_ends(database: Database) -> None:
    migrate_files(database, FILES)
    database.rows("DROP INDEX t_once")
    with contextlib.closing(database.connect()) as old, old.cursor() as cursor:
        cursor.execute("INSERT INTO t (a) VALUES (0)")
        with (
            reading(database, "INSERT INTO t (a) VALUES (0)"),
            pytest.raises(ModuleFailed, match=r"the repair \(table t lacks index t_once .* got no lock .*t is held by"),
        ):
            migrate_files(database, FILES, on_drift="repair", lock_wait=2 * PATIENCE)
        threading.Timer(1, old.rollback).start()
        migrate_files(database, FILES, on_drift="repair")
    assert unfinished(database) == []
