# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add what the live catalog lacks: in one transaction, or beside whoever uses the table where it may take long."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.beside import build, leftover
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.concurrent import concurrent_index
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import Difference
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.patience import (
    Patience,
    with_locks,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import (
    LOCK_NOT_AVAILABLE,
    SqlError,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import Statement

_KEPT = "it was not made, and what was repaired before it stays"


def add(session: Any, difference: Difference, kept: str) -> None:
    """In the transaction that is open."""
    for text in difference.repair:
        _execute(session, difference, text, kept)


def mend(session: Any, patience: Patience, difference: Difference) -> None:
    """In transactions of its own."""
    who = f"the repair ({difference.words})"

    def at_once() -> None:
        with session.transaction(keep=True):
            add(session, difference, _KEPT)

    if not difference.apart:
        return with_locks(session, patience, at_once, who, "it was not made")
    done = 0
    try:
        for text in difference.apart:
            with_locks(
                session,
                patience,
                lambda one=text: _step(session, patience, difference, one, who),  # type: ignore[misc]
                who,
                "it was not made",
            )
            done += 1
    except StackError:
        # What cannot be taken back either is found by the next run, and ended by it.
        with contextlib.suppress(StackError):
            _undo(session, difference, done)
        raise
    return None


def is_built(difference: Difference) -> bool:
    """Whether it is an index that is built beside whoever uses its table, which no transaction allows."""
    return any(concurrent_index(Statement(text, 0)) for text in difference.apart)


def _step(session: Any, patience: Patience, difference: Difference, text: str, who: str) -> None:
    index = concurrent_index(Statement(text, 0))
    if not index:
        return _execute(session, difference, text, _KEPT)
    return build(session, index, who, patience.seconds, lambda: _execute(session, difference, text, _KEPT))


def _undo(session: Any, difference: Difference, done: int) -> None:
    index = concurrent_index(Statement(difference.apart[0], 0))
    left = index and leftover(session, index, difference.words)
    if left:
        session.execute(f"DROP INDEX CONCURRENTLY {left}")
    elif done and difference.undo:
        session.execute(difference.undo)


def _execute(session: Any, difference: Difference, text: str, kept: str) -> None:
    try:
        session.execute(text)
    except SqlError as error:
        if error.code == LOCK_NOT_AVAILABLE:
            raise
        raise StackError(
            f"{difference.words}, and it cannot be added: {error}; {kept}, correct it by hand",
            sqlstate=error.code,
        ) from error
