"""The order of what happens on the wire, with a session and a history that only take notes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Optional
from unittest import mock

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations import catalog, files, scratch
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.patience import Patience
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.plan import Applied, Policy, Seen
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.resource import (
    Look,
    Migrations,
    Unborn,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import SqlError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import reconcile

FILES = files.build([{"name": "001_a.sql", "sql": "ONE;\nTWO"}, {"name": "002_b.sql", "sql": "THREE;"}])


class Wire:
    """Session and history in one, keeping a diary."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.kept: list[Applied] = []
        self.fresh: list[Applied] = []
        self.locks = [True]
        self.errors: dict[str, list[SqlError]] = {}
        self.on_lock: Optional[list[Applied]] = None
        self.deferred: Optional[str] = None

    def execute(self, text: str) -> int:
        self.diary.append(text)
        if self.errors.get(text):
            raise self.errors[text].pop(0)
        return 1

    @contextlib.contextmanager
    def transaction(self, *, keep: bool) -> Iterator[None]:
        self.diary.append("begin")
        self.fresh = []
        try:
            yield
        except (StackError, SqlError):
            self.diary.append("rollback")
            raise
        self.diary.append("commit" if keep else "rollback")
        if keep:
            self.kept += self.fresh

    def read(self) -> tuple[Applied, ...]:
        self.diary.append("read")
        return tuple(self.kept)

    def later(self, text: str) -> None:
        self.diary.append(f"later: {text}")

    name = "schema_migrations"

    def lacks(self) -> bool:
        return False

    def as_new(self) -> None:
        """Nothing was set."""

    def create(self) -> None:
        self.diary.append("create history")

    def created(self) -> None:
        """Nothing to note."""

    def put(
        self, migration: files.Migration, duration_ms: Optional[int] = None, success: bool = True, kind: str = ""
    ) -> None:
        self.diary.append(f"put {migration.name}" + ("" if success else " as begun") + kind)
        self.fresh.append(row(migration))

    def rows(self, query: str, params: object = None) -> list[dict[str, object]]:
        if "pg_stat_activity" in query or "pg_locks" in query:
            return []
        return [{"known": None, "room": 6400, "names": self.deferred}]

    def at(self, given: object, *, drift: bool, scratch: bool, policy: Policy) -> Seen:
        return Seen(self.read())

    def check(self) -> None:
        """The lock is still there."""

    def try_take(self) -> bool:
        self.diary.append("try lock")
        if self.on_lock is not None:
            self.kept = self.on_lock
        return self.locks.pop(0) if len(self.locks) > 1 else self.locks[0]

    def holder(self) -> str:
        return "process 7, user n8n, from 127.0.0.1, since now"


def row(migration: files.Migration) -> Applied:
    return Applied(migration.name, migration.version, migration.checksum, "2026", "n8n", 5)


def migrations(wire: Wire, seconds: float = 1.0, given: Sequence[files.Migration] = FILES) -> Migrations:
    now = [0.0]

    def sleep(pause: float) -> None:
        wire.diary.append("sleep")
        now[0] += pause

    patience = Patience(seconds, sleep=sleep, clock=lambda: now[0])
    return Migrations(wire, wire, wire, wire, given, policy=Policy(on_drift="ignore"), patience=patience)


def test_one_transaction_for_each_file_with_its_row() -> None:
    wire = Wire()
    result = reconcile(migrations(wire), check_mode=False)
    assert wire.diary == [
        *("read", "try lock", "read"),
        *("begin", "create history", "ONE", "TWO", "put 001_a.sql", "commit"),
        *("begin", "create history", "THREE", "put 002_b.sql", "commit"),
        "read",
    ]
    assert result["changed"] is True
    assert [one["duration_ms"] for one in result["applied"]] == [5, 5]


def test_check_mode_runs_everything_in_one_transaction_and_keeps_nothing() -> None:
    wire = Wire()
    result = reconcile(migrations(wire), check_mode=True)
    assert wire.diary == [
        *("read", "try lock", "read", "begin"),
        *("create history", "ONE", "TWO", "put 001_a.sql", "later: SET CONSTRAINTS ALL IMMEDIATE"),
        *("THREE", "put 002_b.sql", "later: SET CONSTRAINTS ALL IMMEDIATE"),
        "rollback",
    ]
    assert [one["statement"] for one in result["statements"]] == ["ONE", "TWO", "THREE"]
    assert wire.kept == []


@pytest.mark.parametrize("check", [True, False])
def test_nothing_to_do_is_one_read_and_no_lock(check: bool) -> None:
    wire = Wire()
    wire.kept = [row(one) for one in FILES]
    assert reconcile(migrations(wire), check_mode=check)["changed"] is False
    assert wire.diary == ["read"]


def test_what_another_run_did_meanwhile_is_not_done_again() -> None:
    wire = Wire()
    wire.on_lock = [row(one) for one in FILES]
    assert reconcile(migrations(wire), check_mode=False)["changed"] is False
    assert wire.diary == ["read", "try lock", "read"]


def test_the_lock_is_tried_again_until_it_is_there() -> None:
    wire = Wire()
    wire.locks = [False, False, True]
    reconcile(migrations(wire), check_mode=False)
    assert wire.diary[:7] == ["read", "try lock", "sleep", "try lock", "sleep", "try lock", "read"]


def test_the_lock_is_given_up_after_a_while() -> None:
    wire = Wire()
    wire.locks = [False]
    with pytest.raises(StackError, match=r"holds the lock \(process 7, .*\) after 1 s of waiting"):
        reconcile(migrations(wire), check_mode=False)
    assert "begin" not in wire.diary


def test_a_table_in_use_is_tried_again_as_a_whole_file() -> None:
    wire = Wire()
    wire.errors["TWO"] = [SqlError("lock timeout", "55P03", None)]
    reconcile(migrations(wire), check_mode=False)
    assert wire.diary.count("ONE") == 2
    assert wire.diary.index("rollback") < wire.diary.index("sleep")


def test_a_mistake_names_file_and_line_and_stops() -> None:
    wire = Wire()
    wire.errors["TWO"] = [SqlError("syntax error", "42601", 1)]
    with pytest.raises(StackError, match=r"001_a\.sql line 2: syntax error; nothing of this file was") as caught:
        reconcile(migrations(wire), check_mode=False)
    assert caught.value.details["sqlstate"] == "42601"
    assert wire.diary[-1] == "rollback"
    assert wire.kept == []


def test_what_gives_no_rows_travels_together_until_one_is_refused() -> None:
    """The server does not say which of several it refused; nothing of them stays, so each is sent by itself then."""
    wire = Wire()
    given = files.build([{"name": "001_a.sql", "sql": "CREATE TABLE a ();\nDROP TABLE b;\nTHREE;\nDROP TABLE c"}])
    wire.errors["THREE"] = [SqlError("no table b", "42P01", None)]
    wire.errors["DROP TABLE b"] = [SqlError("no table b", "42P01", None)]
    with pytest.raises(StackError, match=r"001_a\.sql line 2: no table b; nothing of this file was applied"):
        reconcile(migrations(wire, given=given), check_mode=False)
    assert wire.diary[3:] == [
        *("begin", "create history", "later: CREATE TABLE a ()", "later: DROP TABLE b", "THREE", "rollback"),
        *("begin", "create history", "CREATE TABLE a ()", "DROP TABLE b", "rollback"),
    ]


def test_what_somebody_cancelled_is_not_begun_again() -> None:
    wire = Wire()
    given = files.build([{"name": "001_a.sql", "sql": "ONE;\nCREATE TABLE a ();\nTHREE"}])
    wire.errors["THREE"] = [SqlError("canceling statement due to user request", "57014", None)]
    with pytest.raises(StackError, match=r"001_a\.sql from line 2 on: canceling .*; nothing of this file was applied"):
        reconcile(migrations(wire, given=given), check_mode=False)
    assert wire.diary.count("ONE") == 1


def test_what_is_deferred_is_checked_in_a_rehearsal_and_deferred_again() -> None:
    wire = Wire()
    wire.deferred = "public.a_b_fkey"
    reconcile(migrations(wire), check_mode=True)
    assert wire.diary.count("SET CONSTRAINTS public.a_b_fkey DEFERRED") == 2


def test_before_the_server_exists_everything_is_pending() -> None:
    result = reconcile(Unborn(FILES, "no answer"), check_mode=True)
    assert result["actions"] == ["apply 001_a.sql", "apply 002_b.sql"]
    assert result["warnings"] == ["the migrations were not rehearsed, all of them are taken as pending: no answer"]
    assert result["statements"] == []
    with pytest.raises(StackError, match=r"baseline is 1, but nothing of what 001_a\.sql make is there"):
        reconcile(Unborn(FILES, "no answer", Policy(baseline=1)), check_mode=True)


def test_what_another_run_kept_meanwhile_is_not_kept_again(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: dict[str, dict[str, object]] = {"tables": {}, "views": {}, "functions": {}}
    monkeypatch.setattr(scratch, "declaration", lambda *_: nothing)
    monkeypatch.setattr(catalog, "snapshot", lambda *_: nothing)
    history = mock.Mock(read=lambda: tuple(map(row, FILES)), kept_declaration=mock.Mock(side_effect=[None, nothing]))
    look = Look(mock.Mock(version=170000), history, "public")
    assert [look.at(FILES, drift=True, scratch=True).unkept for _turn in range(3)] == [True, False, False]


def test_patience_is_one_try_even_without_time() -> None:
    assert len(list(Patience(0).tries())) == 1
