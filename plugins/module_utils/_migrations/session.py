# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to PostgreSQL: one place that knows psycopg2, and one that turns its errors into sentences."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import re
import sys
import traceback
from typing import Any, Iterator, Mapping, NoReturn, Optional, Sequence

try:
    import psycopg2
    import psycopg2.extensions

    PSYCOPG2_ERROR: Optional[str] = None
except ImportError:
    PSYCOPG2_ERROR = traceback.format_exc()

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, Unreachable

OLDEST_SERVER = 120000
LOCK_NOT_AVAILABLE = "55P03"
CANCELLED = "57014"
_SIGNS_OF_LIFE = ("timeout expired", "closed the connection", "starting up")
_POOLED = (
    "at {} a pooler answers in place of PostgreSQL, and may give each statement another session, where neither settings"
    " nor locks last; name the address of the server itself in login_host and login_port"
)
_AS_NEW = (
    "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; DEALLOCATE ALL; UNLISTEN *;"
    " SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)
CONNECTION_OPTIONS: dict[str, dict[str, Any]] = {
    "login_host": {"type": "str", "default": "127.0.0.1"},
    "login_port": {"type": "int", "default": 5432},
    "login_user": {"type": "str", "required": True},
    "login_password": {"type": "str", "no_log": True},
    "login_db": {"type": "str", "required": True},
    "connect_timeout": {"type": "int", "default": 10},
    "ssl_mode": {
        "type": "str",
        "default": "prefer",
        "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
    },
    "ca_path": {"type": "path"},
}


class DriverMissing(StackError):
    """psycopg2 cannot be imported by the Python that runs the module."""


class SqlError(StackError):
    """The server refused a statement; ``code`` is its SQLSTATE, ``position`` where in the statement it points to."""

    def __init__(self, message: str, code: str, position: Optional[int]) -> None:
        super().__init__(message)
        self.code = code
        self.position = position


class Session:
    """A connection in autocommit; ``transaction()`` groups statements and can be told to keep nothing."""

    def __init__(self, login: Mapping[str, Any], settings: Mapping[str, str]) -> None:
        if PSYCOPG2_ERROR:
            raise DriverMissing(
                f"{sys.executable} on this host cannot import psycopg2; install the package python3-psycopg2 for it",
                import_error=PSYCOPG2_ERROR,
            )
        self._where = f"{login['login_host']}:{login['login_port']}"
        self._owed: list[str] = []
        self._connection = self._connect(login, settings)
        self._connection.autocommit = True
        if self.version < OLDEST_SERVER:
            raise StackError(f"PostgreSQL at {self._where} is version {self.version // 10000}; 12 or newer is needed")
        if self.rows("SELECT pg_catalog.pg_backend_pid() AS pid")[0]["pid"] != self._connection.get_backend_pid():
            raise StackError(_POOLED.format(self._where))

    @property
    def version(self) -> int:
        """As the server counts: 170002 is 17.2."""
        return int(self._connection.server_version)

    def _connect(self, login: Mapping[str, Any], settings: Mapping[str, str]) -> Any:
        try:
            return psycopg2.connect(
                host=login["login_host"],
                port=login["login_port"],
                user=login["login_user"],
                password=login["login_password"],
                dbname=login["login_db"],
                connect_timeout=login["connect_timeout"],
                sslmode=login["ssl_mode"],
                sslrootcert=login["ca_path"],
                application_name="planner_memory",
                # What keeps an address translation from forgetting a connection that waits.
                keepalives_idle=60,
                options=" ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items()),
            )
        except psycopg2.OperationalError as error:
            _fail_to_connect(error, login)

    def close(self) -> None:
        self._connection.close()

    def rows(self, query: Any, params: Optional[Sequence[Any]] = None) -> list[dict[str, Any]]:
        """The rows of a query, as plain values."""
        with self._sent(query, params) as cursor:
            names = [column.name for column in cursor.description]
            return [dict(zip(names, map(plain, row))) for row in cursor.fetchall()]

    def execute(self, query: Any, params: Optional[Sequence[Any]] = None) -> int:
        """Run one statement and say how many rows it touched (-1 where that means nothing)."""
        with self._sent(query, params) as cursor:
            return int(cursor.rowcount)

    def later(self, query: Any) -> None:
        """Send a statement together with the next one, which spares a round trip; if it fails, the next one does."""
        self._owed.append(self.text(query))

    @contextlib.contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[None]:
        """Everything inside happens at once or, with ``keep=False`` and on any error, not at all."""
        self.later("BEGIN")
        try:
            yield
            if keep:
                self.execute("COMMIT")
        finally:
            self._owed.clear()
            if not self._connection.closed and self._in_transaction():
                self.execute("ROLLBACK")

    def as_new(self) -> None:
        """As after the login, whatever a file set, opened or kept for itself; ``DISCARD ALL`` allows no transaction."""
        self.later(_AS_NEW)

    def _in_transaction(self) -> bool:
        return self._connection.get_transaction_status() != psycopg2.extensions.TRANSACTION_STATUS_IDLE

    def text(self, query: Any) -> str:
        """A composed query as it is sent."""
        return query if isinstance(query, str) else query.as_string(self._connection)

    @contextlib.contextmanager
    def _sent(self, query: Any, params: Optional[Sequence[Any]]) -> Iterator[Any]:
        # A line to itself for the semicolon, because a statement may end in a comment.
        owed = "".join(f"{one}\n;\n" for one in self._owed)
        self._owed.clear()
        before = owed if params is None else owed.replace("%", "%%")
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(before + self.text(query), params)
                yield cursor
        except psycopg2.Error as error:
            if self._connection.closed:
                raise Unreachable(f"PostgreSQL at {self._where} ended the connection: {_first_line(error)}") from error
            raise _sql_error(error, len(owed)) from error


def plain(value: Any) -> Any:
    """A value that JSON and Ansible can carry."""
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, memoryview):
        return bytes(value).hex()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def quoted(name: str) -> str:
    """A name as SQL writes it, for settings that take text."""
    return '"' + name.replace('"', '""') + '"'


def _escaped(value: str) -> str:
    return re.sub(r"([\\\s])", r"\\\1", value)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _sql_error(error: Any, before: int) -> SqlError:
    """``before``: how many characters were sent in front of the statement."""
    diagnosis = error.diag
    parts = [diagnosis.message_primary or _first_line(error)]
    parts += [part for part in (diagnosis.message_detail, diagnosis.message_hint) if part]
    position = int(diagnosis.statement_position or 0) - before
    return SqlError("; ".join(parts), error.pgcode or "", position if position > 0 else None)


def _fail_to_connect(error: Any, login: Mapping[str, Any]) -> NoReturn:
    """libpq gives no SQLSTATE here, only the server's words."""
    words = str(error)
    where = f"PostgreSQL at {login['login_host']}:{login['login_port']}"
    user, database = login["login_user"], login["login_db"]
    if "password authentication failed" in words or "no password supplied" in words:
        raise StackError(f"{where} refuses the password of user {user}; correct login_password") from error
    if f'database "{database}" does not exist' in words:
        raise StackError(f"{where} has no database {database}; create it, or correct login_db") from error
    if "does not exist" in words and "role" in words:
        raise StackError(f"{where} has no user {user}; create it, or correct login_user") from error
    if "unsupported startup parameter" in words:
        raise StackError(_POOLED.format(where.removeprefix("PostgreSQL at "))) from error
    if "FATAL:" in words and "starting up" not in words:
        raise StackError(f"{where} refuses the login: {words.split('FATAL:', 1)[1].strip()}") from error
    nobody = not any(sign in words for sign in _SIGNS_OF_LIFE)
    way_out = "start it, or correct login_host and login_port" if nobody else "wait until it does, or look at its log"
    unreachable = Unreachable(f"{where} does not answer ({_first_line(error).rsplit(': ', 1)[-1]}); {way_out}")
    unreachable.nobody = nobody
    raise unreachable from error
