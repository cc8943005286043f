# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Request bodies are checked with the models that qdrant-client generates from Qdrant's interface document.

The models are loaded from their file: the package around them would bring grpc and numpy, which nothing here needs.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
import typing
from types import ModuleType
from typing import Any, Optional, Union
from uuid import UUID

from pydantic import BaseModel, TypeAdapter, ValidationError

from standin.errors import RestError, format_error


def _generated_models() -> ModuleType:
    file = importlib.metadata.distribution("qdrant-client").locate_file("qdrant_client/http/models/models.py")
    spec = importlib.util.spec_from_file_location("standin.generated_models", str(file))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


models: Any = _generated_models()


class NamedSearchVector(BaseModel, extra="forbid"):
    name: str
    vector: Union[list[float], models.SparseVector]


class SearchRequest(BaseModel, extra="forbid"):
    """The search of servers before 1.19, which older clients still send."""

    vector: Union[list[float], NamedSearchVector]
    limit: int
    offset: Optional[int] = None
    filter: Optional[models.Filter] = None
    params: Optional[models.SearchParams] = None
    with_payload: Optional[models.WithPayloadInterface] = None
    with_vector: Optional[models.WithVector] = None
    score_threshold: Optional[float] = None


class SearchRequestBatch(BaseModel, extra="forbid"):
    searches: list[SearchRequest]


# Ranges that the server checks and the generated models do not carry: dotted path (a star is any name or place in a
# list), smallest, largest.
SOME_VECTOR = ("", "vectors.", "vectors.*.")
RANGES: tuple[tuple[str, float, float | None], ...] = (
    ("vectors.size", 1, 65536),
    ("vectors.*.size", 1, 65536),
    ("dense.size", 1, 65536),
    *((f"{prefix}hnsw_config.ef_construct", 4, None) for prefix in SOME_VECTOR),
    *((f"{prefix}hnsw_config.full_scan_threshold", 10, None) for prefix in SOME_VECTOR),
    *((f"{prefix}quantization_config.scalar.quantile", 0.5, 1.0) for prefix in SOME_VECTOR),
    ("shard_number", 1, None),
    ("replication_factor", 1, None),
    ("write_consistency_factor", 1, None),
    ("params.replication_factor", 1, None),
    ("params.write_consistency_factor", 1, None),
    ("optimizers_config.deleted_threshold", 0.0, 1.0),
    ("optimizers_config.vacuum_min_vector_number", 100, None),
    ("optimizers_config.max_segment_size", 1, None),
    ("wal_config.wal_capacity_mb", 1, None),
    ("wal_config.wal_retain_closed", 1, None),
    ("strict_mode_config.max_query_limit", 1, None),
    ("strict_mode_config.max_timeout", 1, None),
    ("strict_mode_config.read_rate_limit", 1, None),
    ("strict_mode_config.write_rate_limit", 1, None),
    ("strict_mode_config.max_points_count", 1, None),
    ("strict_mode_config.max_resident_memory_percent", 1, 100),
    ("limit", 1, None),
    ("group_size", 1, None),
    ("searches.*.limit", 1, None),
    ("prefetch.limit", 1, None),
    ("prefetch.*.limit", 1, None),
    ("params.hnsw_ef", 1, None),
    ("query.mmr.diversity", 0.0, 1.0),
    ("query.rrf.k", 1, None),
)
UNSIGNED = ("limit", "offset", "group_size")
SECTIONS = ("hnsw_config", "optimizers_config", "wal_config")
# Where the interface document allows no further keys.
STRICT = (models.Filter, models.PayloadSelectorInclude, models.PayloadSelectorExclude)

_adapters: dict[Any, TypeAdapter[Any]] = {}


def parse(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise format_error(str(error)) from None


def checked(raw: bytes, model: Any) -> dict[str, Any]:
    """The body without the keys that the server would ignore.

    :raises RestError: 400 for a wrong form, 422 for a value out of range
    """
    body = _known_keys(model, parse(raw))
    _refuse_bad_ids(body)
    _refuse_non_positive(body)
    _accept_no_payload(body)
    adapter = _adapters.setdefault(model, TypeAdapter(model))
    try:
        adapter.validate_json(json.dumps(body), strict=True)
    except ValidationError as error:
        raise format_error(_first(error)) from None
    for path, smallest, largest in RANGES:
        _refuse_out_of_range(body, path, smallest, largest)
    _refuse_bad_vectors(body)
    _refuse_nothing_named(body)
    return body


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(step) for step in problem["loc"])
    if problem["type"] == "missing":
        return f"missing field `{problem['loc'][-1]}`"
    return f"{where}: {problem['msg']}" if where else problem["msg"]


def _known_keys(annotation: Any, value: Any) -> Any:
    """Drop what the server ignores, wherever the model is certain: plain models, not alternatives."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = getattr(models, annotation.__forward_arg__)
    if annotation in STRICT:
        return value
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and isinstance(value, dict):
        fields = annotation.model_fields
        return {key: _known_keys(fields[key].annotation, item) for key, item in value.items() if key in fields}
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Union:
        real = [one for one in args if one is not type(None)]
        return _known_keys(real[0], value) if len(real) == 1 else value
    if origin is dict and isinstance(value, dict):
        return {key: _known_keys(args[1], item) for key, item in value.items()}
    return value


def _accept_no_payload(body: Any) -> None:
    """In a batch of columns null stands for a point without payload."""
    batch = body.get("batch") if isinstance(body, dict) else None
    if isinstance(batch, dict) and isinstance(batch.get("payloads"), list):
        batch["payloads"] = [payload or {} for payload in batch["payloads"]]


def _refuse_bad_ids(body: Any) -> None:
    if not isinstance(body, dict):
        return
    points = body.get("points")
    ids = (
        [point.get("id") if isinstance(point, dict) else point for point in points] if isinstance(points, list) else []
    )
    for point_id in [*ids, *(body.get("ids") or [])]:
        if not is_point_id(point_id):
            raise format_error(
                f"value {point_id} is not a valid point ID, valid values are either an unsigned integer or a UUID"
            )


def is_point_id(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return 0 <= value < 2**64
    try:
        return isinstance(value, str) and bool(UUID(value))
    except ValueError:
        return False


def _refuse_non_positive(body: Any) -> None:
    """Sizes and counts are unsigned; a vector size is at least 1."""
    if not isinstance(body, dict):
        return
    vectors = body.get("vectors")
    sizes = [vectors] if isinstance(vectors, dict) and "size" in vectors else list((vectors or {}).values())
    for params in [*(sizes if isinstance(vectors, dict) else []), body.get("dense")]:
        if isinstance(params, dict) and _is_number(params.get("size")) and params["size"] < 1:
            raise format_error("data did not match any variant of untagged enum VectorsConfig")
    for key in UNSIGNED:
        if _is_number(body.get(key)) and body[key] < 0:
            raise format_error(f"invalid value: integer `{body[key]}`, expected usize")
    _refuse_negative_settings(body)


def _refuse_negative_settings(body: dict[str, Any]) -> None:
    for section in SECTIONS:
        for value in (body.get(section) or {}).values() if isinstance(body.get(section), dict) else []:
            if _is_number(value) and value < 0:
                raise format_error(f"invalid value: integer `{value}`, expected usize")
    vectors = body.get("vectors")
    for vector in [vectors, *vectors.values()] if isinstance(vectors, dict) else []:
        if isinstance(vector, dict) and isinstance(vector.get("hnsw_config"), dict):
            _refuse_negative_settings({"hnsw_config": vector["hnsw_config"]})


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def refuse(path: str, reason: str) -> RestError:
    return RestError(422, f"Validation error in JSON body: [{path}: {reason}]")


def _refuse_bad_vectors(body: Any) -> None:
    """What the engine would stumble over: it trusts that somebody has looked."""
    if not isinstance(body, dict):
        return
    points, batch = body.get("points"), body.get("batch")
    for operation in body["operations"] if isinstance(body.get("operations"), list) else ():
        for inner in operation.values() if isinstance(operation, dict) else ():
            _refuse_bad_vectors(inner)
    for place, point in enumerate(points) if isinstance(points, list) else ():
        if isinstance(point, dict):
            _refuse_bad_vector(f"points[{place}].vector", point.get("vector"))
    if isinstance(batch, dict) and isinstance(batch.get("ids"), list):
        _refuse_uneven(batch)
        vectors = batch.get("vectors")
        for column in vectors.values() if isinstance(vectors, dict) else [vectors]:
            for place, vector in enumerate(column) if isinstance(column, list) else ():
                _refuse_bad_vector(f"batch.vectors[{place}]", vector)
    _refuse_bad_vector("query", body.get("query"))


def _refuse_bad_vector(path: str, vector: Any) -> None:
    if isinstance(vector, dict) and "indices" in vector:
        indices, values = vector["indices"], vector.get("values")
        if isinstance(indices, list) and isinstance(values, list):
            if len(indices) != len(values):
                raise refuse(f"{path}.values", "must be the same length as indices")
            if len({str(one) for one in indices}) != len(indices):
                raise refuse(f"{path}.indices", "must be unique")
    elif isinstance(vector, dict):
        for name, one in vector.items():
            _refuse_bad_vector(f"{path}.{name}", one)
    elif isinstance(vector, list) and vector and isinstance(vector[0], list) and len({*map(len, vector)}) > 1:
        raise refuse(path, "all vectors of a multivector must have the same length")


def _refuse_uneven(batch: dict[str, Any]) -> None:
    number, vectors = len(batch["ids"]), batch.get("vectors")
    columns = {"vectors": vectors} if isinstance(vectors, list) else vectors if isinstance(vectors, dict) else {}
    for what, column in {**columns, "payloads": batch.get("payloads")}.items():
        if isinstance(column, list) and len(column) != number:
            name = what if what == "payloads" else "vectors"
            raise refuse("batch", f"number of ids and {name} must be equal ({number} != {len(column)})")


def _refuse_nothing_named(body: Any) -> None:
    """An update of vectors names at least one point, and a deletion of vectors at least one vector."""
    if isinstance(body, dict) and body.get("vector") == [] and "limit" not in body:
        raise refuse("vector", "must specify vector names to delete")


def _refuse_out_of_range(body: Any, path: str, smallest: float, largest: float | None) -> None:
    for where, value in _values_at(body, path.split("."), ""):
        if not isinstance(value, (int, float)) or (smallest <= value and (largest is None or value <= largest)):
            continue
        bounds = f"from {smallest} to {largest}" if largest is not None else f"{smallest} or larger"
        shown = float(value) if isinstance(smallest, float) else value
        raise refuse(where, f"value {shown} invalid, must be {bounds}")


def _values_at(data: Any, steps: list[str], where: str) -> list[tuple[str, Any]]:
    if not steps:
        return [(where, data)]
    step, rest = steps[0], steps[1:]
    if step == "*":
        inner = [(f"{where}.{key}", one) for key, one in data.items()] if isinstance(data, dict) else []
        inner += [(f"{where}[{place}]", one) for place, one in enumerate(data)] if isinstance(data, list) else []
        return [found for path, one in inner for found in _values_at(one, rest, path)]
    if not isinstance(data, dict) or step not in data:
        return []
    return _values_at(data[step], rest, f"{where}.{step}" if where else step)
