# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Qdrant changes in place: one PATCH a collection, one call a vector that is added."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    MERGED,
    PARAMS,
    PATCH_ONLY_PARAMS,
    Desired,
    Live,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.view import (
    plain,
    quantization_view,
    told,
    without_nulls,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation

Told = list[tuple[str, Any, Any]]
# What the call that adds a vector takes; the rest follows in the PATCH.
ADDED_DENSE = ("size", "distance", "datatype", "multivector_config")


def creation_body(desired: Desired) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if desired.vectors is not None:
        bodies = {name: _without_disabled(vector) for name, vector in sorted(desired.vectors.items())}
        body["vectors"] = bodies[""] if {*bodies} == {""} else bodies
    for option in ("sparse_vectors", "shard_number", "sharding_method", *PARAMS, *MERGED, "wal_config"):
        value = getattr(desired, option)
        if value is not None and option not in PATCH_ONLY_PARAMS:
            body[option] = plain(value)
    if desired.quantization_config:
        body["quantization_config"] = plain(desired.quantization_config)
    metadata = {key: value for key, value in (desired.metadata or {}).items() if value is not None}
    if metadata:
        body["metadata"] = plain(metadata)
    return body


def _without_disabled(vector: Mapping[str, Any]) -> dict[str, Any]:
    return {key: plain(value) for key, value in vector.items() if not (key == "quantization_config" and not value)}


def after_creation(desired: Desired, name: str) -> list[Operation]:
    """What the call that creates does not take."""
    params = {key: getattr(desired, key) for key in PATCH_ONLY_PARAMS if getattr(desired, key) is not None}
    return [_patch(name, {"params": params}, [(key, None, value) for key, value in params.items()])] if params else []


def steps(desired: Desired, live: Live) -> list[Operation]:
    """New vectors, then all settings that differ in one call."""
    body: dict[str, Any] = {}
    said: Told = []
    added = _added(desired, live)
    for section in MERGED:
        _merge(body, said, section, getattr(desired, section), getattr(live, section))
    _quantization(body, said, desired.quantization_config, live.quantization_config)
    for option in PARAMS:
        wanted = getattr(desired, option)
        if wanted is not None and wanted != getattr(live, option):
            body.setdefault("params", {})[option] = wanted
            said.append((option, getattr(live, option), wanted))
    different = {
        key: value
        for key, value in (desired.metadata or {}).items()
        if without_nulls(live.metadata.get(key)) != without_nulls(value)
    }
    if different:
        body["metadata"] = plain(different)
        said += [(f"metadata.{key}", live.metadata.get(key), value) for key, value in sorted(different.items())]
    for name, wanted in sorted((desired.vectors or {}).items()):
        vector = _vector(said, f"vectors.{name}".rstrip("."), wanted, live.vectors.get(name) or {})
        if vector:
            body.setdefault("vectors", {})[name] = vector
    for name, wanted in sorted((desired.sparse_vectors or {}).items()):
        fresh = {key: wanted[key] for key in ("modifier",) if name not in live.sparse_vectors and key in wanted}
        sparse = _sparse(said, f"sparse_vectors.{name}", wanted, live.sparse_vectors.get(name) or fresh)
        if sparse:
            body.setdefault("sparse_vectors", {})[name] = sparse
    return [*added, *([_patch(live.physical, body, said)] if body else [])]


def _patch(name: str, body: Mapping[str, Any], said: Told) -> Operation:
    words = "; ".join(f"{field} {told(is_now)} -> {told(wanted)}" for field, is_now, wanted in said)
    return Operation("patch", name, f"change collection {name}: {words}", {"body": body})


def _added(desired: Desired, live: Live) -> list[Operation]:
    found = []
    for name, wanted in sorted((desired.vectors or {}).items()):
        if name not in live.vectors:
            config = {"dense": {key: plain(wanted[key]) for key in ADDED_DENSE if key in wanted}}
            words = f"add vector {live.physical}.{name} ({wanted['size']} {wanted['distance']})"
            found.append(Operation("add_vector", live.physical, words, {"name": name, "config": config}))
    for name, wanted in sorted((desired.sparse_vectors or {}).items()):
        if name not in live.sparse_vectors:
            sparse = {key: wanted[key] for key in ("modifier",) if key in wanted}
            words = f"add sparse vector {live.physical}.{name}"
            found.append(Operation("add_vector", live.physical, words, {"name": name, "config": {"sparse": sparse}}))
    return found


def _vector(said: Told, prefix: str, wanted: Mapping[str, Any], is_now: Mapping[str, Any]) -> dict[str, Any]:
    vector: dict[str, Any] = {}
    if "on_disk" in wanted and wanted["on_disk"] != bool(is_now.get("on_disk")):
        vector["on_disk"] = wanted["on_disk"]
        said.append((f"{prefix}.on_disk", is_now.get("on_disk"), wanted["on_disk"]))
    if "memory" in wanted and wanted["memory"] != is_now.get("memory"):
        vector["memory"] = wanted["memory"]
        said.append((f"{prefix}.memory", is_now.get("memory"), wanted["memory"]))
    _merge(vector, said, "hnsw_config", wanted.get("hnsw_config"), is_now.get("hnsw_config") or {}, prefix)
    _quantization(vector, said, wanted.get("quantization_config"), is_now.get("quantization_config") or {}, prefix)
    return vector


def _sparse(said: Told, prefix: str, wanted: Mapping[str, Any], is_now: Mapping[str, Any]) -> dict[str, Any]:
    sparse: dict[str, Any] = {}
    _merge(sparse, said, "index", wanted.get("index"), is_now.get("index") or {}, prefix)
    modifier = is_now.get("modifier") or "none"
    if "modifier" in wanted and wanted["modifier"] != modifier:
        sparse["modifier"] = wanted["modifier"]
        said.append((f"{prefix}.modifier", modifier, wanted["modifier"]))
    return sparse


def _merge(
    body: dict[str, Any],
    said: Told,
    section: str,
    wanted: Optional[Mapping[str, Any]],
    live: Mapping[str, Any],
    prefix: str = "",
) -> None:
    """The server merges these sections, so only the keys that differ are sent; a dictionary in one goes whole."""
    different = {
        key: {**(live.get(key) or {}), **value} if isinstance(value, Mapping) else value
        for key, value in (wanted or {}).items()
        if not _within(value, live.get(key))
    }
    if different:
        body[section] = plain(different)
        path = f"{prefix}.{section}" if prefix else section
        said += [(f"{path}.{key}", live.get(key), value) for key, value in sorted(different.items())]


def _within(wanted: Any, live: Any) -> bool:
    """Whether the declared part of a value is there."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return all(_within(value, live.get(key)) for key, value in wanted.items())
    return wanted == live


def _quantization(
    body: dict[str, Any],
    said: Told,
    wanted: Optional[Mapping[str, Any]],
    live: Mapping[str, Any],
    prefix: str = "",
) -> None:
    """The server replaces this section whole, so undeclared settings of the same method go along."""
    if wanted is None or quantization_view(wanted, live) == plain(wanted):
        return
    section = "quantization_config"
    if wanted:
        body[section] = {method: {**live.get(method, {}), **(params or {})} for method, params in wanted.items()}
    else:
        body[section] = "Disabled"
    said.append((f"{prefix}.{section}" if prefix else section, plain(live) or "none", plain(wanted) or "none"))
