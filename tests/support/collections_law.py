# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole reconciliations of Qdrant collections on the stand-in in this process."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.declaration import (
    COLLECTION_SPEC,
    desired_from_params,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.resource import Collections
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import reconcile

from tests.support.standin import Killed, StandIn

SMALL = {"size": 4, "distance": "Cosine"}
EMPTY = {key: spec.get("default") for key, spec in COLLECTION_SPEC.items()}
POINTS = [{"id": n, "vector": [n, 1, 0.5, 0], "payload": {"n": n, "kind": "ab"[n % 2]}} for n in range(1, 31)]
REBUILD = {"name": "c", "vectors": {**SMALL, "distance": "Dot"}, "aliases": ["live"], "on_immutable": "rebuild"}
# What a server and an embedded folder both know, and the same otherwise.
EVERYTHING: dict[str, Any] = {
    "vectors": {"a": {**SMALL, "on_disk": True, "hnsw_config": {"m": 8}}},
    "sparse_vectors": {"w": {"modifier": "idf"}},
    "shard_number": 1,
    "on_disk_payload": False,
    "hnsw_config": {"m": 24},
    "optimizers_config": {"indexing_threshold": 5000},
    "quantization_config": {"scalar": {"type": "int8"}},
    "wal_config": {"wal_capacity_mb": 16},
    "strict_mode_config": {"enabled": True},
    "metadata": {"owner": "x"},
    "payload_indexes": {"kind": "keyword", "text": {"type": "text", "lowercase": True}},
    "aliases": ["live"],
}
OTHERWISE: dict[str, Any] = {
    **EVERYTHING,
    "vectors": {"a": {**SMALL, "on_disk": False, "quantization_config": {"binary": {}}}, "b": SMALL},
    "sparse_vectors": {"w": {"modifier": "idf", "index": {"on_disk": True}}, "v": {}},
    "on_disk_payload": True,
    "hnsw_config": {"m": 30},
    "quantization_config": {},
    "metadata": {"owner": None, "new": 1},
    "payload_indexes": {"kind": "integer"},
    "prune_indexes": True,
    "aliases": ["live", "also"],
}


def resource(server: StandIn, *rows: dict[str, Any]) -> Collections:
    desired = desired_from_params({"collections": [{**EMPTY, **row} for row in rows]})
    return Collections(server.client(), desired, wait_seconds=5)


def run(server: StandIn, *rows: dict[str, Any], check: bool = False) -> dict[str, Any]:
    made = resource(server, *rows)
    server.read_only = check
    server.writes, server.reads = [], []
    try:
        return reconcile(made, check_mode=check)
    finally:
        server.read_only = False


def law(server: StandIn, *rows: dict[str, Any]) -> list[str]:
    """Predict, do, do again; what was done."""
    before = server.everything()
    predicted = run(server, *rows, check=True)
    assert server.everything() == before
    real = run(server, *rows)
    assert (real["changed"], real["diff"], real["actions"]) == (True, predicted["diff"], predicted["actions"])
    settled = server.everything()
    again = run(server, *rows)
    assert (again["changed"], again["actions"], server.writes) == (False, [], [])
    assert again["diff"]["before"] == again["diff"]["after"]
    assert server.everything() == settled
    return real["actions"]


def filled(server: StandIn, name: str = "c", **more: Any) -> None:
    run(server, {"name": name, "vectors": SMALL, **more})
    server.result("PUT", f"/collections/{name}/points?wait=true", {"points": POINTS})


def killed(server: StandIn, number: int, *rows: dict[str, Any]) -> None:
    """A run that ends with its write of that number, counted from 0."""
    server.kill_at = number
    with pytest.raises(Killed):
        run(server, *rows)
    server.kill_at = None


def put(server: StandIn, name: str, first: int, number: int = 5) -> None:
    """Points that a writer brings meanwhile."""
    points = [{"id": one, "vector": [one, 1, 0, 0]} for one in range(first, first + number)]
    server.result("PUT", f"/collections/{name}/points?wait=true", {"points": points})


def aliases(server: StandIn) -> dict[str, str]:
    return dict(server.everything()["aliases"])


def names(server: StandIn) -> list[str]:
    return list(server.everything()["collections"])


def count(server: StandIn, name: str = "c") -> int:
    return server.result("POST", f"/collections/{name}/points/count", {"exact": True})["count"]
