# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one file, or rehearse several: statements, row counts, locks, and politeness towards who uses the tables."""

from __future__ import annotations

import random
import time
from typing import Any, Callable, Iterable, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import (
    COLUMN,
    Difference,
    quoted,
    unquoted,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import (
    CONCURRENT_INDEX,
    Migration,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import (
    LOCK_NOT_AVAILABLE,
    SqlError,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import Statement

_UNFINISHED = """
SELECT c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = %s AND NOT i.indisvalid
"""
_RELATIONS = """
SELECT array_agg(c.oid::int8) AS known FROM pg_catalog.pg_class c
WHERE c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
"""
_LOCKS = """
SELECT c.relname AS relation, l.mode FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted AND c.oid::int8 = ANY (%s) ORDER BY 1, 2
"""


class Patience:
    """How long to try again, with growing and scattered pauses."""

    def __init__(
        self,
        seconds: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self._sleep = sleep
        self._clock = clock

    def tries(self) -> Iterable[None]:
        """One more try as long as there is time; always at least one."""
        deadline = self._clock() + self.seconds
        pause = 0.1
        while True:
            yield
            left = deadline - self._clock()
            if left <= 0:
                return
            self._sleep(min(left, pause * random.uniform(0.5, 1.5)))
            pause = min(pause * 2, 5.0)


class Runner:
    """Runs files; ``statements`` and ``locks`` are what it tells of them afterwards."""

    def __init__(
        self, session: Any, history: Any, patience: Patience, verify: Callable[[Migration, bool], Sequence[Difference]]
    ) -> None:
        self._session = session
        self._history = history
        self._patience = patience
        self._verify = verify
        self.statements: list[dict[str, Any]] = []
        self.locks: list[dict[str, Any]] = []
        self.notes: list[str] = []

    def run(self, migration: Migration) -> None:
        if migration.transactional:
            self.with_locks(migration.name, lambda: self._in_one_transaction([migration], keep=True))
        else:
            self.with_locks(migration.name, lambda: self._without_transaction(migration))

    def rehearse(self, migrations: Sequence[Migration]) -> None:
        """Really run them in one transaction that is rolled back, up to the first that allows no transaction."""
        possible = []
        for migration in migrations:
            if not migration.transactional:
                self.notes.append(
                    f"{migration.name} allows no transaction, so neither it nor what comes after it was rehearsed"
                )
                break
            possible.append(migration)
        if possible:
            self.with_locks(possible[0].name, lambda: self._in_one_transaction(possible, keep=False))

    def mend(self, difference: Difference) -> None:
        def run() -> None:
            with self._session.transaction(keep=True):
                self._add(difference)

        self.with_locks(difference.words, run)

    def in_history(self, write: Callable[[], None]) -> None:
        """Write to the history alone."""
        with self._session.transaction(keep=True):
            self._history.create()
            write()
        self._history.created()

    def with_locks(self, name: str, run: Callable[[], None]) -> None:
        refused: Optional[SqlError] = None
        for _try in self._patience.tries():
            try:
                return run()
            except SqlError as error:
                if error.code != LOCK_NOT_AVAILABLE:
                    raise
                refused = error
        raise StackError(
            f"migration {name} got no lock on a table in use within {self._patience.seconds:g} s ({refused});"
            " nothing of it was applied, end the session that holds the table or raise lock_wait"
        ) from refused

    def _in_one_transaction(self, migrations: Sequence[Migration], *, keep: bool) -> None:
        done: list[dict[str, Any]] = []
        locks: list[dict[str, Any]] = []
        with self._session.transaction(keep=keep):
            known = None if keep else self._session.rows(_RELATIONS)[0]["known"]
            self._history.create()
            for migration in migrations:
                started = time.monotonic()
                done += self._complete(migration)
                done += [self._run(migration, statement) for statement in migration.statements]
                done += self._hold_to_word(migration)
                if known:
                    locks += [{"migration": migration.name, **one} for one in self._session.rows(_LOCKS, (known,))]
                self._history.put(migration, round((time.monotonic() - started) * 1000))
        if keep:
            self._history.created()
        self.statements += done
        self.locks += locks

    def _complete(self, migration: Migration) -> list[dict[str, Any]]:
        """Columns that the tables it is going to find lack, because its own statements may need them."""
        return self._add_all(migration, [one for one in self._verify(migration, True) if one.step == COLUMN])

    def _hold_to_word(self, migration: Migration) -> list[dict[str, Any]]:
        """Where the file may have found things: add what they lack, refuse what contradicts it."""
        differences = self._verify(migration, False)
        wrong = [one.words for one in differences if not one.repair]
        if wrong:
            raise StackError(
                f"migration {migration.name} found what contradicts it: {'; '.join(wrong)}; nothing of this file was"
                " applied, change what is there to what the file says",
                migration=migration.name,
                drift=wrong,
            )
        return self._add_all(migration, differences)

    def _add_all(self, migration: Migration, differences: Iterable[Difference]) -> list[dict[str, Any]]:
        added = []
        for one in differences:
            self._add(one)
            added += [
                {"migration": migration.name, "line": 0, "statement": Statement(text, 0).summary, "rows": -1}
                for text in one.repair
            ]
        return added

    def _add(self, difference: Difference) -> None:
        for text in difference.repair:
            try:
                self._session.execute(text)
            except SqlError as error:
                if error.code == LOCK_NOT_AVAILABLE:
                    raise
                raise StackError(
                    f"{difference.words}, and it cannot be added: {error}; nothing was changed, correct it by hand",
                    sqlstate=error.code,
                ) from error

    def _without_transaction(self, migration: Migration) -> None:
        started = time.monotonic()
        self.in_history(lambda: self._history.put(migration, 0, success=False))
        done = []
        for statement in migration.statements:
            concurrent = CONCURRENT_INDEX.match(statement.text)
            if concurrent:
                done.append(self._concurrently(migration, statement, unquoted(concurrent["name"])))
            else:
                done.append(self._run(migration, statement))
        self._history.put(migration, round((time.monotonic() - started) * 1000))
        self.statements += done

    def _concurrently(self, migration: Migration, statement: Statement, index: str) -> dict[str, Any]:
        """What an interrupted run left of the index goes first; waiting for old transactions blocks nobody."""
        for row in self._session.rows(_UNFINISHED, (index,)):
            self._session.execute(f"DROP INDEX CONCURRENTLY {quoted(row['relname'])}")
        self._session.execute(f"SET lock_timeout = {max(1, round(self._patience.seconds * 1000))}")
        try:
            return self._run(migration, statement)
        finally:
            self._session.execute("RESET lock_timeout")

    def _run(self, migration: Migration, statement: Statement) -> dict[str, Any]:
        try:
            rows = self._session.execute(statement.text)
        except SqlError as error:
            if error.code == LOCK_NOT_AVAILABLE:
                raise
            line = statement.line + _lines_before(statement.text, error.position)
            kept = "nothing of this file was applied" if migration.transactional else "what ran before it stays"
            raise StackError(
                f"migration {migration.name} line {line}: {error}; {kept}, correct what the server says and run again",
                migration=migration.name,
                line=line,
                sqlstate=error.code,
            ) from error
        return {"migration": migration.name, "line": statement.line, "statement": statement.summary, "rows": rows}


def _lines_before(text: str, position: Optional[int]) -> int:
    return text.count("\n", 0, position - 1) if position else 0
