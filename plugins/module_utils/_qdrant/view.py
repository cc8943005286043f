# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The managed fields of a collection, as they are and as they will be."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    MERGED,
    PARAMS,
    SOURCE_MARK,
    Desired,
    Live,
    World,
    version_of,
)

FIXED = ("shard_number", "sharding_method")


def live_view(desired: Desired, world: World) -> Optional[dict[str, Any]]:
    """The live state of the managed fields; None is a collection that is not there."""
    live = world.live.get(desired.name)
    if live is None:
        return None
    if not desired.present:
        return {"points": live.points}
    shown: dict[str, Any] = {}
    if desired.vectors is not None:
        shown["vectors"] = {
            name: vector_view(wanted, live.vectors.get(name)) for name, wanted in sorted(desired.vectors.items())
        }
    if desired.sparse_vectors is not None:
        shown["sparse_vectors"] = {
            name: sparse_view(wanted, live.sparse_vectors.get(name))
            for name, wanted in sorted(desired.sparse_vectors.items())
        }
    for option in (*FIXED, *PARAMS):
        if getattr(desired, option) is not None:
            shown[option] = getattr(live, option)
    for section in (*MERGED, "wal_config"):
        if getattr(desired, section) is not None:
            shown[section] = projected(getattr(desired, section), getattr(live, section))
    if desired.quantization_config is not None:
        shown["quantization_config"] = quantization_view(desired.quantization_config, live.quantization_config)
    if desired.metadata is not None:
        shown["metadata"] = {key: without_nulls(live.metadata.get(key)) for key in sorted(desired.metadata)}
    if desired.payload_indexes is not None:
        shown["payload_indexes"] = _indexes_view(desired, live)
    if desired.aliases is not None:
        shown["aliases"] = {alias: world.aliases.get(alias) for alias in desired.aliases}
    if desired.on_immutable == "rebuild":
        shown["collection"] = live.physical
        shown["old"] = olds(desired, world, live.physical)
    return shown


def wanted_view(desired: Desired, world: World, physical: str, gone: tuple[str, ...] = ()) -> Optional[dict[str, Any]]:
    """The same after the plan: ``physical`` will hold the points, ``gone`` will not be there any more."""
    if not desired.present:
        return None
    shown: dict[str, Any] = {}
    if desired.vectors is not None:
        shown["vectors"] = {name: plain(vector) for name, vector in sorted(desired.vectors.items())}
    if desired.sparse_vectors is not None:
        shown["sparse_vectors"] = {name: plain(vector) for name, vector in sorted(desired.sparse_vectors.items())}
    for section in (*FIXED, *PARAMS, *MERGED, "wal_config", "quantization_config", "payload_indexes"):
        if getattr(desired, section) is not None:
            shown[section] = plain(getattr(desired, section))
    if desired.metadata is not None:
        shown["metadata"] = {key: without_nulls(value) for key, value in sorted(desired.metadata.items())}
    if desired.aliases is not None:
        shown["aliases"] = dict.fromkeys(desired.aliases, physical)
    if desired.on_immutable == "rebuild":
        shown["collection"] = physical
        shown["old"] = [old for old in olds(desired, world, physical) if old not in gone]
    return shown


def olds(desired: Desired, world: World, physical: str) -> list[str]:
    """The collections that have the names of what rebuilds leave behind; ``left_behind`` knows which are."""
    name, newest = desired.name, version_of(desired.name, physical)
    if not newest:
        return []
    return sorted(one for one in world.names if one == name or 0 < version_of(name, one) < newest)


def left_behind(desired: Desired, world: World, live: Live) -> list[str]:
    """The old collections that rebuilds copied this one from, one after the other, as their marks say."""
    older = olds(desired, world, live.physical)
    found: list[str] = []
    is_now: Optional[Live] = live
    while is_now is not None:
        source = is_now.metadata.get(SOURCE_MARK)
        if source not in older or source in found:
            break
        found.append(source)
        is_now = world.others.get(source)
    # A server before 1.16 keeps no marks; what a rebuild had no time to finish is known by its alias.
    if desired.name in older and live.physical in world.filled(desired.name):
        found.append(desired.name)
    return sorted({*found})


def vector_view(wanted: Mapping[str, Any], live: Optional[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    if live is None:
        return None
    shown = projected({key: value for key, value in wanted.items() if key != "quantization_config"}, live)
    if "on_disk" in wanted:
        shown["on_disk"] = bool(live.get("on_disk"))
    if "quantization_config" in wanted:
        shown["quantization_config"] = quantization_view(
            wanted["quantization_config"], live.get("quantization_config") or {}
        )
    return dict(sorted(shown.items()))


def sparse_view(wanted: Mapping[str, Any], live: Optional[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    if live is None:
        return None
    shown = projected(wanted, {**live, "index": live.get("index") or {}})
    if "modifier" in wanted:
        shown["modifier"] = live.get("modifier") or "none"
    return shown


def quantization_view(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The declared settings where the method is the declared one, and all of the live ones where it is another."""
    return projected(wanted, live) if wanted and set(wanted) == set(live) else plain(live)


def _indexes_view(desired: Desired, live: Live) -> dict[str, Any]:
    wanted = desired.payload_indexes or {}
    fields = set(live.payload_indexes) if desired.prune_indexes else set(live.payload_indexes) & set(wanted)
    return {
        field: projected(wanted.get(field, live.payload_indexes[field]), live.payload_indexes[field])
        for field in sorted(fields)
    }


def projected(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The live values of the declared keys."""
    return {
        key: projected(value, live[key])
        if isinstance(value, Mapping) and isinstance(live.get(key), Mapping)
        else plain(live.get(key))
        for key, value in sorted(wanted.items())
    }


def plain(data: Any) -> Any:
    return {key: plain(value) for key, value in sorted(data.items())} if isinstance(data, Mapping) else data


def without_nulls(data: Any) -> Any:
    """Within a value of the metadata a key without a value is one that is not there: the server drops it."""
    if not isinstance(data, Mapping):
        return data
    return {key: without_nulls(value) for key, value in sorted(data.items()) if value is not None}


def changes(wanted: Any, live: Any, path: str) -> list[tuple[str, Any, Any]]:
    """Every declared leaf that is different, as path, live value, wanted value."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return [
            change
            for key in sorted({*wanted, *live})
            for change in changes(wanted.get(key), live.get(key), f"{path}.{key}")
        ]
    return [] if wanted == live else [(path, live, wanted)]


def told(value: Any) -> str:
    return "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
