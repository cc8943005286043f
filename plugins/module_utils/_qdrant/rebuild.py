# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blue and green: a second collection beside the first, filled and counted before anybody reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterable, Mapping

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import patch
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.immutable import found, whole
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    COUNT_MARK,
    OWN_MARKS,
    PATCH_ONLY_PARAMS,
    SOURCE_MARK,
    Desired,
    Live,
    World,
    building_alias,
    filled_alias,
    is_mark,
    version_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.recreate import leftovers
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.removal import (
    abandoned,
    backups,
    deletions,
    marked_copies,
    points_of,
    unfinished,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.steps import (
    Made,
    alias_steps,
    creation,
    index_changes,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.view import left_behind, olds
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation


def rebuilding(desired: Desired, live: Live, world: World) -> Made:
    # What a recreation that was cut off has noted goes into the copy, and its note ends with the rebuild.
    desired, noted = leftovers(desired, live, world)
    old = live.physical
    complete = whole(desired, live)
    notes = {key: value for key, value in (complete.metadata or {}).items() if key not in OWN_MARKS}
    complete = replace(complete, metadata={**notes, SOURCE_MARK: old})
    target, useless = _target(desired, complete, live, world)
    spare = [one for one in filled_copies(desired.name, old, world) if one not in (target, *useless)]
    create, *indexes = creation(complete, target)
    steps: list[Operation] = []
    if desired.backup:
        steps.append(Operation("snapshot", old, f"snapshot collection {old} ({live.points} points)"))
    tail = [step for one in useless for step in abandoned(desired, one, live.points, world)]
    fresh = target not in world.names
    steps += [*([create] if fresh else []), _begin(desired, target, world, fresh), *indexes]
    words = f"copy {live.points} points from {old} to {target} and compare the counts"
    steps.append(Operation("copy", target, words, {"source": old}))
    steps.append(Operation("wait", target, f"wait until {target} is ready"))
    made = _switch(desired, live, target, world)
    said = [
        f"collection {desired.name} is copied to {target}: what is written to {old} meanwhile may be missing there, so "
        "pause its writers"
    ]
    shortened = [
        name for name, vector in live.vectors.items() if live.points and _unlearns_length(desired, name, vector)
    ]
    if shortened:
        said.append(
            f"collection {desired.name}: Qdrant keeps vectors of the distance Cosine at length 1, so the copies "
            f"{'of ' + ', '.join(shortened) + ' ' if any(shortened) else ''}have it too; write them anew if it matters"
        )
    whole_numbers = [name for name in live.vectors if live.points and _unlearns_fractions(desired, name, live)]
    if whole_numbers:
        said.append(
            f"collection {desired.name}: vectors {', '.join(filter(None, whole_numbers))}".rstrip() + " become uint8, "
            "which keeps whole numbers from 0 to 255 and makes such of all others"
        )
    said += [_spare(desired.name, one, world) for one in spare]
    gone = (*made.gone, *useless)
    return replace(
        made,
        steps=[*steps, *made.steps],
        tail=[*noted.tail, *made.tail, *tail],
        gone=gone,
        said=[*said, *noted.said, *made.said],
    )


def _unlearns_length(desired: Desired, name: str, live: Mapping[str, Any]) -> bool:
    wanted = (desired.vectors or {}).get(name, live)
    return bool(live["distance"] == "Cosine" != wanted["distance"])


def _unlearns_fractions(desired: Desired, name: str, live: Live) -> bool:
    wanted = (desired.vectors or {}).get(name, {}).get("datatype")
    return bool(wanted == "uint8" != live.vectors[name].get("datatype"))


def _target(desired: Desired, complete: Desired, live: Live, world: World) -> tuple[str, list[str]]:
    """The collection to fill, and what is in its way: an unfinished one of an earlier run, or the next free version."""
    name = desired.name
    for one in filled_copies(name, live.physical, world):
        if world.others[one].points <= live.points and _fits(complete, world.others[one]):
            return one, unfinished(name, live.physical, world)
    begun = unfinished(name, live.physical, world)
    # Points may have gone from the source since they were copied, and what the copy was to be may have changed, so no
    # copy that was begun is gone on with. Nor does another one get its name: whoever still wants to delete it would
    # delete that.
    taken = {*world.names, *world.aliases, *(desired.aliases or ())}
    highest = max([version_of(name, one) for one in taken] + [1])
    for number in range(version_of(name, live.physical) + 1, highest + 1):
        one = f"{name}__v{number}"
        other = world.others.get(one)
        if other is None or other.points or one in world.aliases.values():
            continue
        if _fits(replace(complete, payload_indexes=other.payload_indexes), other):
            return one, begun
    return f"{name}__v{highest + 1}", begun


def _fits(complete: Desired, copy: Live) -> bool:
    """Whether a copy is one of this source, and as this declaration wants it: then it is gone on with."""
    if complete.metadata is None or copy.metadata.get(SOURCE_MARK) != complete.metadata[SOURCE_MARK]:
        return False
    created = replace(complete, prune_indexes=True, **dict.fromkeys(PATCH_ONLY_PARAMS))
    return not (found(created, copy) or patch.steps(created, copy) or index_changes(created, copy))


def filled_copies(name: str, current: str, world: World) -> list[str]:
    return [one for one in world.filled(name) if one in marked_copies(name, current, world)]


def _begin(desired: Desired, target: str, world: World, fresh: bool) -> Operation:
    """Make the mark, or take it over from the run that made it: a filled copy stays one."""
    mine, mark = building_alias(desired.name, world.run), world.marked(desired.name).get(target)
    if mark is not None and not fresh:
        taken = _taken_over(desired.name, target, world)
        words = f"take {target} over, which an earlier rebuild filled"
        return Operation("aliases", target, words, {"actions": [renamed(mark, taken)], "mark": mark})
    words = f"mark {target} as unfinished (alias {building_alias(desired.name, '')}*)"
    action = {"create_alias": {"collection_name": target, "alias_name": mine}}
    return Operation("aliases", target, words, {"actions": [action], "alone": mine})


def _taken_over(name: str, target: str, world: World) -> str:
    """This run's mark until the switch, which renames it: what is still to be compared has another name."""
    if target in filled_copies(name, "", world):
        return filled_alias(name, f"{world.run}0")
    return building_alias(name, world.run)


def renamed(old: str, new: str) -> dict[str, Any]:
    return {"rename_alias": {"old_alias_name": old, "new_alias_name": new}}


def _switch(desired: Desired, live: Live, target: str, world: World) -> Made:
    """All aliases of the old collection in one call, and, where that is asked, the end of the old one.

    The call begins with the mark: where another run has taken that over, nothing of it is carried out.
    """
    name, old = desired.name, live.physical
    mine, filled = _taken_over(name, target, world), filled_alias(name, world.run)
    wanted = replace(desired, aliases=tuple(sorted({*(desired.aliases or ()), *world.readers(name, old)})))
    begin: dict[str, Any] = {"first": [renamed(mine, filled)], "mark": mine, "source": old}
    begin["from"] = {alias: world.aliases.get(alias) for alias in wanted.aliases or ()}
    if not desired.drop_old:
        said = f"mark {target} as finished"
        end = [{"delete_alias": {"alias_name": filled}}]
        return Made(alias_steps(wanted, target, world, last=end, said=said, **begin), target)
    after = replace(
        world,
        names=world.names | {target},
        aliases={
            **{alias: to for alias, to in world.aliases.items() if to != target or not is_mark(name, alias)},
            **dict.fromkeys(wanted.aliases or (), target),
            filled: target,
        },
    )
    behind = _droppable(desired, world, live)
    gone = tuple(sorted({old, *behind}))
    held = (filled, *(wanted.aliases or ()))
    # Of the one that is copied there is a snapshot already.
    dropped = [
        replace(step, args={**step.args, "copied": step.target == old, "copy": target, "held": held})
        for step in deletions(gone, world)
    ]
    return Made(
        alias_steps(wanted, target, world, said=f"mark {target} as filled", **begin),
        target,
        [*backups(desired, behind, world), *dropped, *_finish(desired, target, after, gone)],
        gone,
        _kept(desired, olds(desired, after, target), gone),
    )


def left_over(desired: Desired, live: Live, world: World) -> Made:
    """What a rebuild that was cut off, or that kept the old collection, still has to do."""
    name, current = desired.name, live.physical
    tail: list[Operation] = []
    gone: tuple[str, ...] = ()
    said: list[str] = []
    rebuilds = desired.on_immutable == "rebuild"
    for one in unfinished(name, current, world) if rebuilds else ():
        if points_of(one, world) > live.points:
            said.append(_alone(name, one, world))
            continue
        tail += abandoned(desired, one, live.points, world)
        gone = (*gone, one)
    if rebuilds:
        said += [_spare(name, one, world) for one in filled_copies(name, current, world) if one not in gone]
    if rebuilds and desired.drop_old:
        behind = _droppable(desired, world, live)
        said += _kept(desired, olds(desired, world, current), behind)
        tail += [*backups(desired, behind, world), *deletions(behind, world)]
        gone = (*gone, *behind)
    if current != name and (name not in world.names or name in gone):
        tail += _finish(desired, current, world, gone)
    elif rebuilds:
        marks = [alias for alias, to in world.marks(name).items() if to == current]
        actions = [{"delete_alias": {"alias_name": alias}} for alias in marks]
        if actions:
            tail.append(Operation("aliases", current, f"mark {current} as finished", {"actions": actions}))
    return Made([], current, tail, gone, said)


def orphans(desired: Desired, world: World) -> list[str]:
    """Copies that were not filled when their original went: never taken for the collection."""
    return [_alone(desired.name, one, world) for one in marked_copies(desired.name, "", world)]


def begun_by_others(desired: Desired, live: Live, world: World) -> list[str]:
    """What who rebuilds no more would not hear of."""
    begun = sorted({*world.marks(desired.name).values()} - {live.physical})
    if desired.on_immutable == "rebuild" or not begun:
        return []
    return [
        f"collection {desired.name}: {', '.join(begun)} was left unfinished by a rebuild; go on with on_immutable: "
        "rebuild, or delete it by its own name with state: absent"
    ]


def _spare(name: str, copy: str, world: World) -> str:
    return (
        f"collection {name}: {copy}, which an earlier rebuild filled with {points_of(copy, world)} points, is not what "
        "is wanted now and is kept; delete it by its own name with state: absent when nobody needs it"
    )


def _alone(name: str, copy: str, world: World) -> str:
    return (
        f"collection {name}: {copy} is an unfinished copy with {points_of(copy, world)} points that are not in {name}, "
        "so it is kept; copy what is needed of it, then delete it by its own name with state: absent"
    )


def _droppable(desired: Desired, world: World, live: Live) -> list[str]:
    """What rebuilds left.

    :raises StackError: when something was written to one of them after it had been copied
    """
    behind = left_behind(desired, world, live)
    copies = {copy.metadata.get(SOURCE_MARK): copy for copy in [*world.others.values(), live]}
    for old in behind:
        points = points_of(old, world)
        copied = copies[old].metadata.get(COUNT_MARK) if old in copies else None
        differs = points > live.points if copied is None else points != copied
        if differs and desired.confirm_data_loss != desired.name:
            raise StackError(
                f"{desired.name}: drop_old would delete {old}, which holds {points} points and held "
                f"{'no more than ' + str(live.points) if copied is None else copied} when it was copied, so nothing "
                "was touched; what was written to it since may be nowhere else; set confirm_data_loss: "
                f"{desired.name} if it is not needed",
                points_lost=points,
            )
    return behind


def _kept(desired: Desired, older: Iterable[str], gone: Iterable[str]) -> list[str]:
    kept = sorted({*older} - {*gone})
    if not kept:
        return []
    return [
        f"collection {desired.name}: drop_old leaves {', '.join(kept)}, for no note says that the one in use was "
        "copied from that; what nobody needs of that, delete by its own name with state: absent"
    ]


def _finish(desired: Desired, current: str, world: World, gone: Iterable[str]) -> list[Operation]:
    """Once its old collection is gone the name becomes an alias, and the mark goes in the same call."""
    name = desired.name
    actions: list[dict[str, Any]] = []
    words = []
    marks = [alias for alias, to in world.marks(name).items() if to == current]
    more: dict[str, Any] = {}
    if name not in world.aliases and (name not in world.names or name in gone):
        words.append(f"create alias {name} of {current}")
        if marks:
            # The mark itself becomes the name, so who has lost it cannot give the name away.
            more = {"mark": marks[0]}
            actions.append(renamed(marks[0], name))
        else:
            actions.append({"create_alias": {"collection_name": current, "alias_name": name}})
    actions += [{"delete_alias": {"alias_name": alias}} for alias in marks if alias != more.get("mark")]
    if marks:
        words.append(f"mark {current} as finished")
    return [Operation("aliases", current, "; ".join(words), {"actions": actions, **more})] if actions else []
