# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history table and the lock: which files ran here, and who may run the next."""

from __future__ import annotations

import json
import zlib
from typing import Any, Callable, Mapping, Optional

try:
    from psycopg2 import sql
except ImportError:  # the session says so
    sql = None

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, Unreachable
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import (
    CHECKSUM_VERSION,
    Migration,
    place_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.plan import Applied
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import (
    LOCK_NOT_AVAILABLE,
    SqlError,
)

_IDLE_SESSIONS_END = 140000
LOCK_CLASS = 0x504D4D47
_EXISTS = """
SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')
"""
_CREATE = """
CREATE TABLE IF NOT EXISTS {0} (
    name             text PRIMARY KEY,
    version          integer UNIQUE,
    checksum         text NOT NULL,
    checksum_version smallint NOT NULL,
    applied_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by       text NOT NULL DEFAULT session_user,
    duration_ms      integer NOT NULL,
    success          boolean NOT NULL DEFAULT true,
    kind             text NOT NULL DEFAULT 'versioned',
    details          jsonb
)
"""
_LATER = {"kind": "text NOT NULL DEFAULT 'versioned'", "details": "jsonb"}
_ADD = "ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} "
_COLUMNS = """
SELECT a.attname AS name FROM pg_catalog.pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = (
    SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p'))
"""
_READ = "SELECT to_jsonb(h) - 'details' AS row, h.name, h.success FROM {} AS h"
_PUT = "INSERT INTO {} (name, version, checksum, checksum_version, duration_ms, success, kind)"
_AGAIN = """
ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, checksum_version = excluded.checksum_version,
    duration_ms = excluded.duration_ms, success = excluded.success, kind = excluded.kind,
    applied_at = clock_timestamp(), applied_by = session_user"""
_DURATION = "(extract(epoch FROM clock_timestamp() - transaction_timestamp()) * 1000)::integer"
_ACCEPT = "UPDATE {} SET checksum = {}, checksum_version = {} WHERE name = {}"
_KEEP = """
UPDATE {0} SET details = CASE WHEN name = {1} THEN {2}::jsonb END WHERE name = {1} OR details IS NOT NULL
"""
_KEPT = (
    "SELECT kept.details -> 'declared' AS declared"
    " FROM (SELECT to_jsonb(h) -> 'details' AS details FROM {} AS h) AS kept"
)
_WITH_KEY = " WHERE kept.details ->> 'key' = {}"
_ANY = " WHERE kept.details ->> 'key' IS NOT NULL"
_TRY = "SELECT pg_try_advisory_lock(%s, %s) AS taken, current_setting('transaction_read_only')::boolean AS reads"
_HOLDER = """
SELECT a.pid, a.usename, coalesce(host(a.client_addr), 'a local socket') AS client, a.backend_start
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND l.objid = %s
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""
_FIELDS = tuple(Applied.__dataclass_fields__)


class History:
    """Everything we ask and tell the history table, in SQL."""

    def __init__(self, session: Any, schema: str, table: str) -> None:
        self._session = session
        self._schema = schema
        self.name = table
        self._known = False
        self._names: set[str] = set()
        self._into = ""

    @property
    def _table(self) -> Any:
        return sql.Identifier(self._schema, self.name)

    def exists(self) -> bool:
        return bool(self._session.rows(_EXISTS, (self._schema, self.name)))

    def read(self) -> tuple[Applied, ...]:
        if not self.exists():
            return ()
        try:
            rows = [one["row"] for one in self._session.rows(sql.SQL(_READ).format(self._table))]
        except SqlError as error:
            if error.code == LOCK_NOT_AVAILABLE:
                raise
            raise StackError(
                f"the history table {self._schema}.{self.name} cannot be read: {error}; if another tool made it, name"
                " another history_table, else let the user read it",
                sqlstate=error.code,
            ) from error
        self._names.update(row["name"] for row in rows)
        known = [Applied(**{name: row[name] for name in _FIELDS if name in row}) for row in rows]
        return tuple(sorted(known, key=lambda row: place_of(row.name)))

    def lacks(self) -> bool:
        """Whether an earlier version made the table, and something has to be added to it."""
        there = set() if self._known else self._columns()
        return bool(there) and not there.issuperset(_LATER)

    def _columns(self) -> set[str]:
        return {row["name"] for row in self._session.rows(_COLUMNS, (self._schema, self.name))}

    def create(self) -> None:
        """Make the table, or give one of an earlier version what it lacks; asked once a run.

        A table that is complete is only read, because altering one shuts out everybody who reads it.
        """
        if self._known:
            return
        there = self._columns()
        try:
            if not there:
                self._session.execute(sql.SQL(_CREATE).format(self._table))
                return
            for name, kind in _LATER.items():
                if name not in there:
                    self._session.execute(sql.SQL(_ADD + kind).format(self._table, sql.Identifier(name)))
        except SqlError as error:
            if error.code == LOCK_NOT_AVAILABLE:
                raise
            raise StackError(
                f"the history table {self._schema}.{self.name} cannot be created: {error};"
                " create the schema, give the user CREATE on it, or name another schema"
            ) from error

    def created(self) -> None:
        """What ``create`` made is committed."""
        self._known = True

    def put(
        self,
        migration: Migration,
        duration_ms: Optional[int] = None,
        *,
        success: bool = True,
        kind: Optional[str] = None,
    ) -> None:
        """Written together with what ends the transaction.

        :param duration_ms: default: as long as the transaction took
        """
        self._into = self._into or self._session.text(sql.SQL(_PUT).format(self._table))
        # None of these texts can hold a quote: names of files and numbers were checked, the others are ours.
        values = (
            f"'{migration.name}'",
            "NULL" if migration.version is None else migration.version,
            f"'{migration.checksum}'",
            CHECKSUM_VERSION,
            _DURATION if duration_ms is None else duration_ms,
            success,
            f"'{kind or ('repeatable' if migration.repeatable else 'versioned')}'",
        )
        again = _AGAIN if migration.name in self._names else ""
        self._session.later(f"{self._into} VALUES ({', '.join(map(str, values))}){again}")
        self._names.add(migration.name)

    def accept(self, migration: Migration) -> None:
        values = (migration.checksum, CHECKSUM_VERSION, migration.name)
        self._session.execute(sql.SQL(_ACCEPT).format(self._table, *map(sql.Literal, values)))

    def keep_declaration(self, name: str, key: str, declared: Mapping[str, Any]) -> None:
        """What the files declare, with the row of the last one, so that later runs compare without running anything."""
        values = (name, json.dumps({"key": key, "declared": declared}))
        self._session.execute(sql.SQL(_KEEP).format(self._table, *map(sql.Literal, values)))

    def kept_declaration(self, key: Optional[str] = None) -> Optional[dict[str, Any]]:
        """The declaration that was kept, if it is the one of this key (default: any)."""
        if not self.exists():
            return None
        query = sql.SQL(_KEPT + (_ANY if key is None else _WITH_KEY))
        rows = self._session.rows(query.format(self._table, *([] if key is None else [sql.Literal(key)])))
        return rows[0]["declared"] if rows else None


class Lock:
    """The lock of one history, held by a session of its own until that ends: what runs beside it never meets it."""

    def __init__(self, connect: Callable[[], Any], schema: str, table: str) -> None:
        self._connect = connect
        self._session: Any = None
        self._key = zlib.crc32(f"{schema}.{table}".encode()) & 0x7FFFFFFF

    def try_take(self) -> bool:
        """Never waits.

        :raises StackError: where whoever has the lock could not write
        """
        if self._session is None:
            self._session = self._connect()
            if self._session.version >= _IDLE_SESSIONS_END:
                self._session.later("SET idle_session_timeout = 0")
        rows = self._session.rows(_TRY, (LOCK_CLASS, self._key))
        if rows[0]["reads"]:
            raise StackError(
                "the server only reads, because it is a standby or default_transaction_read_only is on; name the server"
                " that writes in login_host and login_port, or turn that off"
            )
        return bool(rows[0]["taken"])

    def check(self) -> None:
        """The lock lives as long as its session, so an answer proves it.

        :raises StackError: when the session was ended
        """
        try:
            self._session.execute("SELECT 1")
        except Unreachable as error:
            raise StackError(
                f"this run lost its lock ({error}), and another run may be at work; nothing more was applied, run again"
            ) from error

    def holder(self) -> Optional[str]:
        rows = self._session.rows(_HOLDER, (LOCK_CLASS, self._key))
        if not rows:
            return None
        return "process {pid}, user {usename}, from {client}, since {backend_start}".format(**rows[0])
