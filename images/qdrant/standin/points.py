# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Points: write, read, search."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from standin import convert, queries
from standin.booleans import values_at
from standin.errors import RestError, bad_request, format_error, not_in_standin, wrong_input
from standin.store import Collection

Write = edge.UpdateOperation


def upsert(body: dict[str, Any]) -> Any:
    points = convert.points_of(body)
    if not points:
        raise bad_request("Empty update request")
    return Write.upsert_points(points, convert.filter_(body.get("update_filter")))


def delete(body: dict[str, Any]) -> Any:
    if "filter" in body:
        return Write.delete_points_by_filter(convert.filter_(body["filter"]))
    return Write.delete_points(body["points"])


def _by_selector(by_ids: Any, by_filter: Any, body: dict[str, Any], *args: Any) -> Any:
    if body.get("filter") is not None:
        return by_filter(convert.filter_(body["filter"]), *args)
    if body.get("points") is None:
        # The server finds out while it reads the payload's body, and later for vectors.
        refuse = format_error if "payload" in body or "keys" in body else bad_request
        raise refuse("No filter or points provided")
    return by_ids(body["points"], *args)


def set_payload(body: dict[str, Any]) -> Any:
    return _by_selector(Write.set_payload, Write.set_payload_by_filter, body, body["payload"], body.get("key"))


def overwrite_payload(body: dict[str, Any]) -> Any:
    return _by_selector(Write.overwrite_payload, Write.overwrite_payload_by_filter, body, body["payload"])


def delete_payload(body: dict[str, Any]) -> Any:
    return _by_selector(Write.delete_payload, Write.delete_payload_by_filter, body, body["keys"])


def clear_payload(body: dict[str, Any]) -> Any:
    return _by_selector(Write.clear_payload, Write.clear_payload_by_filter, body)


def update_vectors(body: dict[str, Any]) -> Any:
    if not body["points"]:
        raise RestError(422, "Validation error in JSON body: [points: must specify points to update]")
    return Write.update_vectors([edge.PointVectors(one["id"], convert.vector(one["vector"])) for one in body["points"]])


def delete_vectors(body: dict[str, Any]) -> Any:
    return _by_selector(Write.delete_vectors, Write.delete_vectors_by_filter, body, body["vector"])


BATCH = {
    "upsert": upsert,
    "delete": delete,
    "set_payload": set_payload,
    "overwrite_payload": overwrite_payload,
    "delete_payload": delete_payload,
    "clear_payload": clear_payload,
    "update_vectors": update_vectors,
    "delete_vectors": delete_vectors,
}


def batch(body: dict[str, Any]) -> list[Any]:
    return [BATCH[kind](args) for operation in body["operations"] for kind, args in operation.items()]


def get_one(collection: Collection, point_id: Any) -> dict[str, Any]:
    found = collection.shard.retrieve([point_id], True, True)
    if not found:
        raise RestError(404, f"Not found: Point with id {point_id} does not exists!")
    return convert.record_json(found[0])


def get_many(collection: Collection, body: dict[str, Any]) -> list[dict[str, Any]]:
    payload = convert.with_payload(body.get("with_payload") or False)
    found = collection.shard.retrieve(body["ids"], payload, body.get("with_vector") or False)
    return [convert.record_json(record) for record in found]


def scroll(collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
    payload = body.get("with_payload")
    records, following = collection.shard.scroll(
        edge.ScrollRequest(
            offset=body.get("offset"),
            limit=body.get("limit") or 10,
            filter=convert.filter_(body.get("filter")),
            with_payload=convert.with_payload(True if payload is None else payload),
            with_vector=body.get("with_vector") or False,
            order_by=convert.order_by(body.get("order_by")),
        )
    )
    return {
        "points": [convert.record_json(record) for record in records],
        "next_page_offset": None if body.get("order_by") else convert.id_json(following),
    }


def count(collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
    exact = body.get("exact")
    request = edge.CountRequest(filter=convert.filter_(body.get("filter")), exact=True if exact is None else exact)
    return {"count": collection.shard.count(request)}


def facet(collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
    if body["key"] not in collection.indexes:
        raise wrong_input(
            f"No appropriate index for faceting: `{body['key']}`. Please create one to facet on this field. Check "
            "https://qdrant.tech/documentation/concepts/indexing/#payload-index to see which payload schemas support "
            "Match conditions"
        )
    request = edge.FacetRequest(
        body["key"],
        limit=body.get("limit") or 10,
        exact=body.get("exact") or False,
        filter=convert.filter_(body.get("filter")),
    )
    return {"hits": [{"value": hit.value, "count": hit.count} for hit in collection.shard.facet(request).hits]}


def query(collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
    def look_up(point_id: Any, using: Any) -> Any:
        found = collection.shard.retrieve([point_id], False, True)
        if not found:
            raise RestError(404, f"Not found: Point with id {point_id} does not exists!")
        vector = found[0].vector
        stored = vector.get(using or "") if isinstance(vector, dict) else vector
        if stored is None:
            raise RestError(404, f"Not found: Vector with name {using or ''} for point {point_id} not found")
        return stored

    scoring = queries.Scoring(body, look_up)
    found = collection.shard.query(
        edge.QueryRequest(
            limit=scoring.limit,
            offset=body.get("offset"),
            query=scoring.query,
            prefetches=queries.prefetch(body.get("prefetch"), look_up),
            with_vector=body.get("with_vector") or False,
            with_payload=convert.with_payload(body.get("with_payload") or False),
            filter=scoring.filter,
            score_threshold=body.get("score_threshold"),
            params=convert.search_params(body.get("params")),
        )
    )
    points = [convert.record_json(point, ("version", "score")) for point in found]
    if not body.get("with_vector"):
        # Where diversity counts the engine gives the vectors that it compared.
        for point in points:
            point.pop("vector", None)
    return {"points": points}


def query_groups(collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
    """The best points of each value of a payload field; the group with the best point comes first."""
    if body.get("with_lookup"):
        raise not_in_standin("lookup of a group in another collection")
    path, size, number = body["group_by"], body.get("group_size") or 3, body.get("limit") or 10
    everything = {"limit": max(1, collection.shard.info().points_count), "with_payload": True, "with_vector": False}
    groups: dict[Any, list[dict[str, Any]]] = {}
    for point in query(collection, {**body, **everything})["points"]:
        for value in dict.fromkeys(map(_group_key, values_at(point.pop("payload", None), path.split(".")))):
            if value is not None:
                groups.setdefault(value, []).append(point)
    chosen = {value: hits[:size] for value, hits in list(groups.items())[:number]}
    asked = {"with_payload": body.get("with_payload"), "with_vector": body.get("with_vector")}
    ids = list(dict.fromkeys(hit["id"] for hits in chosen.values() for hit in hits))
    records = {one["id"]: one for one in get_many(collection, {"ids": ids, **asked})} if ids else {}
    filled = {value: [{**hit, **records[hit["id"]]} for hit in hits] for value, hits in chosen.items()}
    return {"groups": [{"id": value, "hits": hits} for value, hits in filled.items()]}


def _group_key(value: Any) -> Any:
    """Whole numbers and texts make groups, and nothing else does."""
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def search(collection: Collection, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The older form of a query: a vector, perhaps with the name of the vector that it is compared with."""
    vector = body["vector"]
    named = isinstance(vector, dict)
    asked = {**body, "query": vector["vector"] if named else vector, "using": vector["name"] if named else None}
    return query(collection, asked)["points"]
