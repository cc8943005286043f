# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in's application in this process, on a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.standin import StandIn

SMALL = {"vectors": {"size": 4, "distance": "Cosine"}}


@pytest.fixture
def client(folder: Path) -> Iterator[StandIn]:
    found = StandIn(folder)
    yield found
    found.store.close()


def test_it_says_what_it_is(client: StandIn) -> None:
    status, answer = client.send("GET", "/")
    assert status == 200
    assert answer["title"] == "qdrant stand-in - vector search engine over qdrant-edge-py, not the official server"
    assert answer["version"].startswith("1.19.")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/nothing", None, 404, ""),
        ("GET", "/collections/none", None, 404, "Not found: Collection `none` doesn't exist!"),
        ("PATCH", "/collections/none", {}, 404, "Not found: Collection `none` doesn't exist!"),
        ("PUT", "/collections/there", SMALL, 409, "Wrong input: Collection `there` already exists!"),
        ("PUT", "/collections/x", {"vectors": {"size": 0, "distance": "Cosine"}}, 400, "Format error in JSON body"),
        ("PUT", "/collections/x", {"vectors": {"size": 4, "distance": "Cosin"}}, 400, "Format error in JSON body"),
        ("PUT", "/collections/x", {"vectors": {"size": "4", "distance": "Dot"}}, 400, "Format error in JSON body"),
        ("PUT", "/collections/x", b"{", 400, "Format error in JSON body"),
        (
            "PUT",
            "/collections/x",
            {"vectors": {"size": 70000, "distance": "Dot"}},
            422,
            "Validation error in JSON body: [vectors.size: value 70000 invalid, must be from 1 to 65536]",
        ),
        (
            "PUT",
            "/collections/a%2Fb",
            SMALL,
            422,
            'Validation error in path parameters: [collection_name: collection name cannot contain "/" char]',
        ),
        ("PUT", "/collections/there/index", {"field_name": "f", "field_schema": "odd"}, 400, "Format error"),
        ("PUT", "/collections/there/points", {"points": []}, 400, "Bad request: Empty update request"),
        (
            "PUT",
            "/collections/there/points",
            {"points": [{"id": 1, "vector": [1, 2]}]},
            400,
            "Wrong input: Vector dimension error: expected dim: 4, got 2",
        ),
        ("PUT", "/collections/there/points", {"points": [{"id": "x", "vector": [1]}]}, 400, "not a valid point ID"),
        ("GET", "/collections/there/points/7", None, 404, "Not found: Point with id 7 does not exists!"),
        (
            "POST",
            "/collections/there/points/query",
            {"query": {"text": "x", "model": "m"}},
            501,
            "Not implemented: this",
        ),
        ("POST", "/collections/there/points/scroll", {"filter": {"odd": []}}, 400, "Format error in JSON body"),
        ("POST", "/collections/there/points/scroll", {"filter": {"must": {"key": "x"}}}, 422, "Validation error"),
        (
            "PUT",
            "/collections/there/points/vectors",
            {"points": [{"id": 7, "vector": [1, 0, 0, 0]}]},
            404,
            "Not found: No point with id 7 found",
        ),
        ("POST", "/collections/there/points/scroll", {"limit": -1}, 400, "Format error in JSON body"),
        ("POST", "/collections/there/points/payload", {"payload": {}}, 400, "Format error in JSON body: No filter"),
        (
            "POST",
            "/collections/there/points/vectors/delete",
            {"points": [1], "vector": []},
            422,
            "[vector: must specify",
        ),
        (
            "PUT",
            "/collections/there/points",
            {"batch": {"ids": [1, 2], "vectors": [[1, 0, 0, 0]]}},
            422,
            "[batch: number of ids and vectors must be equal (2 != 1)]",
        ),
        ("PUT", "/collections/x", {"vectors": {"a": {"size": 70000, "distance": "Dot"}}}, 422, "value 70000 invalid"),
        (
            "PATCH",
            "/collections/there",
            {"optimizers_config": {"deleted_threshold": 2}},
            422,
            "[optimizers_config.deleted_threshold: value 2.0 invalid, must be from 0.0 to 1.0]",
        ),
    ],
)
def test_what_is_wrong_has_the_servers_status_and_words(
    client: StandIn, method: str, path: str, body: Any, status: int, words: str
) -> None:
    client.result("PUT", "/collections/there", SMALL)
    seen, answer = client.send(method, path, body)
    assert seen == status
    assert words in (answer["status"]["error"] if isinstance(answer, dict) else answer)


def test_keys_that_the_server_does_not_know_are_ignored_at_any_depth(client: StandIn) -> None:
    client.result("PUT", "/collections/c", {**SMALL, "odd": 1, "hnsw_config": {"m": 8, "odd": 1}})
    hnsw = client.result("GET", "/collections/c")["config"]["hnsw_config"]
    assert (hnsw["m"], "odd" in hnsw) == (8, False)


def test_a_patch_merges(client: StandIn) -> None:
    client.result("PUT", "/collections/c", {**SMALL, "metadata": {"a": 1, "b": 2}})
    changes = {
        "hnsw_config": {"m": 8},
        "optimizers_config": {"indexing_threshold": 1},
        "params": {"on_disk_payload": False},
        "vectors": {"": {"on_disk": True, "quantization_config": {"binary": {}}}},
        "metadata": {"a": None, "c": 3},
    }
    client.result("PATCH", "/collections/c", changes)
    config = client.result("GET", "/collections/c")["config"]
    assert (config["hnsw_config"]["m"], config["hnsw_config"]["ef_construct"]) == (8, 100)
    assert config["optimizer_config"]["indexing_threshold"] == 1
    assert config["params"]["on_disk_payload"] is False
    assert config["params"]["vectors"] == {**SMALL["vectors"], "on_disk": True, "quantization_config": {"binary": {}}}
    assert config["metadata"] == {"b": 2, "c": 3}
    client.result("PATCH", "/collections/c", {"vectors": {"": {"quantization_config": "Disabled"}}})
    assert "quantization_config" not in client.result("GET", "/collections/c")["config"]["params"]["vectors"]


def test_points_are_found_by_vector_filter_and_boolean(client: StandIn) -> None:
    client.result("PUT", "/collections/c", SMALL)
    points = [
        {"id": number, "vector": [number, 1, 0, 0], "payload": {"n": number, "even": number % 2 == 0}}
        for number in range(6)
    ]
    client.result("PUT", "/collections/c/points", {"points": points})
    even = {"must": [{"key": "even", "match": {"value": True}}]}
    assert client.result("POST", "/collections/c/points/count", {"filter": even}) == {"count": 3}
    found = client.result("POST", "/collections/c/points/query", {"query": [0, 1, 0, 0], "limit": 2, "filter": even})
    assert [point["id"] for point in found["points"]] == [0, 2]
    client.result("POST", "/collections/c/points/delete", {"filter": even})
    page = client.result("POST", "/collections/c/points/scroll", {"limit": 2, "with_payload": ["n"]})
    assert page == {
        "points": [{"id": 1, "payload": {"n": 1}}, {"id": 3, "payload": {"n": 3}}],
        "next_page_offset": 5,
    }


@pytest.mark.parametrize(
    ("vector", "words"),
    [
        ({"w": {"indices": [1, 2], "values": [1]}}, "[points[0].vector.w.values: must be the same length as indices]"),
        ({"w": {"indices": [1, 1], "values": [1, 2]}}, "[points[0].vector.w.indices: must be unique]"),
        ({"m": [[1, 2], [1]]}, "[points[0].vector.m: all vectors of a multivector must have the same length]"),
    ],
)
def test_a_vector_that_would_upset_the_engine_never_reaches_it(
    client: StandIn, vector: dict[str, Any], words: str
) -> None:
    several = {"size": 2, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}}
    client.result("PUT", "/collections/c", {"vectors": {"m": several}, "sparse_vectors": {"w": {}}})
    point = {"points": [{"id": 1, "vector": vector}]}
    for path, body in (("points", point), ("points/batch", {"operations": [{"upsert": point}]})):
        status, answer = client.send("PUT" if path == "points" else "POST", f"/collections/c/{path}", body)
        assert (status, words in answer["status"]["error"]) == (422, True), answer
    client.result("PUT", "/collections/c/points", {"points": [{"id": 1, "vector": {"m": [[1, 2], [3, 4]]}}]})


def test_a_vector_that_cannot_be_added_leaves_no_trace(client: StandIn) -> None:
    client.result("PUT", "/collections/c", {"vectors": {"a": SMALL["vectors"]}, "sparse_vectors": {"w": {}}})
    before = client.result("GET", "/collections/c")["config"]
    for name, size in (("zero", 0), ("huge", 70000), ("w", 4), ("a", 5)):
        status, _answer = client.send(
            "PUT", f"/collections/c/vectors/{name}", {"dense": {"size": size, "distance": "Dot"}}
        )
        assert status in (400, 422)
    assert client.result("GET", "/collections/c")["config"] == before
    client.result("PATCH", "/collections/c", {"hnsw_config": {"m": 9}})


def test_who_does_not_wait_is_told_so(client: StandIn) -> None:
    client.result("PUT", "/collections/c", SMALL)
    point = {"points": [{"id": 1, "vector": [1, 0, 0, 0]}]}
    assert client.result("PUT", "/collections/c/points", point)["status"] == "acknowledged"
    assert client.result("PUT", "/collections/c/points?wait=true", point)["status"] == "completed"


def test_a_new_process_finds_everything(client: StandIn, folder: Path) -> None:
    client.result("PUT", "/collections/odd.name%20x", SMALL)
    client.result("PUT", "/collections/odd.name%20x/index", {"field_name": "f", "field_schema": "keyword"})
    client.result("PUT", "/collections/odd.name%20x/points", {"points": [{"id": 1, "vector": [1, 0, 0, 0]}]})
    action = {"create_alias": {"collection_name": "odd.name x", "alias_name": "a"}}
    client.result("POST", "/collections/aliases", {"actions": [action]})
    before = client.result("GET", "/collections/a")
    client.store.close()
    again = StandIn(folder)
    assert again.result("GET", "/collections/a") == before
    client.store, client.app = again.store, again.app


def test_a_snapshot_outlives_its_collection(client: StandIn, folder: Path) -> None:
    client.result("PUT", "/collections/c", SMALL)
    client.result("PUT", "/collections/c/points", {"points": [{"id": 1, "vector": [1, 0, 0, 0]}]})
    made = client.result("POST", "/collections/c/snapshots")
    assert client.result("DELETE", "/collections/c") is True
    assert client.result("DELETE", "/collections/c") is False
    location = f"file://{folder}/snapshots/c/{made['name']}"
    client.result("PUT", "/collections/c/snapshots/recover", {"location": location})
    assert client.result("POST", "/collections/c/points/count", {}) == {"count": 1}


def test_a_key_guards_everything_but_the_health_checks(folder: Path) -> None:
    guarded = StandIn(folder, api_key="all", read_only_api_key="look")
    assert guarded.send("GET", "/readyz") == (200, "all shards are ready")
    assert guarded.send("GET", "/collections")[0] == 401
    assert guarded.send("GET", "/collections", headers={"api-key": "wrong"})[0] == 401
    assert guarded.send("GET", "/collections", headers={"authorization": "Bearer all"})[0] == 200
    assert guarded.send("GET", "/collections", headers={"api-key": "look"})[0] == 200
    assert guarded.send("PUT", "/collections/c", SMALL, headers={"api-key": "look"})[0] == 403
    assert guarded.send("PUT", "/collections/c", SMALL, headers={"api-key": "all"})[0] == 200
    assert guarded.send("POST", "/collections/c/points/count", {}, headers={"api-key": "look"})[0] == 200
    assert guarded.send("POST", "/collections/c/points/delete", {"points": [1]}, headers={"api-key": "look"})[0] == 403
    guarded.store.close()
