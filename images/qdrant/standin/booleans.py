# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Matching a boolean: the engine's Python binding takes True for 1, so the points are looked up instead."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

PAGE = 1000


def resolved(shard: Any, data: Any) -> Any:
    """The request with every condition on a boolean replaced by the ids of the points that hold it."""
    if isinstance(data, list):
        return [resolved(shard, one) for one in data] if data and isinstance(data[0], dict) else data
    if not isinstance(data, dict):
        return data
    match = data.get("match")
    if isinstance(match, dict) and isinstance(match.get("value"), bool) and "key" in data:
        return {"has_id": _holders(shard, data["key"], match["value"])}
    return {key: value if key == "payload" else resolved(shard, value) for key, value in data.items()}


def _holders(shard: Any, key: str, wanted: bool) -> list[Any]:
    found: list[Any] = []
    offset = None
    while True:
        request = edge.ScrollRequest(offset=offset, limit=PAGE, with_payload=[key.split(".")[0].removesuffix("[]")])
        records, offset = shard.scroll(request)
        found += [record.id for record in records if _holds(record.payload, key, wanted)]
        if offset is None:
            return found


def _holds(payload: Any, key: str, wanted: bool) -> bool:
    return any(value is wanted for value in values_at(payload, key.split(".")))


def values_at(value: Any, path: list[str]) -> list[Any]:
    """What a payload holds under a dotted path, where ``[]`` goes into a list."""
    if not path:
        return value if isinstance(value, list) else [value]
    name = path[0].removesuffix("[]")
    if not isinstance(value, dict) or name not in value:
        return []
    inner = value[name]
    if path[0].endswith("[]"):
        return [found for one in (inner if isinstance(inner, list) else []) for found in values_at(one, path[1:])]
    return values_at(inner, path[1:])
