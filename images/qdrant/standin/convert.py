# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From Qdrant's JSON to the engine's objects and back."""

from __future__ import annotations

import re
from typing import Any, Optional
from uuid import UUID

import qdrant_edge as edge

from standin.errors import RestError, format_error, wrong_input

# The engine wants at least one vector; a collection without vectors gets a sparse one that nobody sees.
HIDDEN_VECTOR = "standin-hidden"

HNSW_KEYS = (
    "m",
    "ef_construct",
    "full_scan_threshold",
    "max_indexing_threads",
    "on_disk",
    "payload_m",
    "inline_storage",
)
OPTIMIZER_KEYS = (
    "deleted_threshold",
    "vacuum_min_vector_number",
    "default_segment_number",
    "max_segment_size",
    "indexing_threshold",
    "prevent_unoptimized",
)
INDEX_PARAMS = {
    "keyword": (edge.KeywordIndexParams, ("is_tenant", "on_disk", "enable_hnsw", "prefix")),
    "integer": (edge.IntegerIndexParams, ("lookup", "range", "is_principal", "on_disk", "enable_hnsw")),
    "float": (edge.FloatIndexParams, ("is_principal", "on_disk", "enable_hnsw")),
    "geo": (edge.GeoIndexParams, ("on_disk", "enable_hnsw")),
    "bool": (edge.BoolIndexParams, ("on_disk", "enable_hnsw")),
    "datetime": (edge.DatetimeIndexParams, ("is_principal", "on_disk", "enable_hnsw")),
    "uuid": (edge.UuidIndexParams, ("is_tenant", "on_disk", "enable_hnsw")),
    "text": (
        edge.TextIndexParams,
        ("min_token_len", "max_token_len", "lowercase", "ascii_folding", "phrase_matching", "on_disk", "enable_hnsw"),
    ),
}


def _given(data: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: data[key] for key in keys if data.get(key) is not None}


def _enum(kind: Any, value: str) -> Any:
    return getattr(kind, "".join(part.capitalize() for part in value.split("_")))


def hnsw(data: Optional[dict[str, Any]], base: dict[str, Any]) -> Any:
    return edge.HnswIndexConfig(**_given({**base, **(data or {})}, HNSW_KEYS)) if data is not None else None


def quantization(data: Any) -> Any:
    if not isinstance(data, dict):
        return None
    if "scalar" in data:
        return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, **_given(data["scalar"], ("quantile", "always_ram")))
    if "product" in data:
        ratio = _enum(edge.CompressionRatio, data["product"]["compression"])
        return edge.ProductQuantizationConfig(ratio, **_given(data["product"], ("always_ram",)))
    if "binary" in data:
        return edge.BinaryQuantizationConfig(**_given(data["binary"], ("always_ram",)))
    return None


def vector_params(data: dict[str, Any], base_hnsw: dict[str, Any]) -> Any:
    return edge.EdgeVectorParams(
        size=data["size"],
        distance=_enum(edge.Distance, data["distance"]),
        on_disk=data.get("on_disk"),
        multivector_config=multivector(data),
        datatype=datatype(data),
        quantization_config=quantization(data.get("quantization_config")),
        hnsw_config=hnsw(data.get("hnsw_config"), base_hnsw),
    )


def multivector(data: dict[str, Any]) -> Any:
    return edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim) if data.get("multivector_config") else None


def datatype(data: dict[str, Any]) -> Any:
    return _enum(edge.VectorStorageDatatype, data["datatype"]) if data.get("datatype") else None


def sparse_params(data: dict[str, Any]) -> Any:
    return edge.EdgeSparseVectorParams(
        **_given(data.get("index") or {}, ("full_scan_threshold", "on_disk")), modifier=modifier(data)
    )


def modifier(data: dict[str, Any]) -> Any:
    return edge.Modifier.Idf if data.get("modifier") == "idf" else None


def named_vectors(params: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The dense vectors by name; the unnamed one has the name ``""``."""
    vectors = params.get("vectors") or {}
    return {"": vectors} if "size" in vectors else vectors


def engine_config(config: dict[str, Any]) -> Any:
    params, base_hnsw = config["params"], config["hnsw_config"]
    sparse = {name: sparse_params(one) for name, one in (params.get("sparse_vectors") or {}).items()}
    vectors = {name: vector_params(one, base_hnsw) for name, one in named_vectors(params).items()}
    if not sparse and not vectors:
        sparse = {HIDDEN_VECTOR: edge.EdgeSparseVectorParams()}
    return edge.EdgeConfig(
        vectors=vectors or None,
        sparse_vectors=sparse or None,
        on_disk_payload=params["on_disk_payload"],
        hnsw_config=hnsw(base_hnsw, {}),
        quantization_config=quantization(config.get("quantization_config")),
        optimizers=edge.EdgeOptimizersConfig(**_given(config["optimizer_config"], OPTIMIZER_KEYS)),
    )


def index_schema(schema: Any) -> Any:
    """A payload index as the engine wants it: a type, or a type with its parameters."""
    if isinstance(schema, str):
        return _enum(edge.PayloadSchemaType, schema)
    make, keys = INDEX_PARAMS[schema["type"]]
    extra = {"tokenizer": _enum(edge.TokenizerType, schema["tokenizer"])} if schema.get("tokenizer") else {}
    return make(**_given(schema, keys), **extra)


def vector(data: Any) -> Any:
    if isinstance(data, dict) and "indices" in data:
        return edge.SparseVector(data["indices"], data["values"])
    if isinstance(data, dict):
        return {name: vector(one) for name, one in data.items()}
    return data


def point(data: dict[str, Any]) -> Any:
    return edge.Point(data["id"], vector(data["vector"]), data.get("payload"))


def points_of(body: dict[str, Any]) -> list[Any]:
    """Points from either form: a list of points, or columns in a batch."""
    if "points" in body:
        return [point(one) for one in body["points"]]
    batch = body["batch"]
    vectors = batch["vectors"]
    if isinstance(vectors, dict):
        vectors = [dict(zip(vectors, row)) for row in zip(*vectors.values())]
    payloads = batch.get("payloads") or [None] * len(batch["ids"])
    rows = zip(batch["ids"], vectors, payloads)
    return [point({"id": number, "vector": one, "payload": payload}) for number, one, payload in rows]


def with_payload(data: Any) -> Any:
    if isinstance(data, dict):
        choose = edge.PayloadSelector.Include if "include" in data else edge.PayloadSelector.Exclude
        return choose(data.get("include") or data.get("exclude") or [])
    return data


def filter_(data: Optional[dict[str, Any]]) -> Any:
    if data is None:
        return None
    clauses = {key: _conditions(data.get(key)) for key in ("must", "should", "must_not")}
    least = data.get("min_should")
    if least:
        clauses["min_should"] = edge.MinShould(_conditions(least["conditions"]) or [], least["min_count"])
    return edge.Filter(**clauses)


def _conditions(data: Any) -> Any:
    if data is None:
        return None
    return [condition(one) for one in (data if isinstance(data, list) else [data])]


def condition(data: dict[str, Any]) -> Any:
    if "is_empty" in data and "key" not in data:
        return edge.IsEmptyCondition(data["is_empty"]["key"])
    if "is_null" in data and "key" not in data:
        return edge.IsNullCondition(data["is_null"]["key"])
    if "has_id" in data:
        return edge.HasIdCondition(set(data["has_id"]))
    if "has_vector" in data:
        return edge.HasVectorCondition(data["has_vector"])
    if "nested" in data:
        return edge.NestedCondition(data["nested"]["key"], filter_(data["nested"]["filter"]))
    if "key" not in data:
        return filter_(data)
    if all(data.get(key) is None for key in FIELD_CONDITIONS):
        raise RestError(422, "Validation error in JSON body: [filter: At least one field condition must be specified]")
    return edge.FieldCondition(
        data["key"],
        match=_match(data.get("match")),
        range=_range(data.get("range")),
        geo_bounding_box=_bounding_box(data.get("geo_bounding_box")),
        geo_radius=_radius(data.get("geo_radius")),
        geo_polygon=_polygon(data.get("geo_polygon")),
        values_count=edge.ValuesCount(**data["values_count"]) if data.get("values_count") else None,
        is_empty=data.get("is_empty"),
        is_null=data.get("is_null"),
    )


FIELD_CONDITIONS = (
    "match",
    "range",
    "geo_bounding_box",
    "geo_radius",
    "geo_polygon",
    "values_count",
    "is_empty",
    "is_null",
)
MATCHES = {
    "value": edge.MatchValue,
    "text": edge.MatchText,
    "text_any": edge.MatchTextAny,
    "phrase": edge.MatchPhrase,
    "any": edge.MatchAny,
    "except": edge.MatchExcept,
    "prefix": edge.MatchPrefix,
}


def _match(data: Optional[dict[str, Any]]) -> Any:
    if data is None:
        return None
    kind, value = next(iter(data.items()))
    return MATCHES[kind](value)


def _range(data: Optional[dict[str, Any]]) -> Any:
    if data is None:
        return None
    dates = any(isinstance(value, str) for value in data.values())
    return (edge.RangeDateTime if dates else edge.RangeFloat)(**_given(data, ("gte", "gt", "lte", "lt")))


def geo(data: dict[str, float]) -> Any:
    return edge.GeoPoint(data["lon"], data["lat"])


def _bounding_box(data: Optional[dict[str, Any]]) -> Any:
    return edge.GeoBoundingBox(geo(data["top_left"]), geo(data["bottom_right"])) if data else None


def _radius(data: Optional[dict[str, Any]]) -> Any:
    return edge.GeoRadius(geo(data["center"]), data["radius"]) if data else None


def _polygon(data: Optional[dict[str, Any]]) -> Any:
    if data is None:
        return None
    return edge.GeoPolygon(_ring(data["exterior"]), [_ring(one) for one in data.get("interiors") or []] or None)


def _ring(data: dict[str, Any]) -> list[Any]:
    return [geo(one) for one in data["points"]]


def search_params(data: Optional[dict[str, Any]]) -> Any:
    return edge.SearchParams(**_given(data, ("hnsw_ef", "exact", "indexed_only"))) if data else None


def order_by(data: Any) -> Any:
    if data is None:
        return None
    if isinstance(data, str):
        return edge.OrderBy(data)
    direction = _enum(edge.Direction, data["direction"]) if data.get("direction") else None
    return edge.OrderBy(data["key"], direction, data.get("start_from"))


def excluding(filter_json: Optional[dict[str, Any]], ids: list[Any]) -> Any:
    if not ids:
        return filter_(filter_json)
    own = {"must_not": [{"has_id": ids}]}
    return filter_({**own, "must": [filter_json]} if filter_json else own)


def id_json(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def vector_json(value: Any) -> Any:
    if isinstance(value, edge.SparseVector):
        return {"indices": value.indices, "values": [_short(one) for one in value.values]}
    if isinstance(value, dict):
        return {name: vector_json(one) for name, one in value.items() if name != HIDDEN_VECTOR}
    if isinstance(value, list):
        return [vector_json(one) if isinstance(one, list) else _short(one) for one in value]
    return value


def _short(value: float) -> float:
    """A single precision number as the server prints it: no digits that the precision does not carry."""
    return float(f"{value:.9g}")


def record_json(record: Any, extra: tuple[str, ...] = ()) -> dict[str, Any]:
    answer: dict[str, Any] = {"id": id_json(record.id)}
    for key in extra:
        answer[key] = getattr(record, key)
    if record.payload is not None:
        answer["payload"] = record.payload
    if record.vector is not None:
        answer["vector"] = vector_json(record.vector)
    if record.order_value is not None:
        answer["order_value"] = record.order_value
    return answer


def engine_error(error: Exception) -> Exception:
    """The engine's complaint as the server would word it."""
    text = str(error)
    missed = re.match(r"No point with id (\S+)", text)
    if missed:
        return RestError(404, f"Not found: No point with id {missed.group(1)} found")
    if isinstance(error, (TypeError, ValueError)):
        return format_error(text)
    return wrong_input(text)
