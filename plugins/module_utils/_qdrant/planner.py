# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deciding which calls bring a collection to what is asked for. Nothing here talks to a server."""

from __future__ import annotations

from typing import Any, Iterable, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import immutable, patch
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    Desired,
    Live,
    World,
    building_alias,
    version_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.steps import (
    alias_steps,
    creation,
    index_changes,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.view import live_view, wanted_view
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

REBUILDING_SECTIONS = ("hnsw_config", "quantization_config", "vectors")


def plan(desired: Iterable[Desired], world: World) -> Plan:
    """:raises StackError: when a difference cannot be removed without losing data that nobody gave up"""
    desired = sorted(desired, key=lambda one: one.name)
    for one in desired:
        _refuse_names(one, world)
    immutable.refuse(desired, world)
    operations: list[Operation] = []
    warnings: list[str] = []
    after: dict[str, Any] = {}
    for one in desired:
        steps, physical, gone, said = _one(one, world)
        operations += steps
        warnings += [*said, *_shadowed(one, world), *_warnings(one, world.live.get(one.name), steps)]
        after[one.name] = wanted_view(one, world, physical, gone)
    return Plan(before=view(desired, world), after=after, operations=tuple(operations), warnings=tuple(warnings))


def view(desired: Iterable[Desired], world: World) -> dict[str, Any]:
    return {one.name: live_view(one, world) for one in sorted(desired, key=lambda one: one.name)}


def _refuse_names(desired: Desired, world: World) -> None:
    for alias in desired.aliases or () if desired.present else ():
        if alias in world.names:
            raise StackError(
                f"{desired.name}: aliases has {alias!r}, which is a collection on the server; write another name"
            )
    current = world.current(desired)
    target = world.aliases.get(desired.name)
    if target is not None and current is None:
        raise StackError(
            f"name is {desired.name!r}, which is an alias of {target!r} on the server; "
            f"declare {target!r}, or remove the alias with qdrant_alias"
        )
    marker = building_alias(desired.name)
    marked = world.aliases.get(marker)
    if desired.on_immutable == "rebuild" and marked is not None and not version_of(desired.name, marked):
        raise StackError(
            f"{desired.name}: alias {marker} is what a rebuild marks its unfinished copy {desired.name}__vN with, but "
            f"it points to {marked!r}, so nothing was touched; remove it with qdrant_alias, or give it another name"
        )


def _one(desired: Desired, world: World) -> tuple[list[Operation], str, tuple[str, ...], list[str]]:
    """The steps of one collection, what will hold its points, what will be gone, and what else to say."""
    live = world.live.get(desired.name)
    if not desired.present:
        return (immutable.removal(desired, live, world) if live is not None else []), desired.name, (), []
    if live is None:
        return [*creation(desired), *alias_steps(desired, desired.name, world)], desired.name, (), []
    if immutable.found(desired, live):
        make = immutable.rebuilding if desired.on_immutable == "rebuild" else immutable.recreating
        return make(desired, live, world)
    steps = [*patch.steps(desired, live), *index_changes(desired, live)]
    tail, gone, said = immutable.left_over(desired, live, world)
    return [*steps, *alias_steps(desired, live.physical, world), *tail], live.physical, gone, said


def _shadowed(desired: Desired, world: World) -> list[str]:
    """Readers have moved on to a rebuilt copy, and this declaration names the old collection."""
    name = desired.name
    served = {one: world.readers(name, one) for one in world.versions(name)}
    newest = max((one for one in served if served[one]), key=lambda one: version_of(name, one), default=None)
    if not desired.present or newest is None or world.current(desired) != name:
        return []
    aliases = ", ".join(served[newest])
    return [
        f"collection {name}: this manages the collection of that name, though alias {aliases} serves {newest}, which a "
        f"rebuild makes; declare aliases: [{aliases}] to manage {newest}, and see drop_old"
    ]


def _warnings(desired: Desired, live: Optional[Live], steps: list[Operation]) -> list[str]:
    if live is None or not live.points:
        return []
    rebuilt = sorted(
        {key for step in steps if step.verb == "patch" for key in step.args["body"]} & {*REBUILDING_SECTIONS}
    )
    if not rebuilt:
        return []
    return [
        f"collection {desired.name}: {' and '.join(rebuilt)} change, so Qdrant rebuilds the vector indexes of "
        f"{live.points} points in the background"
    ]
