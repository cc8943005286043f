# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole reconciliations on Qdrant's engine in this process: the law for every option, rebuilds, and kills."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

from tests.support.collections_law import POINTS, REBUILD, SMALL, count, filled, law, resource, run
from tests.support.standin import Killed, StandIn

IN_PLACE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{
        f"hnsw_config.{key}": ({"hnsw_config": {key: one}}, {"hnsw_config": {key: two}})
        for key, one, two in [
            ("m", 8, 32),
            ("ef_construct", 64, 128),
            ("full_scan_threshold", 5000, 6000),
            ("max_indexing_threads", 0, 2),
            ("payload_m", 8, 16),
            ("on_disk", False, True),
            ("inline_storage", False, True),
            ("memory", "cold", "cached"),
        ]
    },
    **{
        f"optimizers_config.{key}": ({"optimizers_config": {key: one}}, {"optimizers_config": {key: two}})
        for key, one, two in [
            ("deleted_threshold", 0.1, 0.3),
            ("vacuum_min_vector_number", 500, 700),
            ("default_segment_number", 1, 2),
            ("max_segment_size", 100000, 200000),
            ("memmap_threshold", 10000, 20000),
            ("indexing_threshold", 5000, 6000),
            ("flush_interval_sec", 2, 9),
            ("max_optimization_threads", 1, 2),
            ("prevent_unoptimized", False, True),
        ]
    },
    **{
        f"strict_mode_config.{key}": ({"strict_mode_config": {key: one}}, {"strict_mode_config": {key: two}})
        for key, one, two in [
            ("enabled", False, True),
            ("max_query_limit", 100, 200),
            ("max_timeout", 10, 20),
            ("unindexed_filtering_retrieve", True, False),
            ("unindexed_filtering_update", True, False),
            ("search_max_hnsw_ef", 100, 200),
            ("search_allow_exact", True, False),
            ("search_max_oversampling", 1.5, 3.0),
            ("upsert_max_batchsize", 100, 200),
            ("max_collection_vector_size_bytes", 1000000, 2000000),
            ("read_rate_limit", 100, 200),
            ("write_rate_limit", 100, 200),
            ("max_collection_payload_size_bytes", 1000000, 2000000),
            ("max_points_count", 1000, 2000),
            ("filter_max_conditions", 10, 20),
            ("condition_max_size", 10, 20),
            ("multivector_config", {"a": {"max_vectors": 2}}, {"a": {"max_vectors": 3}}),
            ("sparse_config", {"w": {"max_length": 2}}, {"w": {"max_length": 3}}),
            ("max_payload_index_count", 5, 10),
            ("search_max_batchsize", 5, 10),
            ("max_resident_memory_percent", 80, 90),
        ]
    },
    "on_disk_payload": ({"on_disk_payload": True}, {"on_disk_payload": False}),
    "replication_factor": ({"replication_factor": 1}, {"replication_factor": 2}),
    "write_consistency_factor": ({"write_consistency_factor": 1}, {"write_consistency_factor": 2}),
    "read_fan_out_factor": ({"read_fan_out_factor": 1}, {"read_fan_out_factor": 2}),
    "read_fan_out_delay_ms": ({"read_fan_out_delay_ms": 10}, {"read_fan_out_delay_ms": 20}),
    "metadata": ({"metadata": {"owner": "a", "gone": 1}}, {"metadata": {"owner": "b", "gone": None, "new": [1]}}),
    "quantization": (
        {"quantization_config": {"scalar": {"quantile": 0.99}}},
        {"quantization_config": {"binary": {"always_ram": True}}},
    ),
    "quantization off": ({"quantization_config": {"product": {"compression": "x16"}}}, {"quantization_config": {}}),
    "vector.on_disk": ({"vectors": {**SMALL, "on_disk": False}}, {"vectors": {**SMALL, "on_disk": True}}),
    "vector.memory": ({"vectors": {**SMALL, "memory": "cold"}}, {"vectors": {**SMALL, "memory": "pinned"}}),
    "vector.hnsw_config": (
        {"vectors": {**SMALL, "hnsw_config": {"m": 8}}},
        {"vectors": {**SMALL, "hnsw_config": {"m": 12, "on_disk": True}}},
    ),
    "vector.quantization": (
        {"vectors": {**SMALL, "quantization_config": {"scalar": {}}}},
        {"vectors": {**SMALL, "quantization_config": {"binary": {}}}},
    ),
    "vector.quantization off": (
        {"vectors": {**SMALL, "quantization_config": {"scalar": {}}}},
        {"vectors": {**SMALL, "quantization_config": {}}},
    ),
    "named vector is added": (
        {"vectors": {"a": SMALL}},
        {"vectors": {"a": SMALL, "b": {"size": 3, "distance": "Dot", "on_disk": True, "hnsw_config": {"m": 4}}}},
    ),
    "sparse vector is added": (
        {"vectors": SMALL},
        {"vectors": SMALL, "sparse_vectors": {"w": {"modifier": "idf", "index": {"full_scan_threshold": 100}}}},
    ),
    "sparse vector": (
        {"vectors": SMALL, "sparse_vectors": {"w": {"index": {"on_disk": False}}}},
        {"vectors": SMALL, "sparse_vectors": {"w": {"index": {"on_disk": True}, "modifier": "idf"}}},
    ),
    "sparse only": ({"sparse_vectors": {"w": {}}}, {"sparse_vectors": {"w": {"index": {"on_disk": True}}}}),
    "aliases": ({"aliases": ["one"]}, {"aliases": ["one", "two"]}),
    **{
        f"index of {kind}": (
            {"payload_indexes": {"f": "bool" if kind == "keyword" else "keyword"}},
            {"payload_indexes": {"f": {"type": kind, **params}}},
        )
        for kind, params in [
            ("bool", {"on_disk": True}),
            ("datetime", {"is_principal": True}),
            ("float", {"on_disk": True}),
            ("geo", {}),
            ("integer", {"lookup": True, "range": False}),
            ("keyword", {"is_tenant": True}),
            ("text", {"tokenizer": "word", "min_token_len": 2, "lowercase": True, "phrase_matching": True}),
            ("uuid", {"is_tenant": True, "enable_hnsw": False}),
        ]
    },
    "index is pruned": (
        {"payload_indexes": {"f": "keyword", "g": "integer"}},
        {"payload_indexes": {"f": "keyword"}, "prune_indexes": True},
    ),
}


@pytest.mark.parametrize("option", IN_PLACE)
def test_the_law_for_every_option_that_changes_in_place(server: StandIn, option: str) -> None:
    create, update = IN_PLACE[option]
    base = {"name": "c"} if "sparse_vectors" in create and "vectors" not in create else {"name": "c", "vectors": SMALL}
    law(server, {**base, **create})
    done = law(server, {**base, **update})
    assert not any(words.startswith(("delete collection", "create collection")) for words in done)


IMMUTABLE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "vectors.size": ({"vectors": SMALL}, {"vectors": {**SMALL, "size": 8}}),
    "vectors.distance": ({"vectors": SMALL}, {"vectors": {**SMALL, "distance": "Dot"}}),
    "vectors.datatype": ({"vectors": SMALL}, {"vectors": {**SMALL, "datatype": "float16"}}),
    "vectors.multivector_config": (
        {"vectors": SMALL},
        {"vectors": {**SMALL, "multivector_config": {"comparator": "max_sim"}}},
    ),
    "vectors.a": ({"vectors": SMALL}, {"vectors": {"a": SMALL}}),
    "vectors": ({"vectors": {"a": SMALL}}, {"vectors": SMALL}),
    "shard_number": ({"vectors": SMALL, "shard_number": 1}, {"vectors": SMALL, "shard_number": 2}),
    "sharding_method": ({"vectors": SMALL}, {"vectors": SMALL, "sharding_method": "custom"}),
    "wal_config.wal_capacity_mb": (
        {"vectors": SMALL, "wal_config": {"wal_capacity_mb": 32}},
        {"vectors": SMALL, "wal_config": {"wal_capacity_mb": 16}},
    ),
}


@pytest.mark.parametrize("field", IMMUTABLE)
def test_every_immutable_difference_is_refused_and_recreated_only_with_two_words(server: StandIn, field: str) -> None:
    create, update = IMMUTABLE[field]
    run(server, {"name": "c", **create})
    vector = {"a": POINTS[0]["vector"]} if field == "vectors" else POINTS[0]["vector"]
    server.result("PUT", "/collections/c/points?wait=true", {"points": [{"id": 1, "vector": vector}]})
    before = server.everything()
    with pytest.raises(StackError) as caught:
        run(server, {"name": "c", **update})
    assert [row["field"] for row in caught.value.details["immutable"]] == [field]
    with pytest.raises(StackError, match="set confirm_data_loss: c if that is meant"):
        run(server, {"name": "c", **update, "on_immutable": "recreate"})
    assert (server.everything(), server.writes) == (before, [])
    law(server, {"name": "c", **update, "on_immutable": "recreate", "confirm_data_loss": "c"})
    assert count(server) == 0
    assert len(server.store.list_snapshots("c")) == 1


def test_recreating_keeps_aliases_and_what_is_not_declared(server: StandIn) -> None:
    filled(server, aliases=["live"], hnsw_config={"m": 24}, payload_indexes={"kind": "keyword"})
    row = {"name": "c", "vectors": {**SMALL, "size": 3}, "on_immutable": "recreate", "confirm_data_loss": "c"}
    assert law(server, row) == [
        "snapshot collection c (30 points)",
        "create collection c__recreating (3 Cosine)",
        "create payload index c__recreating.kind (keyword)",
        "move alias live from c to c__recreating",
        "delete collection c (30 points)",
        "create collection c (3 Cosine)",
        "create payload index c.kind (keyword)",
        "move alias live from c__recreating to c",
        "delete c__recreating, which is needed no more",
    ]
    assert server.result("GET", "/collections/live")["config"]["hnsw_config"]["m"] == 24


def test_a_rebuild_moves_the_alias_to_a_copy_and_keeps_the_old_collection(server: StandIn) -> None:
    filled(server, aliases=["live"], hnsw_config={"m": 24}, payload_indexes={"kind": "keyword"})
    server.result(
        "POST",
        "/collections/aliases",
        {"actions": [{"create_alias": {"collection_name": "c", "alias_name": "also"}}]},
    )
    assert law(server, REBUILD) == [
        "snapshot collection c (30 points)",
        "create collection c__v2 (4 Dot)",
        "mark c__v2 as unfinished (alias c__building_*)",
        "create payload index c__v2.kind (keyword)",
        "copy 30 points from c to c__v2 and compare the counts",
        "wait until c__v2 is ready",
        "move alias also from c to c__v2; move alias live from c to c__v2; mark c__v2 as finished",
    ]
    assert (count(server, "live"), count(server, "also"), count(server, "c")) == (30, 30, 30)
    assert server.everything()["aliases"] == [("also", "c__v2"), ("live", "c__v2")]
    assert server.result("GET", "/collections/live")["config"]["hnsw_config"]["m"] == 24

    # What is changed in place afterwards is changed where the points are.
    assert law(server, {**REBUILD, "hnsw_config": {"m": 30}}) == ["change collection c__v2: hnsw_config.m 24 -> 30"]
    assert law(server, {**REBUILD, "hnsw_config": {"m": 30}, "drop_old": True}) == [
        "snapshot collection c (30 points)",
        "delete old collection c (30 points)",
        "create alias c of c__v2",
    ]
    assert count(server, "c") == 30
    # And once more: now the name is an alias itself, and moves with the others.
    law(server, {**REBUILD, "vectors": {**SMALL, "distance": "Euclid"}, "drop_old": True})
    assert server.everything()["aliases"] == [("also", "c__v3"), ("c", "c__v3"), ("live", "c__v3")]
    assert list(server.everything()["collections"]) == ["c__v3"]
    law(server, {"name": "c", "aliases": ["live"], "state": "absent", "confirm_data_loss": "c"})
    assert server.everything() == {"collections": {}, "aliases": []}


def test_a_rebuild_says_that_cosine_has_forgotten_the_length_of_vectors(server: StandIn) -> None:
    filled(server, aliases=["live"])
    assert "keeps vectors of the distance Cosine at length 1" in str(run(server, REBUILD, check=True)["warnings"])
    halved = {**REBUILD, "vectors": {**SMALL, "datatype": "float16"}}
    assert "length" not in str(run(server, halved, check=True)["warnings"])


def test_a_rebuild_without_an_alias_gives_the_name_to_the_copy(server: StandIn) -> None:
    filled(server)
    row = {"name": "c", "vectors": {**SMALL, "distance": "Dot"}, "on_immutable": "rebuild"}
    with pytest.raises(StackError, match=r"readers use the collection by its own name.*drop_old: true"):
        run(server, row)
    law(server, {**row, "drop_old": True})
    assert (list(server.everything()["collections"]), server.everything()["aliases"]) == (["c__v2"], [("c", "c__v2")])
    assert count(server) == 30


def test_points_that_do_not_fit_are_not_dropped_by_a_rebuild(server: StandIn) -> None:
    filled(server, aliases=["live"])
    before = server.everything()
    with pytest.raises(StackError, match=r"vectors\.size is 4, wanted 8; none of the 30 points fits"):
        run(server, {**REBUILD, "vectors": {**SMALL, "size": 8}})
    assert server.everything() == before


def test_absent_removes_what_rebuilds_left_too(server: StandIn) -> None:
    filled(server, aliases=["live"])
    run(server, REBUILD)
    gone = {"name": "c", "state": "absent", "aliases": ["live"], "confirm_data_loss": "c"}
    law(server, gone)
    assert server.everything() == {"collections": {}, "aliases": []}


def test_alias_actions_are_carried_out_one_by_one_and_a_move_that_fails_loses_no_alias(server: StandIn) -> None:
    run(server, {"name": "a", "vectors": SMALL, "aliases": ["live", "old"]}, {"name": "b", "vectors": SMALL})
    actions = [
        {"delete_alias": {"alias_name": "old"}},
        {"create_alias": {"collection_name": "nowhere", "alias_name": "live"}},
        {"create_alias": {"collection_name": "b", "alias_name": "new"}},
    ]
    assert server.send("POST", "/collections/aliases", {"actions": actions})[0] == 404
    assert server.everything()["aliases"] == [("live", "a")]
    planned = resource(server, {"name": "b", "vectors": SMALL, "aliases": ["live"]})
    plan = planned.plan(planned.observe())
    server.result("DELETE", "/collections/b")
    with pytest.raises(StackError, match="404"):
        planned.apply(plan.operations[0])
    assert server.everything()["aliases"] == [("live", "a")]


def test_an_alias_moves_in_one_call(server: StandIn) -> None:
    run(server, {"name": "a", "vectors": SMALL, "aliases": ["live"]}, {"name": "b", "vectors": SMALL})
    assert law(server, {"name": "b", "vectors": SMALL, "aliases": ["live"]}) == ["move alias live from a to b"]


SCENES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "creation": (
        {},
        {
            "vectors": {"a": SMALL, "b": SMALL},
            "read_fan_out_factor": 1,
            "payload_indexes": {"f": "keyword", "g": "integer"},
            "aliases": ["live"],
        },
    ),
    "changes": (
        {"vectors": {"a": SMALL}, "payload_indexes": {"f": "keyword", "h": "geo"}},
        {
            "vectors": {"a": SMALL, "b": {**SMALL, "on_disk": True}},
            "sparse_vectors": {"w": {"index": {"on_disk": True}}},
            "hnsw_config": {"m": 9},
            "payload_indexes": {"f": "integer", "g": "text"},
            "prune_indexes": True,
            "aliases": ["live", "also"],
        },
    ),
    "removal": ({"vectors": SMALL}, {"state": "absent", "confirm_data_loss": "c"}),
    "recreation": (
        {"vectors": SMALL, "payload_indexes": {"f": "keyword"}},
        {
            "vectors": {**SMALL, "size": 8},
            "payload_indexes": {"f": "keyword"},
            "on_immutable": "recreate",
            "confirm_data_loss": "c",
            "aliases": ["live"],
        },
    ),
    "rebuild": ({"vectors": SMALL, "aliases": ["live"], "payload_indexes": {"kind": "keyword"}}, REBUILD),
    "rebuild and drop": ({"vectors": SMALL, "aliases": ["live"]}, {**REBUILD, "drop_old": True}),
    "rebuild by name": (
        {"vectors": SMALL},
        {"vectors": {**SMALL, "distance": "Dot"}, "on_immutable": "rebuild", "drop_old": True},
    ),
}


def _scene(folder: Path, create: dict[str, Any]) -> StandIn:
    server = StandIn(folder)
    if create:
        run(server, {"name": "c", **create})
        named = "size" not in create["vectors"]
        points = [{**point, "vector": {"a": point["vector"]}} for point in POINTS] if named else POINTS
        server.result("PUT", "/collections/c/points?wait=true", {"points": points})
    return server


@pytest.mark.parametrize("scene", SCENES)
def test_a_run_that_is_killed_after_any_write_is_completed_by_the_next(folder: Path, scene: str) -> None:
    create, update = SCENES[scene]
    wanted = {**update, "name": "c"}
    whole = _scene(folder / "whole", create)
    run(whole, wanted)
    writes, expected = len(whole.writes), _lasting(whole)
    points = {shown["points_count"] for shown in expected["collections"].values()}
    whole.store.close()
    assert writes > 1
    # Killed after one write is killed before the next; after the last one is before anything is read back.
    for number in range(writes):
        server = _scene(folder / f"{number}", create)
        server.writes, server.kill_at = [], number
        with pytest.raises(Killed):
            run(server, wanted)
        server.kill_at = None
        run(server, wanted)
        assert run(server, wanted)["changed"] is False
        found = _lasting(server)
        assert found == expected, f"killed at write {number}"
        assert {count(server, name) for name in server.everything()["collections"]} == points
        server.store.close()
        shutil.rmtree(folder / f"{number}")


def _lasting(server: StandIn) -> dict[str, Any]:
    """Everything but what depends on how the engine has laid out its files, and which version a copy is."""
    found = json.loads(json.dumps(server.everything()).replace("c__v3", "c__v2"))
    for shown in found["collections"].values():
        for key in ("segments_count", "indexed_vectors_count"):
            shown.pop(key, None)
    return found
