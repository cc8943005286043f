# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what is to run: pure, from the history, the files and what the live database lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, NoReturn, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import Difference
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import (
    CHECKSUMS,
    Migration,
    place_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan


@dataclass(frozen=True)
class Applied:
    """One row of the history."""

    name: str
    version: Optional[int]
    checksum: str
    applied_at: str
    applied_by: str
    duration_ms: int
    checksum_version: int = 1
    kind: str = "versioned"
    success: bool = True


@dataclass(frozen=True)
class Policy:
    """What the person allows.

    ``baseline``: in a database without a history, files up to this number count as run; ``target``: nothing above this
    number runs; ``repair``: files whose edit after they ran is accepted; ``out_of_order``: refuse, run or skip a new
    file below the newest that ran; ``on_drift``: ignore, report, fail or repair.
    """

    out_of_order: str = "refuse"
    baseline: Optional[int] = None
    target: Optional[int] = None
    repair: frozenset[str] = frozenset()
    on_drift: str = "report"


@dataclass(frozen=True)
class Seen:
    """What is there: the history, what watching files say is due, and where the catalog differs from the files.

    ``unkept``: what the files declare had to be found out, because no run has kept it; ``hollow``: nothing is there of
    what the files of a baseline make.
    """

    rows: Sequence[Applied] = ()
    due: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()
    drift: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()
    unkept: bool = False
    hollow: bool = False


def succeeded(rows: Sequence[Applied]) -> dict[str, Applied]:
    return {row.name: row for row in rows if row.success}


def recorded(ran: Mapping[str, Applied], migrations: Sequence[Migration], policy: Policy) -> list[Migration]:
    """The files that a baseline counts as run, which is none where there is a history."""
    if ran or policy.baseline is None:
        return []
    last = policy.baseline if policy.target is None else min(policy.baseline, policy.target)
    return [one for one in migrations if one.version is not None and one.version <= last]


def state_of(seen: Seen, policy: Optional[Policy] = None) -> dict[str, Any]:
    policy = policy or Policy()
    checksums = {name: row.checksum for name, row in succeeded(seen.rows).items()}
    return _state(checksums, [words for _name, words in seen.due], [one.words for one in _mends(seen, policy)])


def make_plan(seen: Seen, migrations: Sequence[Migration], policy: Optional[Policy] = None) -> Plan:
    """What to do: accept edits, mend what was lost, record a baseline, run files in order, then the repeatable ones.

    :raises StackError: when a file that ran was edited or renamed, a new one comes too late, or drift is to fail
    """
    policy = policy or Policy()
    ran = succeeded(seen.rows)
    _check_repair(migrations, policy)
    edited = _edited(ran, migrations, policy)
    baseline = recorded(ran, migrations, policy)
    if baseline and seen.hollow:
        _refuse_hollow(baseline, policy)
    _check_drift(seen, policy)
    pending, notes = _pending(ran, migrations, policy)
    running = [one for one in pending if one not in baseline]
    again = _again(ran, migrations, seen, policy)
    before = {name: row.checksum for name, row in ran.items()}
    after = {**before, **{one.name: one.checksum for one in (*edited, *baseline, *running, *again)}}
    anew = any(one.anew for one in _mends(seen, policy))
    due = {one.name: " (something was made anew)" for one in again if anew and one.watches}
    due.update((name, f" ({words})") for name, words in seen.due)
    operations = (
        *(_operation("accept", one, f"accept the edit of {one.name}") for one in edited),
        *(Operation("mend", one.words, f"repair: {one.words}", {"difference": one}) for one in _mends(seen, policy)),
        *(_operation("baseline", one, f"record {one.name} as run before") for one in baseline),
        *(_operation("apply", one, f"apply {one.name}{due.get(one.name, '')}") for one in (*running, *again)),
    )
    if seen.unkept and not operations:
        operations = (Operation("keep", "declaration", "keep what the files declare, to compare with it later"),)
    return Plan(
        before=state_of(seen, policy),
        after=_state(after, [], []),
        operations=operations,
        warnings=(*_missed(ran, migrations), *notes, *seen.notes, *seen.kept, *_reported(seen, policy)),
    )


def _refuse_hollow(baseline: Sequence[Migration], policy: Policy) -> NoReturn:
    names = baseline[0].name if len(baseline) == 1 else f"{baseline[0].name} to {baseline[-1].name}"
    raise StackError(
        f"baseline is {policy.baseline}, but nothing of what {names} make is there, so what never ran would count as"
        " run; leave baseline out, or correct login_db and schema"
    )


def _state(checksums: Mapping[str, str], due: Sequence[str], drift: Sequence[str]) -> dict[str, Any]:
    return {
        "applied": {name: checksums[name] for name in sorted(checksums, key=place_of)},
        "due": list(due),
        "to_repair": list(drift),
    }


def _mends(seen: Seen, policy: Policy) -> list[Difference]:
    return [one for one in seen.drift if one.repair] if policy.on_drift == "repair" else []


def _operation(verb: str, migration: Migration, words: str) -> Operation:
    return Operation(verb, migration.name, words, {"migration": migration})


def _check_repair(migrations: Sequence[Migration], policy: Policy) -> None:
    unknown = sorted(policy.repair - {one.name for one in migrations})
    if unknown:
        raise StackError(f"repair names {unknown[0]}, which is not among the files given; correct the name")


def _edited(ran: Mapping[str, Applied], migrations: Sequence[Migration], policy: Policy) -> list[Migration]:
    """Files that were edited after they ran, and may have been."""
    by_version = {row.version: row for row in ran.values() if row.version is not None}
    accepted = []
    for migration in migrations:
        row = by_version.get(migration.version) if not migration.repeatable else None
        if row is None:
            continue
        if row.name != migration.name:
            raise StackError(
                f"migration {migration.name} has the number of {row.name}, which ran on {row.applied_at};"
                " rename it back, or give the new one the next free number"
            )
        if not edited_since(row, migration):
            continue
        if migration.name not in policy.repair:
            _refuse_edit(row, migration)
        accepted.append(migration)
    return accepted


def standing(seen: Seen, migrations: Sequence[Migration]) -> dict[str, Any]:
    """How things stand, without deciding anything."""
    ran = succeeded(seen.rows)
    edited = [one for one in migrations if one.name in ran and edited_since(ran[one.name], one)]
    waiting = [one for one in migrations if one.name not in ran or (one.repeatable and one in edited)]
    return {
        "applied": list(ran),
        "pending": [one.name for one in waiting],
        "unfinished": [row.name for row in seen.rows if not row.success],
        "edited": [one.name for one in edited if not one.repeatable],
        "unknown": unknown(ran, migrations),
        "due": [words for _name, words in seen.due],
        "kept": list(seen.kept),
        "drift": None if seen.notes else [one.words for one in seen.drift],
        "warnings": list(_missed(ran, migrations)),
    }


def edited_since(row: Applied, migration: Migration) -> bool:
    """Whether the file has another checksum now, by the algorithm that the row was written with."""
    if row.checksum_version not in CHECKSUMS:
        raise StackError(
            f"migration {row.name} was recorded with checksum algorithm {row.checksum_version}, which this version does"
            " not know; use the version of the collection that wrote it, or a newer one"
        )
    return row.checksum != migration.checksum_by(row.checksum_version)


def _refuse_edit(row: Applied, migration: Migration) -> None:
    raise StackError(
        f"migration {row.name} was edited after it ran on {row.applied_at} by {row.applied_by}"
        f" (SHA-256 then {row.checksum}, now {migration.checksum});"
        " restore the file and put the change into a new migration, or name it in repair if the edit changes nothing",
        migration=row.name,
        checksum_applied=row.checksum,
        checksum_file=migration.checksum,
        applied_at=row.applied_at,
    )


def _pending(
    ran: Mapping[str, Applied], migrations: Sequence[Migration], policy: Policy
) -> tuple[list[Migration], list[str]]:
    """Numbered files that never ran, up to the target; and what to tell about those that were passed over."""
    numbered = [one for one in migrations if not one.repeatable and one.name not in ran]
    pending = [one for one in numbered if policy.target is None or (one.version or 0) <= policy.target]
    newest: Optional[Applied] = max(
        (row for row in ran.values() if row.version is not None), key=lambda row: row.version or 0, default=None
    )
    late = [one for one in pending if newest and (one.version or 0) < (newest.version or 0)]
    if not late or policy.out_of_order == "run" or newest is None:
        return pending, []
    if policy.out_of_order == "refuse":
        raise StackError(
            f"migration {late[0].name} comes after {newest.name} has run on {newest.applied_at};"
            " give it a higher number, or set out_of_order to run if it does not depend on the order"
        )
    return [one for one in pending if one not in late], [
        f"{one.name} was skipped: {newest.name} ran before it on {newest.applied_at}" for one in late
    ]


def _again(
    ran: Mapping[str, Applied],
    migrations: Sequence[Migration],
    seen: Seen,
    policy: Policy,
) -> list[Migration]:
    """Repeatable files that are new, changed, or due; none where the target keeps numbered ones back."""
    numbered = [one.version or 0 for one in migrations if not one.repeatable]
    if policy.target is not None and max(numbered, default=0) > policy.target:
        return []
    due = {name for name, _words in seen.due}
    # What is made anew has neither rows nor rights, and whoever watches over them would be due afterwards.
    anew = any(one.anew for one in _mends(seen, policy))
    found = []
    for one in migrations:
        if one.repeatable:
            row = ran.get(one.name)
            if row is None or edited_since(row, one) or one.name in due or (anew and one.watches):
                found.append(one)
    return found


def not_compared(why: Any) -> str:
    return f"the database was not compared with what its files declare: {why}"


def refuse_uncompared(words: str) -> NoReturn:
    raise StackError(f"{words}; make that possible, or set on_drift to report")


def _check_drift(seen: Seen, policy: Policy) -> None:
    if policy.on_drift in ("fail", "repair") and seen.notes:
        refuse_uncompared(seen.notes[0])
    if policy.on_drift == "fail" and seen.drift:
        refuse_drift(seen.drift, "restore it by hand, or set on_drift to repair for what can be added")
    wrong = [one for one in seen.drift if not one.repair]
    if policy.on_drift == "repair" and wrong:
        refuse_drift(wrong, "this cannot be added without touching what is there; restore it by hand")


def refuse_drift(wrong: Sequence[Difference], way_out: str) -> None:
    words = [one.words for one in wrong]
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    raise StackError(
        f"the database is not what its migrations declare: {'; '.join(words[:5])}{more}; {way_out}", drift=words
    )


def _reported(seen: Seen, policy: Policy) -> tuple[str, ...]:
    if policy.on_drift != "report":
        return ()
    return tuple(
        f"the database is not what its migrations declare: {one.words}; "
        + ("on_drift: repair adds it" if one.repair else one.way_out)
        for one in seen.drift
    )


def unknown(ran: Mapping[str, Applied], migrations: Sequence[Migration]) -> list[str]:
    """Names of files that ran and are not given."""
    names = {one.name for one in migrations}
    return [name for name in ran if name not in names]


def _missed(ran: Mapping[str, Applied], migrations: Sequence[Migration]) -> tuple[str, ...]:
    newest = max((one.version or 0 for one in migrations), default=0)
    return tuple(
        f"{name} ran on {ran[name].applied_at} but its file is not among those given"
        + (
            ": is this checkout older?"
            if (ran[name].version or 0) > newest
            else "; restore it, or delete its row from the history if it is gone for good"
        )
        for name in unknown(ran, migrations)
    )
