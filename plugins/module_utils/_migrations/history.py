# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history table and the lock: which files ran here, and who may run the next."""

from __future__ import annotations

import zlib
from typing import Any, Optional

try:
    from psycopg2 import sql
except ImportError:  # the session says so
    sql = None

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import (
    CHECKSUM_VERSION,
    Migration,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.plan import Applied
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import SqlError

LOCK_CLASS = 0x504D4D47
_EXISTS = """
SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')
"""
_CREATE = """
CREATE TABLE IF NOT EXISTS {} (
    name             text PRIMARY KEY,
    version          integer UNIQUE,
    checksum         text NOT NULL,
    checksum_version smallint NOT NULL,
    applied_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by       text NOT NULL DEFAULT session_user,
    duration_ms      integer NOT NULL,
    success          boolean NOT NULL DEFAULT true
)
"""
_READ = "SELECT name, version, checksum, applied_at, applied_by, duration_ms FROM {} WHERE success ORDER BY version"
_ADD = "INSERT INTO {} (name, version, checksum, checksum_version, duration_ms) VALUES ({}, {}, {}, {}, {})"
_HOLDER = """
SELECT a.pid, a.usename, coalesce(host(a.client_addr), 'a local socket') AS client, a.backend_start
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND l.objid = %s
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""


class History:
    """Everything we ask and tell the history table, in SQL."""

    def __init__(self, session: Any, schema: str, table: str) -> None:
        self._session = session
        self._schema = schema
        self._name = table
        self._key = zlib.crc32(f"{schema}.{table}".encode()) & 0x7FFFFFFF

    @property
    def _table(self) -> Any:
        return sql.Identifier(self._schema, self._name)

    def read(self) -> tuple[Applied, ...]:
        if not self._session.rows(_EXISTS, (self._schema, self._name)):
            return ()
        try:
            rows = self._session.rows(sql.SQL(_READ).format(self._table))
        except SqlError as error:
            raise StackError(
                f"the history table {self._schema}.{self._name} cannot be read: {error}; if another tool made it, name"
                " another history_table, else let the user read it",
                sqlstate=error.code,
            ) from error
        return tuple(Applied(**row) for row in rows)

    def create(self) -> None:
        try:
            self._session.execute(sql.SQL(_CREATE).format(self._table))
        except SqlError as error:
            raise StackError(
                f"the history table {self._schema}.{self._name} cannot be created: {error};"
                " create the schema, give the user CREATE on it, or name another schema"
            ) from error

    def add(self, migration: Migration, duration_ms: int) -> None:
        """Literals, not parameters: psycopg2 would take a percent sign in the table's name for one of them."""
        values = (migration.name, migration.version, migration.checksum, CHECKSUM_VERSION, duration_ms)
        self._session.execute(sql.SQL(_ADD).format(self._table, *map(sql.Literal, values)))

    def try_lock(self) -> bool:
        """Take the lock of this history until the session ends; never waits."""
        rows = self._session.rows("SELECT pg_try_advisory_lock(%s, %s) AS taken", (LOCK_CLASS, self._key))
        return bool(rows[0]["taken"])

    def lock_holder(self) -> Optional[str]:
        rows = self._session.rows(_HOLDER, (LOCK_CLASS, self._key))
        if not rows:
            return None
        return "process {pid}, user {usename}, from {client}, since {backend_start}".format(**rows[0])
