# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that several plans share: making a collection, its aliases and its payload indexes."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as fresh
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import patch
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import Desired, Live, World
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.view import plain, projected, told
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation


@dataclass(frozen=True)
class Made:
    """What one collection takes.

    :param physical: what holds its points then
    :param tail: what is done once all other collections are as they will be, because it deletes
    :param gone: what is not there any more then
    :param said: what else to tell
    """

    steps: list[Operation]
    physical: str
    tail: list[Operation] = fresh(default_factory=list)
    gone: tuple[str, ...] = ()
    said: list[str] = fresh(default_factory=list)


def creation(desired: Desired, name: str = "") -> list[Operation]:
    """The steps that make a collection, under its own name or another."""
    name = name or desired.name
    if desired.vectors is None and not desired.sparse_vectors:
        raise StackError(
            f"collection {name!r} does not exist and vectors is not given; say what its vectors are, "
            "such as vectors: {size: 1536, distance: Cosine}"
        )
    vectors = desired.vectors or {}
    sizes = [
        f"{vector + ': ' if vector else ''}{params['size']} {params['distance']}"
        for vector, params in sorted(vectors.items())
    ]
    sparse = [f"{vector}: sparse" for vector in sorted(desired.sparse_vectors or {})]
    words = f"create collection {name} ({', '.join([*sizes, *sparse])})"
    return [
        Operation("create", name, words, {"body": patch.creation_body(desired)}),
        *patch.after_creation(desired, name),
        *(index_operation("create", name, field, given) for field, given in _sorted_indexes(desired)),
    ]


def alias_steps(
    desired: Desired,
    physical: str,
    world: World,
    *,
    first: Iterable[dict[str, Any]] = (),
    last: Iterable[dict[str, Any]] = (),
    said: str = "",
    **more: Any,
) -> list[Operation]:
    """One call for all of a collection's aliases that point elsewhere or nowhere.

    :param first: actions before these, ``last`` those after them, ``said`` both in words
    :param more: further arguments of the operation
    """
    actions: list[dict[str, Any]] = [*first]
    words: list[str] = []
    for alias in desired.aliases or ():
        target = world.aliases.get(alias)
        if target == physical:
            continue
        # An alias that is there moves: between a deletion and a creation that fails it would be lost.
        actions.append({"create_alias": {"collection_name": physical, "alias_name": alias}})
        words.append(
            f"move alias {alias} from {target} to {physical}" if target else f"create alias {alias} of {physical}"
        )
    actions += last
    if said:
        words.append(said)
    return [Operation("aliases", physical, "; ".join(words), {"actions": actions, **more})] if actions else []


def _sorted_indexes(desired: Desired) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted((desired.payload_indexes or {}).items())


def index_changes(desired: Desired, live: Live) -> list[Operation]:
    if desired.payload_indexes is None:
        return []
    name = live.physical
    steps = []
    for field, given in _sorted_indexes(desired):
        is_now = live.payload_indexes.get(field)
        if is_now is None:
            steps.append(index_operation("create", name, field, given))
        elif projected(given, is_now) != plain(given):
            steps.append(index_operation("rebuild", name, field, given, projected(given, is_now)))
    if desired.prune_indexes:
        surplus = sorted(set(live.payload_indexes) - set(desired.payload_indexes))
        steps += [
            Operation("drop_index", name, f"delete payload index {name}.{field}", {"field": field}) for field in surplus
        ]
    return steps


def index_operation(
    verb: str, name: str, field: str, given: Mapping[str, Any], is_now: Optional[Mapping[str, Any]] = None
) -> Operation:
    words = f"{verb} payload index {name}.{field} ({_schema_told(given)})"
    if is_now is not None:
        words = f"{verb} payload index {name}.{field} ({_schema_told(is_now)} -> {_schema_told(given)})"
    body = given["type"] if len(given) == 1 else plain(given)
    return Operation(f"{verb}_index", name, words, {"field": field, "schema": body})


def _schema_told(given: Mapping[str, Any]) -> str:
    rest = ", ".join(f"{key}={told(value)}" for key, value in sorted(given.items()) if key != "type")
    return f"{given['type']}, {rest}" if rest else str(given["type"])
