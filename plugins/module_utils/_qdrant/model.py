# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked for and what is there, in one normal form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

DISTANCES = ("Cosine", "Dot", "Euclid", "Manhattan")
INDEX_TYPES = ("bool", "datetime", "float", "geo", "integer", "keyword", "text", "uuid")
LARGEST_VECTOR = 65536
FORBIDDEN_IN_NAMES = '/\\<>:"|?*'
VECTOR_KEYS = frozenset(
    {"size", "distance", "on_disk", "hnsw_config", "quantization_config", "datatype", "multivector_config"}
)


@dataclass(frozen=True)
class Desired:
    """One declared collection; None is "not managed". The unnamed vector has the name ``""``."""

    name: str
    present: bool = True
    vectors: Optional[Mapping[str, Mapping[str, Any]]] = None
    on_disk_payload: Optional[bool] = None
    hnsw_config: Optional[Mapping[str, Any]] = None
    optimizers_config: Optional[Mapping[str, Any]] = None
    quantization_config: Optional[Mapping[str, Any]] = None
    payload_indexes: Optional[Mapping[str, Mapping[str, Any]]] = None
    prune_indexes: bool = False
    confirm_data_loss: Optional[str] = None
    backup: bool = True


@dataclass(frozen=True)
class Live:
    """One collection as the server shows it, under the names that requests use."""

    vectors: Mapping[str, Mapping[str, Any]]
    on_disk_payload: Optional[bool] = None
    hnsw_config: Mapping[str, Any] = field(default_factory=dict)
    optimizers_config: Mapping[str, Any] = field(default_factory=dict)
    quantization_config: Mapping[str, Any] = field(default_factory=dict)
    payload_indexes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    points: int = 0


def live_from_info(info: Mapping[str, Any]) -> Live:
    """From the answer of ``GET /collections/{name}``."""
    config = info["config"]
    params = config["params"]
    indexes = info.get("payload_schema") or {}
    return Live(
        vectors=named(params.get("vectors") or {}),
        on_disk_payload=params.get("on_disk_payload"),
        hnsw_config=config.get("hnsw_config") or {},
        optimizers_config=config.get("optimizer_config") or {},
        quantization_config=config.get("quantization_config") or {},
        payload_indexes={
            name: {**(index.get("params") or {}), "type": index["data_type"]} for name, index in indexes.items()
        },
        points=info.get("points_count") or 0,
    )


def named(vectors: Mapping[str, Any]) -> dict[str, Any]:
    """Vectors by name, whichever of the two forms they come in."""
    unnamed = "size" in vectors and not isinstance(vectors["size"], Mapping)
    return {"": dict(vectors)} if unnamed else dict(vectors)


def desired_from_params(params: Mapping[str, Any]) -> list[Desired]:
    """From the module's arguments, either one collection or a list.

    :raises StackError: one sentence about the first thing that cannot be meant
    """
    rows = [params] if params["collections"] is None else params["collections"]
    wanted = [_desired(row) for row in rows]
    names = [one.name for one in wanted]
    for name in names:
        if names.count(name) > 1:
            raise StackError(f"collections has {name!r} {names.count(name)} times; declare each collection once")
    return wanted


def _desired(row: Mapping[str, Any]) -> Desired:
    name = _checked_name(row["name"])
    return Desired(
        name=name,
        present=row["state"] == "present",
        vectors=_vectors(name, row["vectors"]),
        on_disk_payload=row["on_disk_payload"],
        hnsw_config=without_none(row["hnsw_config"]),
        optimizers_config=without_none(row["optimizers_config"]),
        quantization_config=without_none(row["quantization_config"]),
        payload_indexes=_indexes(name, row["payload_indexes"]),
        prune_indexes=bool(row["prune_indexes"]),
        confirm_data_loss=row["confirm_data_loss"],
        backup=row["backup"],
    )


def _checked_name(name: str) -> str:
    bad = next((char for char in name if char in FORBIDDEN_IN_NAMES), None)
    if bad is not None:
        raise StackError(f"name is {name!r}; a collection's name cannot contain {bad!r}")
    if not 1 <= len(name) <= 255:
        raise StackError(f"name is {name!r}; a collection's name has 1 to 255 characters")
    return name


def _vectors(collection: str, vectors: Optional[Mapping[str, Any]]) -> Optional[dict[str, dict[str, Any]]]:
    if vectors is None:
        return None
    unnamed = not vectors or any(not isinstance(value, Mapping) for value in vectors.values())
    by_name = {"": vectors} if unnamed else vectors
    return {name: _vector(f"{collection}: vectors{'.' + name if name else ''}", by_name[name]) for name in by_name}


def _vector(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    vector = without_none(given)
    unknown = sorted(set(vector) - VECTOR_KEYS)
    if unknown:
        raise StackError(f"{where} has the unknown key {unknown[0]!r}; it takes {', '.join(sorted(VECTOR_KEYS))}")
    for key in ("size", "distance"):
        if key not in vector:
            raise StackError(f"{where} has no {key}; give a size and a distance, such as size: 1536, distance: Cosine")
    vector["size"] = _size(where, vector["size"])
    if vector["distance"] not in DISTANCES:
        raise StackError(f"{where}.distance is {vector['distance']!r}; it is one of {', '.join(DISTANCES)}")
    return vector


def _size(where: str, size: Any) -> int:
    text = str(size)
    if isinstance(size, bool) or not text.isdigit() or not 1 <= int(text) <= LARGEST_VECTOR:
        raise StackError(f"{where}.size is {size!r}; it is a number from 1 to {LARGEST_VECTOR}")
    return int(text)


def _indexes(collection: str, indexes: Optional[Mapping[str, Any]]) -> Optional[dict[str, dict[str, Any]]]:
    if indexes is None:
        return None
    return {name: _index(f"{collection}: payload_indexes.{name}", schema) for name, schema in indexes.items()}


def _index(where: str, schema: Any) -> dict[str, Any]:
    normal = without_none(schema) if isinstance(schema, Mapping) else {"type": schema}
    if normal.get("type") not in INDEX_TYPES:
        raise StackError(f"{where} has the type {normal.get('type')!r}; it is one of {', '.join(INDEX_TYPES)}")
    return normal


def without_none(data: Any) -> Any:
    """Options that were left out, at any depth, are not managed."""
    if isinstance(data, Mapping):
        return {key: without_none(value) for key, value in data.items() if value is not None}
    return data
