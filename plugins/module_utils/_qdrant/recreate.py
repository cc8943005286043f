# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A collection that is made anew without its points.

What it has and nobody declares (settings, payload indexes, aliases) is gone with it. So an empty collection beside it
keeps all that first, and serves its aliases meanwhile: a run that is cut off anywhere is completed by the next.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import patch
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.immutable import found, whole
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    NOTE_MARK,
    OWN_MARKS,
    PATCH_ONLY_PARAMS,
    RECREATING,
    Desired,
    Live,
    World,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.steps import (
    Made,
    alias_steps,
    creation,
    index_changes,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation


def recreating(desired: Desired, live: Live, world: World) -> Made:
    name, note = live.physical, live.physical + RECREATING
    complete = _anew(desired, live)
    kept = world.others[note] if note in world.notes(desired.name) else None
    wanted = _with_aliases(desired, world, name, note)
    steps = []
    if desired.backup:
        steps.append(Operation("snapshot", name, f"snapshot collection {name} ({live.points} points)"))
    if kept is not None and kept.points and desired.backup:
        steps.append(Operation("snapshot", note, f"snapshot collection {note} ({kept.points} points)"))
    if kept is not None and found(complete, kept):
        back = tuple(world.readers(desired.name, note))
        steps += [*alias_steps(replace(desired, aliases=back), name, world), *_dropped(note, kept)]
        world = replace(world, aliases={**world.aliases, **dict.fromkeys(back, name)})
        kept = None
    noted = replace(complete, metadata={**(complete.metadata or {}), NOTE_MARK: name})
    if kept is None:
        steps += creation(noted, note)
    else:
        steps += [*patch.steps(noted, kept), *index_changes(noted, kept)]
    pointing = tuple(world.readers(desired.name, name))
    steps += alias_steps(replace(desired, aliases=pointing), note, world)
    words = f"delete collection {name} ({live.points} points)"
    steps.append(Operation("delete", name, words, {"points": live.points}))
    world = replace(world, aliases={**world.aliases, **dict.fromkeys(pointing, note)})
    steps += [*creation(complete, name), *alias_steps(wanted, name, world), *_dropped(note, kept)]
    return Made(steps, name, said=[f"collection {desired.name} is made anew without its {live.points} points"])


def _anew(desired: Desired, live: Live) -> Desired:
    """All that is there but points, and the notes of where those came from."""
    complete = whole(desired, live)
    notes = {key: value for key, value in (complete.metadata or {}).items() if key not in OWN_MARKS}
    return replace(complete, metadata=notes or None)


def _with_aliases(desired: Desired, world: World, *collections: str) -> Desired:
    pointing = {alias for one in collections for alias in world.readers(desired.name, one)}
    return replace(desired, aliases=tuple(sorted({*(desired.aliases or ()), *pointing})))


def _dropped(note: str, kept: Optional[Live]) -> list[Operation]:
    points = kept.points if kept else 0
    return [Operation("delete", note, f"delete {note}, which is needed no more", {"points": points})]


def completed(desired: Desired, world: World, collection: str) -> Made:
    """A recreation that was cut off after it had deleted the collection."""
    note = collection + RECREATING
    kept = world.others[note]
    steps = [
        *creation(_anew(desired, kept), collection),
        *alias_steps(_with_aliases(desired, world, note), collection, world),
    ]
    return _ended(Made(steps, collection), note, kept)


def leftovers(desired: Desired, live: Live, world: World) -> tuple[Desired, Made]:
    """A recreation that was cut off at any other place: what it still has to put back, and the end of its note."""
    note = live.physical + RECREATING
    if note not in world.notes(desired.name):
        return desired, Made([], live.physical)
    kept = world.others[note]
    more = {key: getattr(kept, key) for key in PATCH_ONLY_PARAMS if getattr(desired, key) is None}
    fuller = replace(
        _with_aliases(desired, world, note),
        payload_indexes={**kept.payload_indexes, **(desired.payload_indexes or {})},
        prune_indexes=desired.prune_indexes and desired.payload_indexes is not None,
        **more,
    )
    return fuller, _ended(Made([], live.physical), note, kept)


def _ended(made: Made, note: str, kept: Live) -> Made:
    if not kept.points:
        return replace(made, tail=_dropped(note, kept))
    said = f"{note} holds {kept.points} points that were written while the collection was made anew; copy or delete it"
    return replace(made, said=[said])
