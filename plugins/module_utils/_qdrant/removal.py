# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting collections, each after a snapshot of what it holds and a second word."""

from __future__ import annotations

from typing import Iterable, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    SOURCE_MARK,
    Desired,
    Live,
    World,
    building_alias,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.view import left_behind
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation


def removal(desired: Desired, live: Optional[Live], world: World) -> list[Operation]:
    """The collection, what rebuilds left and did not finish, and notes of recreations."""
    name = desired.name
    current = live.physical if live else ""
    behind = left_behind(desired, world, live) if live else []
    old = sorted({*behind, *({name} & world.names)} - {current})
    begun = [*marked_copies(name, current, world), *world.notes(name)]
    points = (live.points if live else 0) + sum(points_of(one, world) for one in [*old, *begun])
    if points and desired.confirm_data_loss != name:
        raise StackError(
            f"collection {name!r} holds {points} points, which state: absent would destroy; "
            f"set confirm_data_loss: {name} if that is meant",
            points_lost=points,
        )
    # The newest last: until then the next run still finds what it has to finish.
    steps = [step for one in begun for step in abandoned(desired, one, live.points if live else 0, world)]
    if live is not None and live.points and desired.backup:
        steps.append(Operation("snapshot", current, f"snapshot collection {name} ({live.points} points)"))
    steps += [*backups(desired, old, world), *deletions(old, world)]
    if live is not None:
        words = f"delete collection {name} ({live.points} points)"
        steps.append(Operation("delete", current, words, {"points": live.points}))
    return steps


def marked_copies(name: str, current: str, world: World) -> list[str]:
    """What rebuilds began, filled or not, and nobody reads."""
    marked = world.marked(name)
    return [one for one in sorted(marked) if one != current and one in world.others and not world.readers(name, one)]


def unfinished(name: str, current: str, world: World) -> list[str]:
    """What a rebuild may delete of that: nobody can end a copy whose mark another run has taken.

    Of a filled one, whoever filled it may be deleting the source at this moment; only where that has gone and another
    collection has the points, nobody does.
    """
    filled = world.filled(name)
    return [
        one
        for one in marked_copies(name, current, world)
        if one not in filled or (current and world.others[one].metadata.get(SOURCE_MARK, current) not in world.names)
    ]


def abandoned(desired: Desired, collection: str, original: int, world: World) -> list[Operation]:
    """The end of a copy or a note that was left unfinished.

    A copy that holds more than the original is the only one that has the rest, so there is a snapshot of it first.
    """
    name, points = desired.name, points_of(collection, world)
    mark = world.marked(name).get(collection)
    steps = []
    if points > (original if mark else 0):
        if not desired.backup and desired.confirm_data_loss != name:
            raise StackError(
                f"{name}: {collection}, left unfinished by an earlier run, holds {points} points and {name} "
                f"{original}, so nothing was touched; leave backup on, or set confirm_data_loss: {name}",
                points_lost=points,
            )
        if desired.backup:
            steps.append(Operation("snapshot", collection, f"snapshot collection {collection} ({points} points)"))
    by = "an earlier rebuild" if mark else "an earlier recreation"
    # Whoever may be filling it still cannot end that any more once the mark has another name.
    taken = {"mark": mark, "mine": building_alias(name, world.run)} if mark else {}
    args = {"points": points, **taken}
    return [*steps, Operation("delete", collection, f"delete {collection}, left unfinished by {by}", args)]


def points_of(collection: str, world: World) -> int:
    known = [*world.live.values(), *world.others.values()]
    return next((live.points for live in known if live.physical == collection), 0)


def backups(desired: Desired, collections: Iterable[str], world: World) -> list[Operation]:
    counted = [(one, points_of(one, world)) for one in collections if desired.backup and one in world.others]
    return [
        Operation("snapshot", one, f"snapshot collection {one} ({points} points)") for one, points in counted if points
    ]


def deletions(collections: Iterable[str], world: World) -> list[Operation]:
    counted = [(one, points_of(one, world)) for one in collections]
    return [
        Operation("delete", old, f"delete old collection {old} ({points} points)", {"points": points})
        for old, points in counted
    ]
