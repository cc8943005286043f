# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A collection's configuration as the server keeps and shows it: defaults at creation, merges on PATCH."""

from __future__ import annotations

import copy
from typing import Any

from standin.convert import named_vectors
from standin.errors import wrong_input

HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0, "on_disk": False}
OPTIMIZER = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 2,
    "max_segment_size": None,
    "memmap_threshold": None,
    "indexing_threshold": 10000,
    "flush_interval_sec": 5,
    "max_optimization_threads": None,
    "prevent_unoptimized": None,
}
WAL = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}
PARAMS = {"shard_number": 1, "replication_factor": 1, "write_consistency_factor": 1, "on_disk_payload": True}


def without_none(data: Any) -> Any:
    """Options given as null are options not given."""
    if isinstance(data, dict):
        return {key: without_none(value) for key, value in data.items() if value is not None}
    return data


def created(body: dict[str, Any]) -> dict[str, Any]:
    given = without_none(body)
    params = {"vectors": given.get("vectors", {}), **{key: given.get(key, value) for key, value in PARAMS.items()}}
    for key in ("sharding_method", "sparse_vectors"):
        if key in given:
            params[key] = given[key]
    config = {
        "params": params,
        "hnsw_config": {**HNSW, **given.get("hnsw_config", {})},
        "optimizer_config": {**OPTIMIZER, **given.get("optimizers_config", {})},
        "wal_config": {**WAL, **given.get("wal_config", {})},
        "quantization_config": given.get("quantization_config"),
    }
    for key in ("strict_mode_config", "metadata"):
        if key in given:
            config[key] = body[key]
    return config


def patched(config: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """A new configuration; the old one stays as it is."""
    new = copy.deepcopy(config)
    given = without_none(body)
    _patch_vectors(new["params"], given.get("vectors", {}))
    _patch_sparse(new["params"], given.get("sparse_vectors", {}))
    new["hnsw_config"].update(given.get("hnsw_config", {}))
    new["optimizer_config"].update(given.get("optimizers_config", {}))
    new["params"].update(given.get("params", {}))
    if "quantization_config" in given:
        new["quantization_config"] = _enabled(given["quantization_config"])
    if "strict_mode_config" in given:
        new["strict_mode_config"] = {**new.get("strict_mode_config", {}), **given["strict_mode_config"]}
    if body.get("metadata"):
        new["metadata"] = without_none({**new.get("metadata", {}), **body["metadata"]})
    return new


def _enabled(quantization: Any) -> Any:
    return None if quantization == "Disabled" else quantization


def _patch_vectors(params: dict[str, Any], changes: dict[str, Any]) -> None:
    vectors = named_vectors(params)
    for name, change in changes.items():
        if name not in vectors:
            raise wrong_input(f"Not existing vector name error: {name}")
        vector = vectors[name]
        if "hnsw_config" in change:
            vector["hnsw_config"] = {**vector.get("hnsw_config", {}), **change["hnsw_config"]}
        vector.update({key: change[key] for key in ("on_disk", "memory") if key in change})
        if "quantization_config" in change:
            vector.pop("quantization_config", None)
            if _enabled(change["quantization_config"]) is not None:
                vector["quantization_config"] = change["quantization_config"]


def _patch_sparse(params: dict[str, Any], changes: dict[str, Any]) -> None:
    for name, change in changes.items():
        if name not in params.get("sparse_vectors", {}):
            raise wrong_input(f"Not existing vector name error: {name}")
        sparse = params["sparse_vectors"][name]
        if "index" in change:
            sparse["index"] = {**sparse.get("index", {}), **change["index"]}
        if "modifier" in change:
            sparse["modifier"] = change["modifier"]
