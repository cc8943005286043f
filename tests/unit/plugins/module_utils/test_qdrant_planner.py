# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which calls a difference takes: tables, no server."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import Desired, Live, World
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.planner import plan

UNNAMED = {"": {"size": 4, "distance": "Cosine"}}
HNSW = {"m": 16, "ef_construct": 100, "on_disk": False}


def live(**fields: Any) -> Live:
    return Live(**{"vectors": UNNAMED, "on_disk_payload": True, "hnsw_config": HNSW, "physical": "c", **fields})


def world(current: Optional[Live] = None, **fields: Any) -> World:
    there = {"c": current} if current else {}
    return World(**{"names": frozenset(there), "live": there, **fields})


def body_of(desired: Desired, current: Live) -> Optional[dict[str, Any]]:
    """What the one PATCH sends; None when there is none."""
    patches = [step for step in plan([desired], world(current)).operations if step.verb == "patch"]
    assert len(patches) <= 1
    return dict(patches[0].args["body"]) if patches else None


@pytest.mark.parametrize(
    ("declared", "there", "sent"),
    [
        ({}, {}, None),
        ({"vectors": UNNAMED}, {}, None),
        ({"hnsw_config": {"m": 16}}, {}, None),
        ({"hnsw_config": {"m": 32, "ef_construct": 100}}, {}, {"hnsw_config": {"m": 32}}),
        ({"on_disk_payload": False}, {}, {"params": {"on_disk_payload": False}}),
        (
            {"optimizers_config": {"indexing_threshold": 5}},
            {"optimizers_config": {"indexing_threshold": 10000}},
            {"optimizers_config": {"indexing_threshold": 5}},
        ),
        (
            {"quantization_config": {"scalar": {"type": "int8"}}},
            {},
            {"quantization_config": {"scalar": {"type": "int8"}}},
        ),
        (
            {"quantization_config": {"scalar": {"type": "int8"}}},
            {"quantization_config": {"scalar": {"type": "int8", "always_ram": True}}},
            None,
        ),
        (
            {"quantization_config": {"scalar": {"type": "int8", "quantile": 0.9}}},
            {"quantization_config": {"scalar": {"type": "int8", "always_ram": True}}},
            {"quantization_config": {"scalar": {"type": "int8", "quantile": 0.9, "always_ram": True}}},
        ),
        (
            {"quantization_config": {"binary": {}}},
            {"quantization_config": {"scalar": {"type": "int8"}}},
            {"quantization_config": {"binary": {}}},
        ),
        (
            {"quantization_config": {}},
            {"quantization_config": {"binary": {}}},
            {"quantization_config": "Disabled"},
        ),
        ({"quantization_config": {}}, {}, None),
        ({"vectors": {"": {**UNNAMED[""], "on_disk": False}}}, {}, None),
        ({"vectors": {"": {**UNNAMED[""], "on_disk": True}}}, {}, {"vectors": {"": {"on_disk": True}}}),
        (
            {"vectors": {"a": {"size": 3, "distance": "Dot", "hnsw_config": {"m": 8}}}},
            {"vectors": {"a": {"size": 3, "distance": "Dot"}, "b": {"size": 9, "distance": "Dot"}}},
            {"vectors": {"a": {"hnsw_config": {"m": 8}}}},
        ),
    ],
)
def test_a_patch_sends_exactly_what_differs(
    declared: dict[str, Any], there: dict[str, Any], sent: Optional[dict[str, Any]]
) -> None:
    assert body_of(Desired(name="c", **declared), live(**there)) == sent


def words(desired: Desired, current: Optional[Live]) -> list[str]:
    return [step.words for step in plan([desired], world(current)).operations]


def test_a_missing_collection_is_made_whole() -> None:
    desired = Desired(
        name="c",
        vectors=UNNAMED,
        quantization_config={},
        payload_indexes={"b": {"type": "text", "lowercase": True}, "a": {"type": "keyword"}},
    )
    first, *indexes = plan([desired], world()).operations
    assert dict(first.args) == {"body": {"vectors": {"size": 4, "distance": "Cosine"}}}
    assert [dict(step.args) for step in indexes] == [
        {"field": "a", "schema": "keyword"},
        {"field": "b", "schema": {"lowercase": True, "type": "text"}},
    ]


@pytest.mark.parametrize(
    ("declared", "prune", "there", "expected"),
    [
        ({"a": {"type": "keyword"}}, False, {"a": {"type": "keyword", "is_tenant": True}}, []),
        ({"a": {"type": "keyword"}}, False, {"b": {"type": "keyword"}}, ["create payload index c.a (keyword)"]),
        (
            {"a": {"type": "integer"}},
            False,
            {"a": {"type": "keyword"}},
            ["rebuild payload index c.a (keyword -> integer)"],
        ),
        (
            {"a": {"type": "keyword", "is_tenant": True}},
            False,
            {"a": {"type": "keyword"}},
            ["rebuild payload index c.a (keyword, is_tenant=unset -> keyword, is_tenant=true)"],
        ),
        ({}, True, {"b": {"type": "keyword"}}, ["delete payload index c.b"]),
    ],
)
def test_payload_indexes(declared: Any, prune: bool, there: Any, expected: list[str]) -> None:
    desired = Desired(name="c", payload_indexes=declared, prune_indexes=prune)
    assert words(desired, live(payload_indexes=there)) == expected


@pytest.mark.parametrize(
    ("declared", "there", "field"),
    [
        ({"": {"size": 8, "distance": "Cosine"}}, UNNAMED, "vectors.size"),
        ({"": {"size": 4, "distance": "Dot"}}, UNNAMED, "vectors.distance"),
        ({"": {"size": 4, "distance": "Cosine", "datatype": "float16"}}, UNNAMED, "vectors.datatype"),
        ({"a": {"size": 4, "distance": "Cosine"}}, UNNAMED, "vectors.a"),
        ({"": {"size": 4, "distance": "Cosine"}}, {"a": UNNAMED[""]}, "vectors"),
    ],
)
def test_what_cannot_change_is_refused_with_what_would_be_lost(declared: Any, there: Any, field: str) -> None:
    with pytest.raises(StackError) as caught:
        plan([Desired(name="c", vectors=declared)], world(live(vectors=there, points=12)))
    (row,) = caught.value.details["immutable"]
    assert (row["collection"], row["field"], row["points_lost"]) == ("c", field, 12)
    assert "12 points would be lost" in str(caught.value)


def test_nothing_is_planned_when_one_of_many_cannot_change() -> None:
    with pytest.raises(StackError, match="nothing was touched"):
        plan(
            [Desired(name="new", vectors=UNNAMED), Desired(name="c", vectors={"": {"size": 5, "distance": "Dot"}})],
            world(live()),
        )


@pytest.mark.parametrize(
    ("points", "confirm", "backup", "expected"),
    [
        (0, None, True, ["delete collection c (0 points)"]),
        (3, "c", True, ["snapshot collection c (3 points)", "delete collection c (3 points)"]),
        (3, "c", False, ["delete collection c (3 points)"]),
    ],
)
def test_deleting(points: int, confirm: Optional[str], backup: bool, expected: list[str]) -> None:
    desired = Desired(name="c", present=False, confirm_data_loss=confirm, backup=backup)
    assert words(desired, live(points=points)) == expected
    assert words(desired, None) == []


@pytest.mark.parametrize("confirm", [None, "", "C", "another"])
def test_deleting_points_takes_two_words(confirm: Optional[str]) -> None:
    with pytest.raises(StackError, match=r"holds 3 points.*set confirm_data_loss: c"):
        plan([Desired(name="c", present=False, confirm_data_loss=confirm)], world(live(points=3)))


@pytest.mark.parametrize(
    "declared",
    [
        {"vectors": {"": {"size": 4, "distance": "Cosine", "on_disk": True, "hnsw_config": {"m": 8}}}},
        {"hnsw_config": {"m": 99}, "quantization_config": {"binary": {}}, "on_disk_payload": False},
    ],
)
def test_rebuilding_vector_indexes_is_announced_where_there_are_points(declared: dict[str, Any]) -> None:
    desired = Desired(name="c", **declared)
    assert plan([desired], world(live())).warnings == ()
    (warning,) = plan([desired], world(live(points=7))).warnings
    assert "rebuilds the vector indexes of 7 points" in warning


def test_undeclared_fields_show_in_no_diff() -> None:
    found = plan([Desired(name="c", hnsw_config={"m": 17})], world(live(points=9)))
    assert (found.before, found.after) == ({"c": {"hnsw_config": {"m": 16}}}, {"c": {"hnsw_config": {"m": 17}}})
