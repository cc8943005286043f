# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Qdrant cannot change in place: find it, refuse it, and say what a new collection has to be like."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    RECREATING,
    Desired,
    Live,
    World,
    building_alias,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.view import (
    FIXED,
    changes,
    plain,
    projected,
)

Change = tuple[str, Any, Any]
LONGEST_NAME = 255
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
            note = live.physical + RECREATING
            _refuse_long(one.name, "recreate", note)
            if note in world.names and note not in world.notes(one.name):
                raise StackError(
                    f"{one.name}: a recreation keeps what it has to make again in {note}, which is a collection of "
                    "somebody else on the server, so nothing was touched; give that another name"
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

    _refuse_long(name, "rebuild", building_alias(name, world.run))


def _refuse_long(name: str, way: str, longest: str) -> None:
    if len(longest) > LONGEST_NAME:
        raise StackError(
            f"{name}: on_immutable is {way}, which needs the name {longest} for a while, and a name has up to "
            f"{LONGEST_NAME} characters, so nothing was touched; fill a collection of a shorter name"
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
            kept = {} if desired.prune_indexes and wanted is not None else is_now
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
