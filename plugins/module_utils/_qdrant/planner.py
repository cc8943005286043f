# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deciding which calls bring a collection to what is asked for. Nothing here talks to a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterable, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import immutable, patch
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.guards import followed
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    Desired,
    Live,
    World,
    note_names,
    version_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.rebuild import (
    begun_by_others,
    left_over,
    orphans,
    rebuilding,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.recreate import (
    completed,
    leftovers,
    recreating,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.removal import removal
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.steps import (
    Made,
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
        if one.present:
            _refuse_kinds(one, world.live.get(one.name))
    immutable.refuse(desired, world)
    operations: list[Operation] = []
    warnings: list[str] = []
    after: dict[str, Any] = {}
    makes: list[tuple[Desired, Made]] = []
    now = world
    for one in desired:
        if one.present:
            made = _present(one, now)
            makes.append((one, made))
            now, steps = followed(now, made.steps)
            operations += steps
    # What deletes comes last: aliases that go from one declared collection to another have moved by then.
    for one, made in makes:
        _refuse_served(one, made, now)
        now, steps = followed(now, made.tail)
        operations += steps
    for one in desired:
        if not one.present:
            made = Made(removal(one, world.live.get(one.name), now), one.name)
            makes.append((one, replace(made, said=_remaining(one, made, now))))
            now, steps = followed(now, made.steps)
            operations += steps
    for one, made in sorted(makes, key=lambda pair: pair[0].name):
        warnings += [*made.said, *_shadowed(one, world), *_warnings(one, world.live.get(one.name), made.steps)]
        after[one.name] = wanted_view(one, world, made.physical, made.gone)
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
    if target is not None and current is None and world.unmade(desired.name) is None:
        raise StackError(
            f"name is {desired.name!r}, which is an alias of {target!r} on the server; "
            f"declare {target!r}, or remove the alias with qdrant_alias"
        )
    for alias in desired.aliases or () if desired.present and current is not None else ():
        to = world.aliases.get(alias, "")
        newer, live = world.others.get(to), world.live.get(desired.name)
        same = newer is not None and live is not None and newer.points == live.points
        if not same and version_of(desired.name, to) > version_of(desired.name, current or ""):
            raise StackError(
                f"{desired.name}: alias {alias} serves {to}, which is newer than {current}, which the name "
                f"{desired.name} serves, so nothing was touched; point both to the one that has the points that are "
                "needed, with qdrant_alias"
            )
    foreign = {alias: to for alias, to in world.marks(desired.name).items() if not version_of(desired.name, to)}
    for alias, to in foreign.items() if desired.on_immutable == "rebuild" else ():
        raise StackError(
            f"{desired.name}: alias {alias} is what a rebuild marks its unfinished copy {desired.name}__vN with, but "
            f"it points to {to!r}, so nothing was touched; remove it with qdrant_alias, or give it another name"
        )


def _refuse_kinds(desired: Desired, live: Optional[Live]) -> None:
    """A vector is dense or sparse from its beginning."""
    for kind, wanted, others in (
        ("sparse", desired.sparse_vectors, live.vectors if live else {}),
        ("dense", desired.vectors, live.sparse_vectors if live else {}),
    ):
        for vector in sorted({*(wanted or {})} & {*others}):
            raise StackError(
                f"{desired.name}: vector {vector!r} is to be {kind}, and there it is the other kind, so nothing was "
                "touched; write another name"
            )


def _present(desired: Desired, world: World) -> Made:
    live = world.live.get(desired.name)
    if live is None:
        unmade = world.unmade(desired.name)
        if unmade is not None:
            return completed(desired, world, unmade)
        steps = [*creation(desired), *alias_steps(desired, desired.name, world)]
        return Made(steps, desired.name, said=[*orphans(desired, world), *_unmarked_notes(desired, world)])
    if immutable.found(desired, live):
        make = rebuilding if desired.on_immutable == "rebuild" else recreating
        return make(desired, live, world)
    fuller, rest = leftovers(desired, live, world)
    begun = begun_by_others(desired, live, world)
    made = left_over(desired, live, world)
    steps = [*patch.steps(fuller, live), *index_changes(fuller, live), *alias_steps(fuller, live.physical, world)]
    return Made(steps, live.physical, [*rest.tail, *made.tail], made.gone, [*rest.said, *made.said, *begun])


def _unmarked_notes(desired: Desired, world: World) -> list[str]:
    """Earlier versions of this code, and servers before 1.16, know notes by their names alone."""
    return [
        f"collection {desired.name}: {one} is left alone, for nothing in its metadata says that it is a note of a "
        "recreation; if an earlier version of this collection left it, it has the indexes and aliases of what was "
        "made anew: declare those, then delete it by its own name with state: absent"
        for one in note_names(desired.name, world.names)
        if one not in world.notes(desired.name)
    ]


def _refuse_served(desired: Desired, made: Made, world: World) -> None:
    """What is dropped must not be what somebody reads by an alias that nobody moves."""
    for old in made.gone:
        readers = world.readers(desired.name, old)
        if readers:
            raise StackError(
                f"{desired.name}: drop_old would delete {old}, which alias {', '.join(readers)} still serves, so "
                "nothing was touched; move it with qdrant_alias, or declare it in aliases"
            )


def _remaining(desired: Desired, made: Made, world: World) -> list[str]:
    """What rebuilds made of a collection stays with the readers that nobody declares."""
    going = {step.target for step in made.steps if step.verb == "delete"}
    served = {one: world.readers(desired.name, one) for one in sorted(world.versions(desired.name))}
    return [
        f"collection {desired.name}: {one}, which a rebuild makes, stays, for alias {', '.join(readers)} serves it; "
        f"declare aliases: [{', '.join(readers)}] to remove that too"
        for one, readers in served.items()
        if readers and one not in going
    ]


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
