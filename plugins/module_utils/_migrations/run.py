# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one file, or rehearse several: statements, row counts, locks, and politeness towards who uses the tables."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import Any, Callable, Iterable, Iterator, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.beside import (
    build,
    unfinished,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.catalog import concerns
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.concurrent import concurrent_index
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import (
    COLUMN,
    Difference,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import Migration
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.mend import add, is_built
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.patience import (
    Patience,
    with_locks,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.rehearsal import (
    Locks,
    check_deferred,
    needs_commit,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import (
    CANCELLED,
    LOCK_NOT_AVAILABLE,
    SqlError,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import Statement


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
        self._underway: Optional[Statement] = None

    def run(self, migration: Migration) -> None:
        if not migration.transactional:
            return self._without_transaction(migration)
        if self._history.lacks():
            self.in_history(lambda: None)
        return self._with_locks([migration], lambda: _named(lambda one: self._keep(migration, together=one)))

    def rehearse(self, migrations: Sequence[Migration], mends: Sequence[Difference] = ()) -> None:
        """Really mend and run in one transaction that is rolled back, up to the first file that allows none."""
        possible = list(itertools.takewhile(lambda one: one.transactional, migrations))
        apart = next(iter(migrations[len(possible) :]), None)
        if apart:
            self.notes.append(
                f"{apart.name} allows no transaction, so neither it nor what comes after it was rehearsed"
            )
        built = [one for one in mends if is_built(one)]
        self.notes += [f"{one.words}, which is built beside who uses the table and was not rehearsed" for one in built]
        mends = [one for one in mends if one not in built]
        if migrations or mends:
            self._with_locks(
                migrations[: len(possible) + 1],
                lambda: _named(lambda one: self._rehearse(possible, mends, apart, together=one)),
                mends,
            )

    def in_history(self, write: Callable[[], None]) -> None:
        """Write to the history alone."""

        def run() -> None:
            with self._session.transaction(keep=True):
                self._history.create()
                write()
            self._history.created()

        with_locks(self._session, self._patience, run, "the history", "nothing was written to it", self._is_history)

    def _is_history(self, table: str) -> bool:
        return bool(table == self._history.name)

    def _with_locks(
        self, migrations: Sequence[Migration], run: Callable[[], None], mends: Sequence[Difference] = ()
    ) -> None:
        concerned = [concerns(one) for one in migrations]
        with_locks(
            self._session,
            self._patience,
            run,
            f"migration {migrations[0].name}" if migrations else "the repair",
            "nothing of it was applied",
            None if mends else lambda table: self._is_history(table) or any(one(table) for one in concerned),
        )

    def _keep(self, migration: Migration, *, together: bool) -> None:
        with self._naming(migration), self._session.transaction(keep=True):
            self._history.create()
            done = self._file(migration, together)
        self._history.created()
        self.statements += done

    def _rehearse(
        self,
        migrations: Sequence[Migration],
        mends: Sequence[Difference],
        apart: Optional[Migration],
        *,
        together: bool,
    ) -> None:
        done: list[dict[str, Any]] = []
        notes: list[str] = []
        with self._session.transaction(keep=False):
            locks = Locks(self._session)
            self._history.create()
            for difference in mends:
                add(self._session, difference, "nothing was changed, this was a rehearsal")
            for at, migration in enumerate(migrations, 1):
                try:
                    with self._naming(migration):
                        done += self._file(migration, together)
                        check_deferred(self._session)
                except StackError as error:
                    if at == 1 or not needs_commit(error):
                        raise
                    notes.append(f"neither {migration.name} nor what comes after it was rehearsed: {error}")
                    break
                locks.after(migration)
                if locks.crowded and at < len(migrations):
                    notes.append(
                        f"what comes after {migration.name} was not rehearsed, because one transaction for all of it"
                        " holds more locks than a server that others use should give; a run has one for each file"
                    )
                    break
            else:
                locks.ask()
                if apart:
                    self._foresee(apart)
        self.statements += done
        self.locks += locks.told
        self.notes += notes

    def _foresee(self, apart: Migration) -> None:
        """What a file without transaction would meet, as far as its own statements cannot have changed it."""
        _refuse(apart, self._verify(apart, True))
        for statement in apart.statements:
            index = concurrent_index(statement)
            if index is None:
                return
            unfinished(self._session, index, _at(apart, statement))

    @contextlib.contextmanager
    def _naming(self, migration: Migration) -> Iterator[None]:
        """What is checked only when a transaction ends, and what somebody cancelled, is told with the name of its file.

        Of several statements that travelled together none can be named; they are sent again, each by itself.
        """
        try:
            yield
        except SqlError as error:
            if error.code == LOCK_NOT_AVAILABLE or (self._underway and error.code != CANCELLED):
                raise
            where = f"from line {self._underway.line} on" if self._underway else "when its transaction ends"
            raise _refused(migration, where, error) from error

    def _file(self, migration: Migration, together: bool) -> list[dict[str, Any]]:
        done = self._complete(migration)
        self._underway = None
        for statement in migration.statements:
            if together and statement.makes_no_rows:
                self._underway = self._underway or statement
                self._session.later(statement.text)
                done.append(_told(migration, statement, -1))
            elif self._underway:
                done.append(_told(migration, statement, self._session.execute(statement.text)))
                self._underway = None
            else:
                done.append(self._run(migration, statement))
        self._session.as_new()
        done += self._hold_to_word(migration)
        self._history.put(migration)
        return done

    def _complete(self, migration: Migration) -> list[dict[str, Any]]:
        """Columns that the tables it is going to find lack, because its own statements may need them."""
        differences = self._verify(migration, True)
        _refuse(migration, [one for one in differences if one.beyond])
        return self._add_all(migration, [one for one in differences if one.step == COLUMN])

    def _hold_to_word(self, migration: Migration) -> list[dict[str, Any]]:
        """Where the file may have found things: add what they lack, refuse what contradicts it."""
        differences = self._verify(migration, False)
        _refuse(migration, differences)
        return self._add_all(migration, differences)

    def _add_all(self, migration: Migration, differences: Iterable[Difference]) -> list[dict[str, Any]]:
        added = []
        for one in differences:
            add(self._session, one, "nothing of this file was applied")
            added += [
                {"migration": migration.name, "line": 0, "statement": Statement(text, 0).summary, "rows": -1}
                for text in one.repair
            ]
        return added

    def _without_transaction(self, migration: Migration) -> None:
        """Statement by statement: one that gets no lock is tried again, and those before it are not."""
        self._with_locks([migration], lambda: _refuse(migration, self._verify(migration, True)))
        started = time.monotonic()
        self.in_history(lambda: self._history.put(migration, 0, success=False))
        concerned = concerns(migration)
        for statement in migration.statements:
            done = with_locks(
                self._session,
                self._patience,
                lambda one=statement: self._alone(migration, one),  # type: ignore[misc]
                _at(migration, statement),
                "what ran before it stays" if statement is not migration.statements[0] else "nothing of it was applied",
                concerned,
            )
            self.statements.append(done)
        took = round((time.monotonic() - started) * 1000)

        def finish() -> None:
            self._session.as_new()
            self._history.put(migration, took)

        self.in_history(finish)

    def _alone(self, migration: Migration, statement: Statement) -> dict[str, Any]:
        index = concurrent_index(statement)
        if not index:
            return self._run(migration, statement)
        where = _at(migration, statement)
        return build(self._session, index, where, self._patience.seconds, lambda: self._run(migration, statement))

    def _run(self, migration: Migration, statement: Statement) -> dict[str, Any]:
        try:
            rows = self._session.execute(statement.text)
        except SqlError as error:
            if error.code == LOCK_NOT_AVAILABLE:
                raise
            line = statement.line + _lines_before(statement.text, error.position)
            raise _refused(migration, f"line {line}", error, line=line) from error
        return _told(migration, statement, rows)


def _refuse(migration: Migration, differences: Iterable[Difference]) -> None:
    wrong = [one.words for one in differences if one.certain and not one.repair]
    if wrong:
        raise StackError(
            f"migration {migration.name} found what contradicts it: {'; '.join(wrong)}; nothing of this file was"
            " applied, change what is there to what the file says",
            migration=migration.name,
            drift=wrong,
        )


def _named(run: Callable[[bool], None]) -> None:
    """Send statements together as far as nobody waits for an answer; once one is refused, send each by itself.

    The server does not say which of several it refused, and nothing of them stays.
    """
    try:
        run(True)
    except SqlError as error:
        if error.code == LOCK_NOT_AVAILABLE:
            raise
        run(False)


def _at(migration: Migration, statement: Statement) -> str:
    return f"migration {migration.name} line {statement.line}"


def _told(migration: Migration, statement: Statement, rows: int) -> dict[str, Any]:
    return {"migration": migration.name, "line": statement.line, "statement": statement.summary, "rows": rows}


def _refused(migration: Migration, where: str, error: SqlError, **details: Any) -> StackError:
    kept = "nothing of this file was applied" if migration.transactional else "what ran before it stays"
    return StackError(
        f"migration {migration.name} {where}: {error}; {kept}, correct what the server says and run again",
        migration=migration.name,
        sqlstate=error.code,
        **details,
    )


def _lines_before(text: str, position: Optional[int]) -> int:
    return text.count("\n", 0, position - 1) if position else 0
