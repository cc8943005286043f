# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a database to the last of its migrations: observe, plan, apply one by one, or rehearse them all."""

from __future__ import annotations

import random
import time
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import Migration
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.plan import (
    Applied,
    make_plan,
    state_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import SqlError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import Statement
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

LOCK_NOT_AVAILABLE = "55P03"


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


class Migrations:
    """The migrations of one database, as a resource to reconcile."""

    def __init__(
        self,
        session: Any,
        history: Any,
        migrations: Sequence[Migration],
        *,
        out_of_order: bool,
        patience: Patience,
    ) -> None:
        self._session = session
        self._history = history
        self._migrations = migrations
        self._out_of_order = out_of_order
        self._patience = patience
        self._locked = False
        self._rows: tuple[Applied, ...] = ()
        self._statements: list[dict[str, Any]] = []

    def observe(self) -> dict[str, Any]:
        """The history; where something is left to run it is read again under the lock, so that the plan stays true."""
        self._rows = self._history.read()
        if not self._locked and self.plan(None).changed:
            self._lock()
            self._rows = self._history.read()
        return state_of(self._rows)

    def plan(self, current: Any) -> Plan:
        return make_plan(self._rows, self._migrations, out_of_order=self._out_of_order)

    def apply(self, operation: Operation) -> None:
        migration: Migration = operation.args["migration"]
        self._with_locks(migration.name, lambda: self._run_all([migration], keep=True))

    def rehearse(self, plan: Plan) -> None:
        """Check mode: really run everything in one transaction that is rolled back."""
        pending = [operation.args["migration"] for operation in plan.operations]
        self._with_locks(pending[0].name, lambda: self._run_all(pending, keep=False))

    def result(self, state: Mapping[str, Any]) -> dict[str, Any]:
        ran = {row.name: row for row in self._rows}
        return {
            "applied": [
                {
                    "name": name,
                    "checksum": checksum,
                    "applied_at": ran[name].applied_at if name in ran else None,
                    "applied_by": ran[name].applied_by if name in ran else None,
                    "duration_ms": ran[name].duration_ms if name in ran else None,
                }
                for name, checksum in state["applied"].items()
            ],
            "statements": self._statements,
        }

    def _run_all(self, migrations: Sequence[Migration], *, keep: bool) -> None:
        done: list[dict[str, Any]] = []
        with self._session.transaction(keep=keep):
            self._history.create()
            for migration in migrations:
                started = time.monotonic()
                done += [self._run(migration, statement) for statement in migration.statements]
                self._history.add(migration, round((time.monotonic() - started) * 1000))
        self._statements += done

    def _run(self, migration: Migration, statement: Statement) -> dict[str, Any]:
        try:
            rows = self._session.execute(statement.text)
        except SqlError as error:
            if error.code == LOCK_NOT_AVAILABLE:
                raise
            line = statement.line + _lines_before(statement.text, error.position)
            raise StackError(
                f"migration {migration.name} line {line}: {error}; nothing of this file was applied,"
                " correct what the server says and run again",
                migration=migration.name,
                line=line,
                sqlstate=error.code,
            ) from error
        return {"migration": migration.name, "line": statement.line, "statement": statement.summary, "rows": rows}

    def _with_locks(self, name: str, run: Callable[[], None]) -> None:
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

    def _lock(self) -> None:
        for _try in self._patience.tries():
            self._locked = self._history.try_lock()
            if self._locked:
                return
        holder = self._history.lock_holder()
        raise StackError(
            f"another migration run holds the lock ({holder or 'it ended just now'})"
            f" after {self._patience.seconds:g} s of waiting; wait for it, or raise lock_wait"
        )


class Unborn:
    """Check mode before the server exists: every migration is pending, none can be rehearsed."""

    def __init__(self, migrations: Sequence[Migration], why: str) -> None:
        self._migrations = migrations
        self._why = why

    def observe(self) -> dict[str, Any]:
        return state_of(())

    def plan(self, current: Any) -> Plan:
        planned = make_plan((), self._migrations)
        note = f"the migrations were not rehearsed, all of them are taken as pending: {self._why}"
        return Plan(planned.before, planned.after, planned.operations, (note,))

    def apply(self, operation: Operation) -> None:
        raise StackError(self._why)

    def result(self, state: Mapping[str, Any]) -> dict[str, Any]:
        unknown = {"applied_at": None, "applied_by": None, "duration_ms": None}
        return {
            "applied": [{"name": name, "checksum": sum_, **unknown} for name, sum_ in state["applied"].items()],
            "statements": [],
        }


def _lines_before(text: str, position: Optional[int]) -> int:
    return text.count("\n", 0, position - 1) if position else 0
