# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Indexes that are built beside whoever uses the table: what stands under their name, and how long to wait."""

from __future__ import annotations

from typing import Any, Callable, Optional, TypeVar

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.concurrent import ConcurrentIndex
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import same_index, unquoted
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import (
    LOCK_NOT_AVAILABLE,
    SqlError,
)

Answer = TypeVar("Answer")
_INDEX = """i.indexrelid::regclass::text AS index, i.indisvalid AS valid, i.indisunique AS unique,
    regexp_replace(pg_get_indexdef(i.indexrelid), '^.*? USING ', '') AS definition"""
_STANDING = f"""
SELECT c.oid::regclass::text AS name, i.indrelid::regclass::text AS of, i.indrelid = t.oid AS ours, {_INDEX}
FROM pg_catalog.pg_class t JOIN pg_catalog.pg_class c ON c.relnamespace = t.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE t.oid = to_regclass(%s) AND c.relname = %s
"""
_DECLARED = f"SELECT {_INDEX} FROM pg_catalog.pg_index i WHERE i.indrelid = to_regclass(%s)"


def unfinished(session: Any, index: ConcurrentIndex, where: str) -> Optional[str]:
    """What an interrupted run left under the name, in a transaction that is to be rolled back.

    The server goes on without a word where anything has the name.

    :param where: as the sentence begins
    :raises StackError: where it belongs to something else
    """
    standing = next(iter(session.rows(_STANDING, (index.table, unquoted(index.name or "")))), None)
    if standing is None:
        return None
    if standing["index"] is None:
        raise StackError(f"{where}: {standing['name']} is there already and is no index; give the index another name")
    there = f"{where}: index {standing['index']} is there already"
    if not standing["ours"]:
        raise StackError(f"{there} and belongs to table {standing['of']}; give this one another name")
    if not standing["valid"]:
        return str(standing["index"])
    try:
        declared = _declared(session, index)
    except SqlError as error:
        if error.code == LOCK_NOT_AVAILABLE:
            raise
        raise StackError(
            f"{there}, and whether it is what the file says cannot be found out: {error}; drop or rename it, or give"
            " this one another name"
        ) from error
    if not same_index(declared, standing):
        raise StackError(
            f"{there} as {_told(standing)}, and the file says {_told(declared)}; drop or rename it, or give this one"
            " another name"
        )
    return None


def _declared(session: Any, index: ConcurrentIndex) -> dict[str, Any]:
    """What the statement would make, found out on an empty copy of the table."""
    copy = f"pg_temp.{index.copied}"
    session.later(f"CREATE TEMP TABLE {index.copied} (LIKE {index.table})")
    session.execute(f"CREATE {'UNIQUE ' if index.unique else ''}INDEX ON {copy} {index.rest}")
    declared: dict[str, Any] = session.rows(_DECLARED, (copy,))[0]
    session.execute(f"DROP TABLE {copy}")
    return declared


def _told(index: dict[str, Any]) -> str:
    return f"{'unique ' if index['unique'] else ''}{index['definition']}"


def build(session: Any, index: ConcurrentIndex, where: str, seconds: float, run: Callable[[], Answer]) -> Answer:
    """What an interrupted run left of the index goes first; waiting for old transactions blocks nobody."""
    left = leftover(session, index, where)
    session.execute(f"SET lock_timeout = {max(1, round(seconds * 1000))}")
    try:
        if left:
            session.execute(f"DROP INDEX CONCURRENTLY {left}")
        return run()
    finally:
        session.execute("RESET lock_timeout")


def leftover(session: Any, index: ConcurrentIndex, where: str) -> Optional[str]:
    with session.transaction(keep=False):
        return unfinished(session, index, where)
