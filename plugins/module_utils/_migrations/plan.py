# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what is to run: pure, from the history and the files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import Migration
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan


@dataclass(frozen=True)
class Applied:
    """One row of the history."""

    name: str
    version: int
    checksum: str
    applied_at: str
    applied_by: str
    duration_ms: int


def state_of(history: Sequence[Applied]) -> dict[str, Any]:
    return _state({row.name: row.checksum for row in history})


def make_plan(history: Sequence[Applied], migrations: Sequence[Migration], *, out_of_order: bool = False) -> Plan:
    """What to run, in order of the numbers.

    :raises StackError: when a file that ran was edited or renamed, or a new one comes too late
    """
    by_version = {row.version: row for row in history}
    pending = []
    for migration in migrations:
        row = by_version.get(migration.version)
        if row is None:
            pending.append(migration)
        else:
            _check_unedited(row, migration)
    if not out_of_order:
        _check_order(history, pending)
    before = {row.name: row.checksum for row in history}
    return Plan(
        before=_state(before),
        after=_state({**before, **{one.name: one.checksum for one in pending}}),
        operations=tuple(_operation(one) for one in pending),
        warnings=_warnings(history, migrations),
    )


def _state(checksums: Mapping[str, str]) -> dict[str, Any]:
    return {"applied": {name: checksums[name] for name in sorted(checksums, key=_by_number)}}


def _by_number(name: str) -> tuple[int, str]:
    return int(name.split("_", 1)[0]), name


def _operation(migration: Migration) -> Operation:
    return Operation("apply", migration.name, f"apply {migration.name}", {"migration": migration})


def _check_unedited(row: Applied, migration: Migration) -> None:
    if row.name != migration.name:
        raise StackError(
            f"migration {migration.name} has the number of {row.name}, which ran on {row.applied_at};"
            " rename it back, or give the new one the next free number"
        )
    if row.checksum != migration.checksum:
        raise StackError(
            f"migration {row.name} was edited after it ran on {row.applied_at} by {row.applied_by}"
            f" (SHA-256 then {row.checksum}, now {migration.checksum});"
            " restore the file and put the change into a new migration",
            migration=row.name,
            checksum_applied=row.checksum,
            checksum_file=migration.checksum,
            applied_at=row.applied_at,
        )


def _check_order(history: Sequence[Applied], pending: Sequence[Migration]) -> None:
    newest: Optional[Applied] = max(history, key=lambda row: row.version, default=None)
    for migration in pending:
        if newest and migration.version < newest.version:
            raise StackError(
                f"migration {migration.name} comes after {newest.name} has run on {newest.applied_at};"
                " give it a higher number, or set out_of_order to true if it does not depend on the order"
            )


def _warnings(history: Sequence[Applied], migrations: Sequence[Migration]) -> tuple[str, ...]:
    known = {migration.version for migration in migrations}
    newest = max(known, default=0)
    return tuple(
        f"{row.name} ran on {row.applied_at} but its file is not among those given: is this checkout older?"
        for row in history
        if row.version not in known and row.version > newest
    )
