# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Politeness towards who uses the tables: short waits, growing pauses, and a name for who is in the way."""

from __future__ import annotations

import random
import time
from typing import Any, Callable, Iterable, Optional, TypeVar

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import (
    LOCK_NOT_AVAILABLE,
    SqlError,
)

Answer = TypeVar("Answer")
# Who shuts others out comes first, then who has held on for longest.
_HOLDERS = """
SELECT c.relname AS relation, a.pid, a.usename, coalesce(nullif(a.application_name, ''), 'no name') AS program, a.state,
    a.xact_start::text AS since
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.granted AND l.locktype = 'relation' AND l.pid <> pg_backend_pid() AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
ORDER BY l.mode <> 'AccessExclusiveLock', a.xact_start, c.relname
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


def with_locks(
    session: Any,
    patience: Patience,
    run: Callable[[], Answer],
    who: str,
    undone: str,
    concerns: Optional[Callable[[str], bool]] = None,
) -> Answer:
    """Run what may meet a table in use, again and again as long as patience lasts.

    :param who: who got no lock, as the sentence begins
    :param undone: what was done and what not, as it ends
    :param concerns: whether a table of this name may be the one that is in use
    """
    refused: Optional[SqlError] = None
    for _try in patience.tries():
        try:
            return run()
        except SqlError as error:
            if error.code != LOCK_NOT_AVAILABLE:
                raise
            refused = error
    raise StackError(
        f"{who} got no lock on a table in use within {patience.seconds:g} s ({holder(session, concerns) or refused});"
        f" {undone}, end the session that holds the table or raise lock_wait"
    ) from refused


def holder(session: Any, concerns: Optional[Callable[[str], bool]] = None) -> Optional[str]:
    """Who holds a table just now."""
    for row in session.rows(_HOLDERS):
        if concerns is None or concerns(row["relation"]):
            # Only who may read all statistics is told what another user does, and since when.
            doing = ", {state} since {since}" if row["since"] else ""
            return f"{{relation}} is held by process {{pid}}, user {{usename}}, {{program}}{doing}".format(**row)
    return None
