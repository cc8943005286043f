# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module against scripted HTTP."""

from __future__ import annotations

from typing import Any

import pytest
import responses
from responses.registries import OrderedRegistry

from tests.support.run_module import ModuleFailed, run_module

BASE = "http://qdrant.test:6333"
scripted = responses.activate(registry=OrderedRegistry, assert_all_requests_are_fired=True)
INFO = {
    "status": "green",
    "points_count": 3,
    "config": {
        "params": {"vectors": {"size": 4, "distance": "Dot"}, "on_disk_payload": True, "shard_number": 1},
        "hnsw_config": {"m": 16},
        "optimizer_config": {"indexing_threshold": 10000},
        "wal_config": {"wal_capacity_mb": 32},
        "quantization_config": None,
    },
    "payload_schema": {"kind": {"data_type": "keyword", "params": {"type": "keyword", "is_tenant": True}}},
}


def ok(result: Any) -> dict[str, Any]:
    return {"result": result, "status": "ok", "time": 0.0}


def there() -> None:
    responses.get(f"{BASE}/collections", json=ok({"collections": [{"name": "a"}, {"name": "b"}]}))
    rows = [{"alias_name": "live", "collection_name": "a"}]
    responses.get(f"{BASE}/aliases", json=ok({"aliases": rows}))
    responses.get(f"{BASE}/collections/a", json=ok(INFO))


@scripted
@pytest.mark.parametrize("check", [False, True])
def test_it_shows_what_would_be_declared(check: bool) -> None:
    there()
    result = run_module("qdrant_collection_info", {"url": BASE, "names": ["live", "gone"]}, check=check)
    assert (result["changed"], result["names"], result["aliases"]) == (False, ["a", "b"], {"live": "a"})
    assert list(result["collections"]) == ["live"]
    shown = result["collections"]["live"]
    assert (shown["collection"], shown["points"], shown["aliases"]) == ("a", 3, ["live"])
    assert shown["vectors"] == {"": {"size": 4, "distance": "Dot"}}
    assert shown["payload_indexes"] == {"kind": {"type": "keyword", "is_tenant": True}}
    assert shown["optimizers_config"] == {"indexing_threshold": 10000}


@scripted
def test_all_of_them_are_read_once_each() -> None:
    there()
    responses.get(f"{BASE}/collections/b", json=ok(INFO))
    assert list(run_module("qdrant_collection_info", {"url": BASE})["collections"]) == ["a", "b"]


@scripted
def test_a_wrong_key_is_told() -> None:
    responses.get(f"{BASE}/collections", status=401, body="Invalid API key or JWT")
    with pytest.raises(ModuleFailed, match=r"answered 401: .*check api_key") as caught:
        run_module("qdrant_collection_info", {"url": BASE, "api_key": "canary"})
    assert "canary" not in str(caught.value.result.get("msg"))


def test_a_name_that_cannot_be_one_is_told() -> None:
    with pytest.raises(ModuleFailed, match="names is 'a/b'; a collection's name cannot contain '/'"):
        run_module("qdrant_collection_info", {"url": BASE, "names": ["a/b"]})
