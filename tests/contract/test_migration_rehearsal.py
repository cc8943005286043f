"""A check run finds what a run would find, tells the locks of each file, and asks for them in proportion."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import Session

from tests.contract.postgres import Database, migrate_files
from tests.support.run_module import ModuleFailed

DEFERRED = {
    "001_a.sql": "CREATE TABLE a (id int PRIMARY KEY);\n"
    "CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);",
    "002_b.sql": "INSERT INTO b VALUES (7);\nINSERT INTO a VALUES (7);",
    "003_c.sql": "ALTER TABLE b ADD COLUMN note text;\nINSERT INTO b VALUES (8);",
}


@pytest.mark.parametrize("check", [True, False])
def test_what_only_a_commit_checks_is_told_with_its_file(database: Database, check: bool) -> None:
    with pytest.raises(
        ModuleFailed, match=r"003_c\.sql .*: insert or update on table \"b\" violates foreign .* nothing"
    ):
        migrate_files(database, DEFERRED, check=check)
    good = {**DEFERRED, "003_c.sql": "ALTER TABLE b ADD COLUMN note text"}
    assert migrate_files(database, good, check=check)["changed"] is True


def test_a_lock_is_told_with_the_file_that_takes_it(database: Database) -> None:
    database.rows("CREATE TABLE one (id int PRIMARY KEY); CREATE TABLE two (id int)")
    files = {
        "001_a.sql": "ALTER TABLE one ADD COLUMN a int",
        "002_b.sql": "CREATE TABLE three (id int)",
        "003_c.sql": "LOCK TABLE two IN SHARE MODE",
    }
    told = {
        (one["migration"], one["relation"], one["mode"]) for one in migrate_files(database, files, check=True)["locks"]
    }
    assert told == {("001_a.sql", "one", "AccessExclusiveLock"), ("003_c.sql", "two", "ShareLock")}


def test_a_check_of_many_files_asks_for_the_locks_less_often_the_more_there_are(database: Database) -> None:
    def told(count: int) -> int:
        """How many locks the server told of in all."""
        files = {f"{number:03}_a.sql": f"CREATE TABLE t{number} (id serial PRIMARY KEY)" for number in range(count)}
        held: list[int] = []
        genuine = Session.rows

        def rows(session: Session, query: object, *args: object) -> list[dict[str, Any]]:
            found = genuine(session, query, *args)  # type: ignore[arg-type]
            held.extend(row["held"] for row in found if "held" in row and row["relation"] is None)
            return found

        with mock.patch.object(Session, "rows", rows):
            migrate_files(database, files, check=True)
        return sum(held)

    assert 0 < told(600) < 6 * told(150)


def test_a_check_leaves_room_for_the_locks_of_others(database: Database) -> None:
    """One transaction for all files holds all their locks, and the server has room for some thousands."""
    files = {
        f"{number:03}_a.sql": f"CREATE TABLE t{number} (id serial PRIMARY KEY, x text)" for number in range(1, 1001)
    }
    told = migrate_files(database, files, check=True, on_drift="ignore")
    assert "was not rehearsed, because one transaction for all of it holds more locks than" in told["warnings"][-1]
    assert len(told["actions"]) == 1000


@pytest.mark.parametrize(
    "needs",
    [
        "CREATE TABLE b (v colour DEFAULT 'red')",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; CREATE TABLE b (id int)",
    ],
)
def test_what_needs_a_commit_before_it_is_no_mistake(database: Database, needs: str) -> None:
    database.rows("CREATE TYPE colour AS ENUM ('blue')")
    files = {
        "001_a.sql": "ALTER TYPE colour ADD VALUE 'red'",
        "002_b.sql": needs,
        "003_c.sql": "CREATE TABLE c (id int)",
    }
    checked = migrate_files(database, files, check=True)
    assert (
        "neither 002_b.sql nor what comes after it was rehearsed: migration 002_b.sql line 1" in checked["warnings"][0]
    )
    assert migrate_files(database, files)["actions"] == checked["actions"]
