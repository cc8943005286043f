# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying all points of one collection into another, in requests that a server takes."""

from __future__ import annotations

import json
from typing import Any, Iterable, Iterator, Mapping

from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import Live, live_from_info

# A server takes requests of 32 MB and answers with as much as it is asked for.
BYTES_IN_A_REQUEST = 8_000_000
POINTS_IN_A_PAGE = 500
# Nobody knows how big points are before the first of them.
POINTS_IN_THE_FIRST_PAGE = 64
BYTES_OF_A_NUMBER = 24


def carry(client: Client, source: str, target: str) -> None:
    """Page by page; writing a point twice changes nothing, so a run that was cut off begins again."""
    largest = min(_largest_page(live_from_info(client.collection(name), name)) for name in (source, target))
    page, offset = min(largest, POINTS_IN_THE_FIRST_PAGE), None
    while True:
        points, offset = client.scroll(source, page, offset)
        sizes = [size_of(point) for point in points]
        for part in parts([_point(point) for point in points], sizes):
            client.upsert(target, part)
        if offset is None:
            return
        page = min(largest, max(1, BYTES_IN_A_REQUEST * len(points) // max(1, sum(sizes))))


def _largest_page(live: Live) -> int:
    limits = [live.strict_mode_config.get(key) for key in ("max_query_limit", "upsert_max_batchsize")]
    known = [limit for limit in limits if limit] if live.strict_mode_config.get("enabled") else []
    return min([POINTS_IN_A_PAGE, *known])


def parts(points: list[dict[str, Any]], sizes: Iterable[int]) -> Iterator[list[dict[str, Any]]]:
    """The points in order, in lists that are no longer than a request may be; a point that is longer stands alone."""
    part: list[dict[str, Any]] = []
    length = 0
    for point, size in zip(points, sizes):
        if part and length + size > BYTES_IN_A_REQUEST:
            yield part
            part, length = [], 0
        part.append(point)
        length += size
    if part:
        yield part


def size_of(point: Mapping[str, Any]) -> int:
    """At least the bytes that a point takes in JSON, without writing out its vectors."""
    return 100 + BYTES_OF_A_NUMBER * _numbers(point.get("vector")) + len(json.dumps(point.get("payload")))


def _numbers(vector: Any) -> int:
    """The numbers in a vector of any kind, and as good as that for the names of vectors."""
    if isinstance(vector, Mapping):
        return sum(len(str(name)) + _numbers(inner) for name, inner in vector.items())
    if isinstance(vector, list):
        return sum(_numbers(inner) for inner in vector) if vector and isinstance(vector[0], list) else len(vector)
    return 0


def _point(point: Mapping[str, Any]) -> dict[str, Any]:
    vector = point.get("vector")
    return {"id": point["id"], "vector": {} if vector is None else vector, "payload": point.get("payload") or {}}
