# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of query that the stand-in's engine knows, on few points whose order can be reckoned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.standin import StandIn

POINTS = [
    {
        "id": number,
        "vector": {"": [number, 1], "words": {"indices": [number], "values": [1.0]}},
        "payload": {"n": number, "kind": "ab"[number % 2], "many": [1, 1, number], "at": {"lon": number, "lat": 0}},
    }
    for number in range(1, 7)
]
SQUARE = [{"lon": 0.5, "lat": -1}, {"lon": 2.5, "lat": -1}, {"lon": 2.5, "lat": 1}, {"lon": 0.5, "lat": 1}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    found = StandIn(tmp_path_factory.mktemp("queries"))
    found.result("PUT", "/collections/c", {"vectors": {"size": 2, "distance": "Dot"}, "sparse_vectors": {"words": {}}})
    found.result("PUT", "/collections/c/index?wait=true", {"field_name": "n", "field_schema": "integer"})
    found.result("PUT", "/collections/c/points?wait=true", {"points": POINTS})
    yield found
    found.store.close()


NEAREST = {"query": [1, 0], "limit": 6}


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"query": [1, 0]}, [6, 5, 4]),
        ({"query": 6}, [5, 4, 3]),
        ({"query": {"nearest": [1, 0]}}, [6, 5, 4]),
        ({"query": {"indices": [3], "values": [1.0]}, "using": "words"}, [3]),
        ({"query": {"recommend": {"positive": [1], "negative": [6]}}}, [2, 3, 4]),
        ({"query": {"recommend": {"positive": [6, [1, 0]], "strategy": "best_score"}}}, [5, 4, 3]),
        ({"query": {"recommend": {"negative": [6], "strategy": "sum_scores"}}}, [1, 2, 3]),
        ({"query": {"discover": {"target": [1, 0], "context": {"positive": 5, "negative": 1}}}}, [6, 4, 3]),
        ({"query": {"context": [{"positive": [1, 0], "negative": [-1, 0]}]}, "filter": {"must": {"has_id": [2]}}}, [2]),
        ({"query": {"order_by": {"key": "n", "direction": "desc", "start_from": 4}}}, [4, 3, 2]),
        ({"prefetch": NEAREST, "query": {"formula": {"neg": "$score"}}}, [1, 2, 3]),
        (
            {"prefetch": NEAREST, "query": {"formula": {"mult": ["$score", {"key": "kind", "match": {"value": "a"}}]}}},
            [6, 4, 2],
        ),
        (
            {
                "prefetch": NEAREST,
                "query": {"formula": {"gauss_decay": {"x": "n", "target": 3, "scale": 1}}},
                "limit": 1,
            },
            [3],
        ),
        ({"prefetch": [NEAREST], "query": {"fusion": "rrf"}}, [6, 5, 4]),
        ({"prefetch": [NEAREST], "query": {"rrf": {"k": 5, "weights": [2.0]}}}, [6, 5, 4]),
        ({"prefetch": [NEAREST], "query": {"fusion": "dbsf"}}, [6, 5, 4]),
        ({"query": {"nearest": [1, 0], "mmr": {"diversity": 0.0, "candidates_limit": 6}}}, [6, 5, 4]),
        (
            {
                "query": [1, 0],
                "filter": {"must": {"key": "at", "geo_polygon": {"exterior": {"points": [*SQUARE, SQUARE[0]]}}}},
            },
            [2, 1],
        ),
        ({"query": [1, 0], "filter": {"must": {"key": "kind", "match": {"prefix": "a"}}}}, [6, 4, 2]),
    ],
)
def test_points_come_in_the_right_order(server: StandIn, body: dict[str, Any], ids: list[int]) -> None:
    found = server.result("POST", "/collections/c/points/query", {"limit": 3, **body})["points"]
    assert [point["id"] for point in found] == ids
    assert all({"vector", "payload"}.isdisjoint(point) for point in found)


def test_groups_begin_with_the_one_of_the_best_point(server: StandIn) -> None:
    body = {"query": [1, 0], "group_by": "kind", "group_size": 2, "with_payload": ["n"]}
    groups = server.result("POST", "/collections/c/points/query/groups", body)["groups"]
    assert [(group["id"], [hit["payload"] for hit in group["hits"]]) for group in groups] == [
        ("a", [{"n": 6}, {"n": 4}]),
        ("b", [{"n": 5}, {"n": 3}]),
    ]
    by_value = server.result("POST", "/collections/c/points/query/groups", {**body, "group_by": "many", "limit": 1})
    assert [(group["id"], [hit["id"] for hit in group["hits"]]) for group in by_value["groups"]] == [(1, [6, 5])]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"recommend": {}}, 400, "Bad request: Positive vectors should not be empty"),
        ({"recommend": {"strategy": "best_score"}}, 400, "Bad request: At least one positive or negative"),
        ({"formula": "$score"}, 400, "cannot apply Formula without prefetches"),
        (7, 404, "Not found: Point with id 7 does not exists!"),
        ({"recommend": {"positive": [{"indices": [1], "values": [1.0]}]}}, 501, "average of sparse vectors"),
    ],
)
def test_what_cannot_be_ranked_is_told(server: StandIn, query: Any, status: int, words: str) -> None:
    seen, answer = server.send("POST", "/collections/c/points/query", {"query": query})
    assert (seen, words in answer["status"]["error"]) == (status, True), answer
