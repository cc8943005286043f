# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a database to the last of its migrations: observe, plan, apply one by one, or rehearse them all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Mapping, Optional, Sequence, TypeVar

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations import catalog, scratch
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import (
    Difference,
    compare,
    first_difference,
    nothing_of,
    same_code,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import Migration
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.found import (
    Found,
    Things,
    bare,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.mend import mend
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.patience import (
    Patience,
    with_locks,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.plan import (
    Policy,
    Seen,
    edited_since,
    make_plan,
    not_compared,
    recorded,
    refuse_uncompared,
    state_of,
    succeeded,
    unknown,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.run import Runner
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.scratch import NotComparable
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import (
    LOCK_NOT_AVAILABLE,
    SqlError,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

Answer = TypeVar("Answer")


class Look:
    """What is there, by reading alone; ``scratch`` allows a transaction that is rolled back for what was not kept."""

    def __init__(self, session: Any, history: Any, schema: str, borrowed: Sequence[str] = ()) -> None:
        self._session = session
        self._history = history
        self._schema = schema
        self._borrowed = tuple(borrowed)
        self._declared: dict[str, dict[str, Any]] = {}
        self._kept: set[str] = set()

    def at(
        self, migrations: Sequence[Migration], *, drift: bool, scratch: bool, policy: Optional[Policy] = None
    ) -> Seen:
        """What a baseline of the policy counts as run is compared like what ran."""
        rows = self._history.read()
        ran = succeeded(rows)
        assumed = recorded(ran, migrations, policy or Policy())
        current = [one for one in migrations if one.name in ran or one in assumed]
        due, kept = self._watched([one for one in current if one.watches and not edited_since(ran[one.name], one)])
        seen = Seen(rows, due, kept, hollow=bool(assumed) and not any(self.own().values()))
        if not drift or not current:
            return seen
        try:
            declared = self.declared(current) if scratch else self._history.kept_declaration()
        except NotComparable as error:
            return replace(seen, notes=(not_compared(error),))
        if declared is None:
            return replace(seen, notes=(not_compared("no run has kept what the files declare"),))
        live = self.live()
        return replace(
            seen,
            drift=compare(declared, live),
            unkept=scratch and self.key(current) not in self._kept,
            hollow=seen.hollow or (bool(assumed) and nothing_of(declared, live)),
        )

    def live(self) -> dict[str, Any]:
        return catalog.snapshot(self._session, self._schema)

    def own(self) -> dict[str, Any]:
        """What is there beyond the history and the tables of other systems."""
        found = self.live()
        for table in (self._history.name, *self._borrowed):
            found["tables"].pop(table, None)
        return found

    def know(self, migrations: Sequence[Migration], declared: dict[str, Any]) -> None:
        """What these files declare, without finding it out."""
        self._declared[self.key(migrations)] = declared

    def key(self, migrations: Sequence[Migration]) -> str:
        return catalog.key(self._session.version, migrations, self._borrowed)

    def declared(self, migrations: Sequence[Migration]) -> dict[str, Any]:
        """What these files declare: as kept, perhaps by another run just now, or as a scratch schema shows."""
        key = self.key(migrations)
        if key not in self._kept:
            kept = self._history.kept_declaration(key)
            if kept is not None:
                self._kept.add(key)
                self._declared[key] = kept
            elif key not in self._declared:
                self._declared[key] = scratch.declaration(self._session, self._schema, migrations, self._borrowed)
        return self._declared[key]

    def found(self, things: Things) -> Found:
        return things.found(self._session)

    def _watched(self, watching: Sequence[Migration]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """What the functions of repeatable files say; one that cannot answer makes its file due."""
        due: list[tuple[str, str]] = []
        kept: list[str] = []
        for migration in watching:
            try:
                rows = self._session.rows(f"SELECT words, due FROM {migration.watches} ORDER BY due DESC, words")
            except SqlError as error:
                if error.code == LOCK_NOT_AVAILABLE:
                    raise
                rows = [{"words": f"{migration.watches} does not answer: {error}", "due": True}]
            words = [row["words"] for row in rows if row["due"]]
            if words:
                due.append((migration.name, "; ".join(words)))
            kept += [row["words"] for row in rows if not row["due"]]
        return tuple(due), tuple(kept)


class Migrations:
    """The migrations of one database, as a resource to reconcile."""

    def __init__(
        self,
        session: Any,
        history: Any,
        lock: Any,
        look: Look,
        migrations: Sequence[Migration],
        *,
        policy: Policy,
        patience: Patience,
    ) -> None:
        self._session = session
        self._history = history
        self._lock = lock
        self._look = look
        self._migrations = migrations
        self._policy = policy
        self._patience = patience
        self._locked = False
        self._empty = False
        self._seen = Seen()
        self._wanted: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._runner = Runner(session, history, patience, self._contradictions)

    def observe(self) -> dict[str, Any]:
        """What is there; where something is left to do it is read again under the lock, so that the plan stays true."""
        compared = self._policy.on_drift != "ignore"
        self._read(compared)
        if not self._locked and self.plan(None).changed:
            self._take_lock()
            self._read(compared)
            planned = self.plan(None)
            # Nothing was there before these files, so they find nothing, and what is there afterwards is theirs.
            own = compared and self._policy.baseline is None
            self._empty = own and not self._seen.rows and not any(self._waiting(self._look.own).values())
            self._foresee(planned)
        return state_of(self._seen, self._policy)

    def plan(self, current: Any) -> Plan:
        return make_plan(self._seen, self._migrations, self._policy)

    def apply(self, operation: Operation) -> None:
        self._lock.check()
        if operation.verb == "keep":
            return None
        if operation.verb == "mend":
            return mend(self._session, self._patience, operation.args["difference"])
        migration: Migration = operation.args["migration"]
        if operation.verb == "accept":
            return self._runner.in_history(lambda: self._history.accept(migration))
        if operation.verb == "baseline":
            return self._runner.in_history(lambda: self._history.put(migration, 0, kind="baseline"))
        self._prepare(migration)
        return self._runner.run(migration)

    def rehearse(self, plan: Plan) -> None:
        """Check mode: really run everything in one transaction that is rolled back."""
        pending = [one.args["migration"] for one in plan.operations if one.verb == "apply"]
        for migration in pending:
            self._prepare(migration)
        self._runner.rehearse(pending, [one.args["difference"] for one in plan.operations if one.verb == "mend"])

    def settle(self, plan: Plan) -> dict[str, Any]:
        """Keep what the files declare now, so that runs with nothing to do compare without running anything."""
        compared = self._policy.on_drift != "ignore"
        if compared:
            ran = succeeded(self._history.read())
            current = [one for one in self._migrations if one.name in ran]
            try:
                if self._empty and current:
                    self._look.know(current, self._waiting(self._look.own))
                    compared = False
                if current:
                    declared = self._waiting(lambda: self._look.declared(current))
                    self._runner.in_history(
                        lambda: self._history.keep_declaration(current[-1].name, self._look.key(current), declared)
                    )
            except NotComparable as error:
                self._runner.notes.append(not_compared(error))
        self._read(compared)
        return state_of(self._seen, self._policy)

    def result(self, state: Mapping[str, Any]) -> dict[str, Any]:
        ran = succeeded(self._seen.rows)
        return {
            "applied": [_told(name, checksum, ran.get(name)) for name, checksum in state["applied"].items()],
            "statements": self._runner.statements,
            "locks": self._runner.locks,
            "drift": [one.words for one in self._seen.drift],
            "kept": list(self._seen.kept),
            "unknown": unknown(ran, self._migrations),
            "warnings": [*self.plan(None).warnings, *self._runner.notes],
        }

    def _read(self, compared: bool) -> None:
        self._seen = self._waiting(
            lambda: self._look.at(self._migrations, drift=compared, scratch=True, policy=self._policy)
        )

    def _waiting(self, look: Callable[[], Answer]) -> Answer:
        return with_locks(self._session, self._patience, look, "the look at the database", "nothing more was done")

    def _foresee(self, plan: Plan) -> None:
        """Whoever wants drift refused is told before anything runs that it cannot be found out afterwards."""
        if self._policy.on_drift not in ("fail", "repair") or self._empty:
            return
        ran = succeeded(self._seen.rows)
        coming = {one.target for one in plan.operations if one.verb in ("apply", "baseline")}
        expected = [one for one in self._migrations if one.name in ran or one.name in coming]
        try:
            if coming:
                self._waiting(lambda: self._look.declared(expected))
        except NotComparable as error:
            refuse_uncompared(not_compared(error))

    def _prepare(self, migration: Migration) -> None:
        """Find out what a file declares before its transaction begins, where it is going to find things."""
        if self._policy.on_drift == "ignore" or self._empty:
            return
        # What a repeatable file made, or one without transaction left when it did not end, is its own.
        owns = migration.repeatable or not migration.transactional
        if owns and any(row.name == migration.name for row in self._seen.rows):
            return
        things = Things(migration)
        if not things:
            return
        earlier = self._migrations[: self._migrations.index(migration)]
        # What an earlier file made may be replaced by a later one.
        things.replaced -= {name for one in earlier for name in things.replaced if catalog.concerns(one)(bare(name))}
        found = self._waiting(lambda: self._look.found(things))
        names = [*found.kept, *found.replaced]
        if not names:
            return
        try:
            declared = self._waiting(lambda: self._look.declared([*earlier, migration]))
        except NotComparable as error:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise StackError(
                f"migration {migration.name} would take {', '.join(names[:3])}{more} for its own, which is there"
                f" already, and whether it is what the file says cannot be found out: {error}; nothing of this file was"
                " applied, name tables of other systems in borrowed_tables, or compare by hand and ignore drift"
                " once",
                migration=migration.name,
            ) from error
        if found.kept:
            self._wanted[migration.name] = (declared, self._finally(declared))
        if found.replaced:
            self._refuse_replacing(migration, frozenset(map(bare, found.replaced)), declared)

    def _refuse_replacing(self, migration: Migration, replaced: frozenset[str], declared: Mapping[str, Any]) -> None:
        """Unless it is what the files declared when they ran last, somebody else made it."""
        live = self._waiting(self._look.live)
        before = self._waiting(self._history.kept_declaration) or {}
        wrong = [
            f"{kind[:-1]} {name} is there and differs from the file's{first_difference(there[name], text)}"
            for kind in ("functions", "views")
            for there, ours in ((live[kind], before.get(kind, {})),)
            for name, text in declared[kind].items()
            if name.split("(", 1)[0] in replaced
            and name in there
            and not any(same_code(there[name], known) for known in (text, ours.get(name, text)))
        ]
        if wrong:
            raise StackError(
                f"migration {migration.name} would replace what somebody made: {'; '.join(wrong)}; nothing of this file"
                " was applied, drop it if it is not needed, make it what the file says, or set on_drift to ignore once"
                " to have it replaced",
                migration=migration.name,
                drift=wrong,
            )

    def _contradictions(self, migration: Migration, before: bool) -> Sequence[Difference]:
        """In which a file's things are not what it says, because they were there before it."""
        if migration.name not in self._wanted:
            return ()
        declared, final = self._wanted[migration.name]
        concerned = (catalog.finds if before else catalog.concerns)(migration)
        return compare(declared, self._look.live(), concerned, final)

    def _finally(self, declared: dict[str, Any]) -> dict[str, Any]:
        """What all files declare, or what is known of it where that cannot be found out."""
        try:
            return self._waiting(lambda: self._look.declared(self._migrations))
        except NotComparable:
            return declared

    def _take_lock(self) -> None:
        for _try in self._patience.tries():
            self._locked = self._lock.try_take()
            if self._locked:
                return
        holder = self._lock.holder()
        raise StackError(
            f"another migration run holds the lock ({holder or 'it ended just now'})"
            f" after {self._patience.seconds:g} s of waiting; wait for it, or raise lock_wait"
        )


class Unborn:
    """Check mode before the server exists: every migration is pending, none can be rehearsed."""

    def __init__(self, migrations: Sequence[Migration], why: str, policy: Optional[Policy] = None) -> None:
        self._migrations = migrations
        self._why = why
        self._policy = policy or Policy()

    def observe(self) -> dict[str, Any]:
        return state_of(Seen())

    def plan(self, current: Any) -> Plan:
        planned = make_plan(Seen(hollow=True), self._migrations, self._policy)
        note = f"the migrations were not rehearsed, all of them are taken as pending: {self._why}"
        return Plan(planned.before, planned.after, planned.operations, (note,))

    def apply(self, operation: Operation) -> None:
        raise StackError(self._why)

    def result(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "applied": [_told(name, checksum, None) for name, checksum in state["applied"].items()],
            "statements": [],
            "locks": [],
            "drift": [],
            "kept": [],
            "unknown": [],
        }


def _told(name: str, checksum: str, row: Any) -> dict[str, Any]:
    return {
        "name": name,
        "checksum": checksum,
        "applied_at": row.applied_at if row else None,
        "applied_by": row.applied_by if row else None,
        "duration_ms": row.duration_ms if row else None,
    }
