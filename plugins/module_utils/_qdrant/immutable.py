# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Qdrant cannot change in place: refuse it, or make the collection anew, with its points or without."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    SOURCE_MARK,
    Desired,
    Live,
    World,
    building_alias,
    version_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.steps import alias_steps, creation
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.view import (
    FIXED,
    changes,
    left_behind,
    olds,
    plain,
    projected,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation

Change = tuple[str, Any, Any]
Made = tuple[list[Operation], str, tuple[str, ...], list[str]]
VECTOR_KEYS = ("size", "distance", "datatype", "multivector_config")
# Differences over which a point cannot be carried into the new collection.
UNCOPIED_KEYS = ("size", "multivector_config")


def refuse(desired: Iterable[Desired], world: World) -> None:
    """:raises StackError: for everything at once that cannot change and that nobody allowed to be made anew"""
    lost: list[dict[str, Any]] = []
    for one in desired:
        live = world.live.get(one.name)
        if not one.present or live is None:
            continue
        different = found(one, live)
        if different and one.on_immutable == "recreate":
            if one.confirm_data_loss != one.name:
                raise StackError(
                    f"{one.name}: on_immutable is recreate, which would destroy {live.points} points, so nothing was "
                    f"touched; set confirm_data_loss: {one.name} if that is meant",
                    immutable=[_row(one, live, change) for change in different],
                )
        elif different and one.on_immutable == "rebuild":
            _refuse_rebuild(one, live, world, different)
        else:
            lost += [_row(one, live, change) for change in different]
    if lost:
        told = "; ".join(
            f"{row['collection']}: {row['field']} is {row['live']!r}, wanted {row['wanted']!r} "
            f"({row['points_lost']} points would be lost)"
            for row in lost
        )
        raise StackError(
            f"Qdrant cannot change this in place, so nothing was touched: {told}; declare what is there, or see "
            "on_immutable, which makes the collection anew with its points (rebuild) or without them (recreate)",
            immutable=lost,
        )


def _row(desired: Desired, live: Live, change: Change) -> dict[str, Any]:
    return {
        "collection": desired.name,
        "field": change[0],
        "live": change[1],
        "wanted": change[2],
        "points_lost": live.points,
    }


def _refuse_rebuild(desired: Desired, live: Live, world: World, different: list[Change]) -> None:
    name = desired.name
    rows = [_row(desired, live, change) for change in different]
    uncopied = [change for change in different if change[0] in _uncopied_fields(desired, live)]
    if uncopied and live.points:
        field, is_now, wanted = uncopied[0]
        raise StackError(
            f"{name}: {field} is {is_now!r}, wanted {wanted!r}; none of the {live.points} points fits, so a rebuild "
            "cannot copy them and nothing was touched; fill a collection of another name and move the alias to it, or "
            f"set on_immutable: recreate and confirm_data_loss: {name}",
            immutable=rows,
        )
    if live.sharding_method == "custom" or desired.sharding_method == "custom":
        raise StackError(
            f"{name}: sharding_method is custom, and points of a custom shard key are not copied by a rebuild, so "
            "nothing was touched; fill a collection of another name and move the alias to it",
            immutable=rows,
        )
    if not desired.drop_old and not desired.aliases and name not in world.aliases:
        raise StackError(
            f"{name}: on_immutable is rebuild, but readers use the collection by its own name, which cannot move while "
            "the old collection has it, so nothing was touched; declare aliases that readers use, or set "
            "drop_old: true, which deletes the old collection and then gives its name to the new one",
            immutable=rows,
        )


def found(desired: Desired, live: Live) -> list[Change]:
    """Every declared field that is given at creation and is another one there."""
    different: list[Change] = []
    for name, wanted in sorted((desired.vectors or {}).items()):
        prefix = f"vectors.{name}" if name else "vectors"
        if name not in live.vectors:
            # A vector without a name cannot be added, and none beside it.
            if name == "" or "" in live.vectors:
                is_now = f"vectors named {sorted(live.vectors)}" if live.vectors else "absent"
                different.append((prefix, is_now, plain(wanted)))
            continue
        for key in VECTOR_KEYS:
            if key in wanted:
                is_now = projected({key: wanted[key]}, live.vectors[name])[key]
                if key == "datatype" and is_now is None:
                    is_now = "float32"
                different += changes(plain(wanted[key]), is_now, f"{prefix}.{key}")
    for option in FIXED:
        wanted = getattr(desired, option)
        is_now = getattr(live, option) or ("auto" if option == "sharding_method" else None)
        if wanted is not None and wanted != is_now:
            different.append((option, is_now, wanted))
    if desired.wal_config is not None:
        is_there = projected(desired.wal_config, live.wal_config)
        different += changes(plain(desired.wal_config), is_there, "wal_config")
    return different


def _uncopied_fields(desired: Desired, live: Live) -> set[str]:
    paths = set()
    for name in desired.vectors or {}:
        prefix = f"vectors.{name}" if name else "vectors"
        if name not in live.vectors:
            paths.add(prefix)
        paths |= {f"{prefix}.{key}" for key in UNCOPIED_KEYS} | {f"{prefix}.multivector_config.comparator"}
    return paths


def whole(desired: Desired, live: Live) -> Desired:
    """The declaration with everything that is there and not declared, as a new collection has to be made."""
    filled: dict[str, Any] = {}
    for field in fields(Desired):
        wanted, is_now = getattr(desired, field.name), getattr(live, field.name, None)
        if field.name in ("vectors", "sparse_vectors"):
            filled[field.name] = _vectors(wanted, is_now or {})
        elif field.name == "payload_indexes":
            kept = {} if desired.prune_indexes else is_now
            filled[field.name] = {**kept, **(wanted or {})}
        elif field.name == "quantization_config":
            filled[field.name] = _given(is_now) if wanted is None else wanted
        elif isinstance(is_now, Mapping):
            filled[field.name] = {**_given(is_now), **(wanted or {})} or None
        elif wanted is None and is_now is not None:
            filled[field.name] = is_now
    return replace(desired, **filled)


def _vectors(wanted: Optional[Mapping[str, Any]], live: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    declared = dict(wanted or {})
    if declared and ("" in declared) != ("" in live) and not {*declared} & {*live}:
        return declared
    return {name: {**_given(live.get(name) or {}), **declared.get(name, {})} for name in {**live, **declared}} or None


def _given(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def recreating(desired: Desired, live: Live, world: World) -> Made:
    name = live.physical
    steps = []
    if desired.backup:
        steps.append(Operation("snapshot", name, f"snapshot collection {name} ({live.points} points)"))
    steps.append(Operation("delete", name, f"delete collection {name} ({live.points} points)"))
    steps += creation(whole(desired, live), name)
    pointing = sorted(alias for alias, target in world.aliases.items() if target == name)
    without = replace(world, aliases={alias: to for alias, to in world.aliases.items() if to != name})
    wanted = replace(desired, aliases=tuple(sorted({*(desired.aliases or ()), *pointing})))
    steps += alias_steps(wanted, name, without)
    return steps, name, (), [f"collection {desired.name} is made anew without its {live.points} points"]


def rebuilding(desired: Desired, live: Live, world: World) -> Made:
    """Blue and green: a second collection beside the first, filled and counted before anybody reads it."""
    old = live.physical
    marker = building_alias(desired.name)
    complete = whole(desired, live)
    complete = replace(complete, metadata={**(complete.metadata or {}), SOURCE_MARK: old})
    target, useless = _target(desired, complete, live, world)
    create, *indexes = creation(complete, target)
    steps: list[Operation] = []
    if desired.backup:
        steps.append(Operation("snapshot", old, f"snapshot collection {old} ({live.points} points)"))
    steps += [_unfinished(one) for one in useless]
    fresh = target not in world.names or target in useless
    if fresh:
        steps.append(create)
    if fresh or world.aliases.get(marker) != target:
        actions = [{"create_alias": {"collection_name": target, "alias_name": marker}}]
        steps.append(
            Operation("aliases", target, f"mark {target} as unfinished (alias {marker})", {"actions": actions})
        )
    steps += indexes
    if live.points:
        words = f"copy {live.points} points from {old} to {target} and compare the counts"
        steps.append(Operation("copy", target, words, {"source": old}))
    steps.append(Operation("wait", target, f"wait until {target} is ready"))
    switch, gone, kept = _switch(desired, live, target, world)
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
    return [*steps, *switch], target, (*gone, *(one for one in useless if one != target)), [*said, *kept]


def _unlearns_length(desired: Desired, name: str, live: Mapping[str, Any]) -> bool:
    wanted = (desired.vectors or {}).get(name, live)
    return bool(live["distance"] == "Cosine" != wanted["distance"])


def _unfinished(collection: str) -> Operation:
    return Operation("delete", collection, f"delete {collection}, left unfinished by an earlier rebuild")


def _target(desired: Desired, complete: Desired, live: Live, world: World) -> tuple[str, list[str]]:
    """The collection to fill, and what is in its way: an unfinished one of an earlier run, or the next free version."""
    name = desired.name
    marked = world.aliases.get(building_alias(name), "")
    useless = []
    if marked in world.others:
        other = world.others[marked]
        if not found(complete, other):
            # Points may have gone from the source since they were copied, so the copy begins anew.
            return marked, [marked] if other.points and not world.readers(name, marked) else []
        useless.append(marked)
    highest = max([version_of(name, one) for one in world.names] + [1])
    for number in range(version_of(name, live.physical) + 1, highest + 1):
        one = f"{name}__v{number}"
        other = world.others.get(one)
        taken = other is None or other.points or one in world.aliases.values()
        ours = other is not None and other.metadata.get(SOURCE_MARK) == live.physical
        if other is not None and ours and not taken and not found(complete, other):
            return one, useless
    return f"{name}__v{highest + 1}", useless


def _switch(
    desired: Desired, live: Live, target: str, world: World
) -> tuple[list[Operation], tuple[str, ...], list[str]]:
    """All aliases of the old collection in one atomic call, and, where that is asked, the end of the old one."""
    marker, old = building_alias(desired.name), live.physical
    pointing = world.readers(desired.name, old)
    wanted = replace(desired, aliases=tuple(sorted({*(desired.aliases or ()), *pointing})))
    if not desired.drop_old:
        return alias_steps(wanted, target, world, {"delete_alias": {"alias_name": marker}}), (), []
    after = replace(
        world,
        names=world.names | {target},
        aliases={**world.aliases, **dict.fromkeys(wanted.aliases or (), target), marker: target},
    )
    gone = tuple(sorted({old, *left_behind(desired, world, live)}))
    # Of the one that is copied there is a snapshot already.
    steps = [*alias_steps(wanted, target, world), *_backups(desired, gone, world), *_deletions(gone, world)]
    return [*steps, *_finish(desired, target, after, gone)], gone, _kept(desired, olds(desired, after, target), gone)


def left_over(desired: Desired, live: Live, world: World) -> tuple[list[Operation], tuple[str, ...], list[str]]:
    """What a rebuild that was cut off, or that kept the old collection, still has to do."""
    name, current = desired.name, live.physical
    marked = world.aliases.get(building_alias(name))
    steps: list[Operation] = []
    gone: tuple[str, ...] = ()
    said: list[str] = []
    rebuilds = desired.on_immutable == "rebuild"
    if rebuilds and marked in world.others and marked != current and not world.readers(name, str(marked)):
        steps.append(_unfinished(str(marked)))
    if rebuilds and desired.drop_old:
        gone = tuple(left_behind(desired, world, live))
        said = _kept(desired, olds(desired, world, current), gone)
        steps += [*_backups(desired, gone, world), *_deletions(gone, world)]
    if current != name and (name not in world.names or name in gone):
        steps += _finish(desired, current, world, gone)
    elif rebuilds and marked == current:
        actions = [{"delete_alias": {"alias_name": building_alias(name)}}]
        steps.append(Operation("aliases", current, f"mark {current} as finished", {"actions": actions}))
    return steps, gone, said


def removal(desired: Desired, live: Live, world: World) -> list[Operation]:
    name = desired.name
    old = sorted({*left_behind(desired, world, live), *({name} & world.names)} - {live.physical})
    points = live.points + sum(_points(one, world) for one in old)
    if points and desired.confirm_data_loss != name:
        raise StackError(
            f"collection {name!r} holds {points} points, which state: absent would destroy; "
            f"set confirm_data_loss: {name} if that is meant",
            points_lost=points,
        )
    steps = []
    if live.points and desired.backup:
        steps.append(Operation("snapshot", live.physical, f"snapshot collection {name} ({live.points} points)"))
    # The newest last: until then the next run still finds what it has to finish.
    steps += [*_backups(desired, old, world), *_deletions(old, world)]
    return [*steps, Operation("delete", live.physical, f"delete collection {name} ({live.points} points)")]


def _points(collection: str, world: World) -> int:
    known = [*world.live.values(), *world.others.values()]
    return next((live.points for live in known if live.physical == collection), 0)


def _backups(desired: Desired, collections: Iterable[str], world: World) -> list[Operation]:
    counted = [(one, _points(one, world)) for one in collections if desired.backup and one in world.others]
    return [
        Operation("snapshot", one, f"snapshot collection {one} ({points} points)") for one, points in counted if points
    ]


def _deletions(collections: Iterable[str], world: World) -> list[Operation]:
    return [
        Operation("delete", old, f"delete old collection {old} ({_points(old, world)} points)") for old in collections
    ]


def _kept(desired: Desired, older: Iterable[str], gone: Iterable[str]) -> list[str]:
    kept = sorted({*older} - {*gone})
    if not kept:
        return []
    return [
        f"collection {desired.name}: drop_old leaves {', '.join(kept)}, which no rebuild is known to have made or "
        "left; what nobody needs of that, delete by its own name with state: absent"
    ]


def _finish(desired: Desired, current: str, world: World, gone: Iterable[str]) -> list[Operation]:
    """Once its old collection is gone the name becomes an alias, and the mark goes in the same call."""
    name, marker = desired.name, building_alias(desired.name)
    actions: list[dict[str, Any]] = []
    words = []
    if name not in world.aliases and (name not in world.names or name in gone):
        actions.append({"create_alias": {"collection_name": current, "alias_name": name}})
        words.append(f"create alias {name} of {current}")
    if world.aliases.get(marker) == current:
        actions.append({"delete_alias": {"alias_name": marker}})
        words.append(f"mark {current} as finished")
    return [Operation("aliases", current, "; ".join(words), {"actions": actions})] if actions else []
