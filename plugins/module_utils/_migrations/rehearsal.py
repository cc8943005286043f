# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rehearsal knows beyond a run: locks on what is there already, and rules that only a commit would check."""

from __future__ import annotations

from typing import Any, Iterable

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.catalog import concerns
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import Migration

# A statement takes the server about as long as telling so many locks.
_LOCKS_A_STATEMENT = 100
_NEW_ENUM_VALUE = "55P04"
_IN_TRANSACTION = "25001"
_KNOWN = """
SELECT array_agg(c.oid::int8) AS known, current_setting('max_locks_per_transaction')::int8
    * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8) AS room
FROM pg_catalog.pg_class c
WHERE c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
"""
_LOCKS = """
WITH held AS MATERIALIZED (
    SELECT l.relation, l.mode FROM pg_catalog.pg_locks l WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'
), number AS (SELECT count(DISTINCT relation) AS held FROM held)
SELECT c.relname AS relation, held.mode, coalesce(t.relname, c.relname) AS of, number.held
FROM number CROSS JOIN held JOIN pg_catalog.pg_class c ON c.oid = held.relation AND c.oid::int8 = ANY (%s)
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
UNION ALL SELECT NULL, NULL, NULL, number.held FROM number
ORDER BY 1, 2
"""
_DEFERRED = """
SELECT string_agg(DISTINCT format('%I.%I', n.nspname, c.conname), ', ') AS names
FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
WHERE c.condeferred AND has_schema_privilege(n.oid, 'USAGE') AND NOT pg_is_other_temp_schema(n.oid)
"""


class Locks:
    """The locks that files take on what was there before them, each once, with the first file that takes it.

    The server tells all locks of a transaction at once, and a transaction keeps them. So the longer the list, the
    seldomer it is asked for: telling them takes no longer than running the files.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        found = session.rows(_KNOWN)[0]
        self._known = found["known"]
        self._room = found["room"]
        self._since: list[Migration] = []
        self._seen: set[tuple[str, str]] = set()
        self._held = 0
        self.told: list[dict[str, Any]] = []

    @property
    def crowded(self) -> bool:
        """Whether this transaction holds so much of the server's table of locks that others may find no room."""
        return self._held > self._room / 2

    def after(self, migration: Migration) -> None:
        self._since.append(migration)
        if self._held <= _LOCKS_A_STATEMENT * sum(len(one.statements) for one in self._since):
            self.ask()

    def ask(self) -> None:
        if not self._since:
            return
        for row in self._session.rows(_LOCKS, (self._known or [],)):
            self._held = row["held"]
            lock = (row["relation"], row["mode"])
            if row["relation"] and lock not in self._seen:
                self._seen.add(lock)
                taker = _taker(self._since, (row["relation"], row["of"]))
                self.told.append({"migration": taker, "relation": row["relation"], "mode": row["mode"]})
        self._since.clear()


def _taker(files: Iterable[Migration], names: Iterable[str]) -> str:
    """The first file that names one of these things, else the last."""
    found = ""
    for migration in files:
        found = migration.name
        if any(map(concerns(migration), names)):
            break
    return found


def needs_commit(error: StackError) -> bool:
    """Whether a file was refused only because the files before it were not committed, as in a run they are."""
    code = error.details.get("sqlstate")
    return code == _NEW_ENUM_VALUE or (code == _IN_TRANSACTION and "SET TRANSACTION" in str(error))


def check_deferred(session: Any) -> None:
    """Check now what a commit would check; whatever is deferred by itself is deferred again for what comes after."""
    session.later("SET CONSTRAINTS ALL IMMEDIATE")
    names = session.rows(_DEFERRED)[0]["names"]
    if names:
        session.execute(f"SET CONSTRAINTS {names} DEFERRED")
