# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deciding which calls bring a collection to what is asked for. Nothing here talks to a server."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import Desired, Live
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

IMMUTABLE_VECTOR_KEYS = ("size", "distance", "datatype", "multivector_config")
MERGED_SECTIONS = ("hnsw_config", "optimizers_config")
REBUILDING_SECTIONS = ("hnsw_config", "quantization_config", "vectors")


def plan(desired: Iterable[Desired], live: Mapping[str, Live]) -> Plan:
    """:raises StackError: when a difference cannot be removed without losing data that nobody gave up"""
    desired = list(desired)
    _refuse_immutable(desired, live)
    operations: list[Operation] = []
    warnings: list[str] = []
    for one in desired:
        steps = _operations(one, live.get(one.name))
        operations += steps
        warnings += _warnings(one, live.get(one.name), steps)
    return Plan(
        before=view(desired, live),
        after={one.name: _wanted_view(one, live.get(one.name)) for one in sorted(desired, key=_name)},
        operations=tuple(operations),
        warnings=tuple(warnings),
    )


def view(desired: Iterable[Desired], live: Mapping[str, Live]) -> dict[str, Any]:
    """The live state of the managed fields; None is a collection that is not there."""
    return {one.name: _live_view(one, live.get(one.name)) for one in sorted(desired, key=_name)}


def _name(one: Desired) -> str:
    return one.name


def _live_view(desired: Desired, live: Optional[Live]) -> Optional[dict[str, Any]]:
    if live is None:
        return None
    if not desired.present:
        return {"points": live.points}
    shown: dict[str, Any] = {}
    if desired.vectors is not None:
        shown["vectors"] = {
            name: _vector_view(wanted, live.vectors.get(name)) for name, wanted in sorted(desired.vectors.items())
        }
    if desired.on_disk_payload is not None:
        shown["on_disk_payload"] = live.on_disk_payload
    for section in MERGED_SECTIONS:
        wanted = getattr(desired, section)
        if wanted is not None:
            shown[section] = projected(wanted, getattr(live, section))
    if desired.quantization_config is not None:
        shown["quantization_config"] = _quantization_view(desired.quantization_config, live.quantization_config)
    if desired.payload_indexes is not None:
        shown["payload_indexes"] = _indexes_view(desired, live)
    return shown


def _wanted_view(desired: Desired, live: Optional[Live]) -> Optional[dict[str, Any]]:
    if not desired.present:
        return None
    shown: dict[str, Any] = {}
    if desired.vectors is not None:
        shown["vectors"] = {name: plain(vector) for name, vector in sorted(desired.vectors.items())}
    for section in ("on_disk_payload", *MERGED_SECTIONS, "quantization_config"):
        if getattr(desired, section) is not None:
            shown[section] = plain(getattr(desired, section))
    if desired.payload_indexes is not None:
        shown["payload_indexes"] = plain(desired.payload_indexes)
    return shown


def _vector_view(wanted: Mapping[str, Any], live: Optional[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    if live is None:
        return None
    shown = projected({key: value for key, value in wanted.items() if key != "quantization_config"}, live)
    if "on_disk" in wanted:
        shown["on_disk"] = bool(live.get("on_disk"))
    if "quantization_config" in wanted:
        shown["quantization_config"] = _quantization_view(
            wanted["quantization_config"], live.get("quantization_config") or {}
        )
    return dict(sorted(shown.items()))


def _quantization_view(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The declared settings where the method is the declared one, and all of the live ones where it is another."""
    return projected(wanted, live) if wanted and set(wanted) == set(live) else plain(live)


def _indexes_view(desired: Desired, live: Live) -> dict[str, Any]:
    wanted = desired.payload_indexes or {}
    fields = set(live.payload_indexes) if desired.prune_indexes else set(live.payload_indexes) & set(wanted)
    return {
        field: projected(wanted.get(field, live.payload_indexes[field]), live.payload_indexes[field])
        for field in sorted(fields)
    }


def projected(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The live values of the declared keys."""
    return {
        key: projected(value, live[key])
        if isinstance(value, Mapping) and isinstance(live.get(key), Mapping)
        else plain(live.get(key))
        for key, value in sorted(wanted.items())
    }


def plain(data: Any) -> Any:
    return {key: plain(value) for key, value in sorted(data.items())} if isinstance(data, Mapping) else data


def changes(wanted: Any, live: Any, path: str) -> list[tuple[str, Any, Any]]:
    """Every declared leaf that is different, as path, live value, wanted value."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return [
            change
            for key in sorted({*wanted, *live})
            for change in changes(wanted.get(key), live.get(key), f"{path}.{key}")
        ]
    return [] if wanted == live else [(path, live, wanted)]


def _refuse_immutable(desired: list[Desired], live: Mapping[str, Live]) -> None:
    found = [
        {"collection": one.name, "field": field, "live": is_now, "wanted": wanted, "points_lost": live[one.name].points}
        for one in desired
        if one.present and one.name in live
        for field, is_now, wanted in _immutable_changes(one, live[one.name])
    ]
    if found:
        told = "; ".join(
            f"{row['collection']}: {row['field']} is {row['live']!r}, wanted {row['wanted']!r} "
            f"({row['points_lost']} points would be lost)"
            for row in found
        )
        raise StackError(
            f"Qdrant cannot change this in place, so nothing was touched: {told}; "
            "declare what is there, or make a collection of another name and fill it anew",
            immutable=found,
        )


def _immutable_changes(desired: Desired, live: Live) -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    for name, wanted in sorted((desired.vectors or {}).items()):
        prefix = f"vectors.{name}" if name else "vectors"
        if name not in live.vectors:
            found.append((prefix, f"vectors named {sorted(live.vectors)}" if live.vectors else "absent", plain(wanted)))
            continue
        for key in IMMUTABLE_VECTOR_KEYS:
            if key in wanted:
                is_now = projected({key: wanted[key]}, live.vectors[name])[key]
                found += changes(plain(wanted[key]), is_now, f"{prefix}.{key}")
    return found


def _operations(desired: Desired, live: Optional[Live]) -> list[Operation]:
    if not desired.present:
        return _removal(desired, live) if live is not None else []
    if live is None:
        return _creation(desired)
    return [*_patch(desired, live), *_index_changes(desired, live)]


def _removal(desired: Desired, live: Live) -> list[Operation]:
    name = desired.name
    if live.points and desired.confirm_data_loss != name:
        raise StackError(
            f"collection {name!r} holds {live.points} points, which state: absent would destroy; "
            f"set confirm_data_loss: {name} if that is meant",
            points_lost=live.points,
        )
    steps = []
    if live.points and desired.backup:
        steps.append(Operation("snapshot", name, f"snapshot collection {name} ({live.points} points)"))
    return [*steps, Operation("delete", name, f"delete collection {name} ({live.points} points)")]


def _creation(desired: Desired) -> list[Operation]:
    name = desired.name
    if desired.vectors is None:
        raise StackError(
            f"collection {name!r} does not exist and vectors is not given; say what its vectors are, "
            "such as vectors: {size: 1536, distance: Cosine}"
        )
    body: dict[str, Any] = {"vectors": _creation_vectors(desired.vectors)}
    for section in ("on_disk_payload", *MERGED_SECTIONS):
        if getattr(desired, section) is not None:
            body[section] = plain(getattr(desired, section))
    if desired.quantization_config:
        body["quantization_config"] = plain(desired.quantization_config)
    told = ", ".join(
        f"{vector + ': ' if vector else ''}{params['size']} {params['distance']}"
        for vector, params in sorted(desired.vectors.items())
    )
    return [
        Operation("create", name, f"create collection {name} ({told})", {"body": body}),
        *(_index_operation("create", name, field, schema) for field, schema in _sorted_indexes(desired)),
    ]


def _creation_vectors(vectors: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    bodies = {
        name: {key: plain(value) for key, value in vector.items() if not (key == "quantization_config" and not value)}
        for name, vector in sorted(vectors.items())
    }
    return bodies.get("", bodies)


def _sorted_indexes(desired: Desired) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted((desired.payload_indexes or {}).items())


def _patch(desired: Desired, live: Live) -> list[Operation]:
    """All settings that differ, in one call."""
    body: dict[str, Any] = {}
    told: list[tuple[str, Any, Any]] = []
    for section in MERGED_SECTIONS:
        _merge_section(body, told, section, getattr(desired, section), getattr(live, section))
    _quantization(body, told, "quantization_config", desired.quantization_config, live.quantization_config)
    if desired.on_disk_payload is not None and desired.on_disk_payload != live.on_disk_payload:
        body["params"] = {"on_disk_payload": desired.on_disk_payload}
        told.append(("on_disk_payload", live.on_disk_payload, desired.on_disk_payload))
    for name, wanted in sorted((desired.vectors or {}).items()):
        vector: dict[str, Any] = {}
        is_now = live.vectors[name]
        prefix = f"vectors.{name}" if name else "vectors"
        if "on_disk" in wanted and wanted["on_disk"] != bool(is_now.get("on_disk")):
            vector["on_disk"] = wanted["on_disk"]
            told.append((f"{prefix}.on_disk", is_now.get("on_disk"), wanted["on_disk"]))
        _merge_section(vector, told, "hnsw_config", wanted.get("hnsw_config"), is_now.get("hnsw_config") or {}, prefix)
        _quantization(
            vector,
            told,
            "quantization_config",
            wanted.get("quantization_config"),
            is_now.get("quantization_config") or {},
            prefix,
        )
        if vector:
            body.setdefault("vectors", {})[name] = vector
    if not body:
        return []
    words = "; ".join(f"{field} {_told(is_now)} -> {_told(wanted)}" for field, is_now, wanted in told)
    return [Operation("patch", desired.name, f"change collection {desired.name}: {words}", {"body": body})]


def _merge_section(
    body: dict[str, Any],
    told: list[tuple[str, Any, Any]],
    section: str,
    wanted: Optional[Mapping[str, Any]],
    live: Mapping[str, Any],
    prefix: str = "",
) -> None:
    """The server merges these sections, so only the keys that differ are sent."""
    different = {key: value for key, value in (wanted or {}).items() if live.get(key) != value}
    if different:
        body[section] = plain(different)
        path = f"{prefix}.{section}" if prefix else section
        told += [(f"{path}.{key}", live.get(key), value) for key, value in sorted(different.items())]


def _quantization(
    body: dict[str, Any],
    told: list[tuple[str, Any, Any]],
    section: str,
    wanted: Optional[Mapping[str, Any]],
    live: Mapping[str, Any],
    prefix: str = "",
) -> None:
    """The server replaces this section whole, so undeclared settings of the same method go along."""
    if wanted is None or _quantization_view(wanted, live) == plain(wanted):
        return
    if wanted:
        body[section] = {method: {**live.get(method, {}), **(params or {})} for method, params in wanted.items()}
    else:
        body[section] = "Disabled"
    told.append((f"{prefix}.{section}" if prefix else section, plain(live) or "none", plain(wanted) or "none"))


def _told(value: Any) -> str:
    return "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _index_changes(desired: Desired, live: Live) -> list[Operation]:
    if desired.payload_indexes is None:
        return []
    steps = []
    for field, schema in _sorted_indexes(desired):
        is_now = live.payload_indexes.get(field)
        if is_now is None:
            steps.append(_index_operation("create", desired.name, field, schema))
        elif projected(schema, is_now) != plain(schema):
            steps.append(_index_operation("rebuild", desired.name, field, schema, projected(schema, is_now)))
    if desired.prune_indexes:
        surplus = sorted(set(live.payload_indexes) - set(desired.payload_indexes))
        steps += [
            Operation("drop_index", desired.name, f"delete payload index {desired.name}.{field}", {"field": field})
            for field in surplus
        ]
    return steps


def _index_operation(
    verb: str, name: str, field: str, schema: Mapping[str, Any], is_now: Optional[Mapping[str, Any]] = None
) -> Operation:
    words = f"{verb} payload index {name}.{field} ({_schema_told(schema)})"
    if is_now is not None:
        words = f"{verb} payload index {name}.{field} ({_schema_told(is_now)} -> {_schema_told(schema)})"
    body = schema["type"] if len(schema) == 1 else plain(schema)
    return Operation(f"{verb}_index", name, words, {"field": field, "schema": body})


def _schema_told(schema: Mapping[str, Any]) -> str:
    rest = ", ".join(f"{key}={_told(value)}" for key, value in sorted(schema.items()) if key != "type")
    return f"{schema['type']}, {rest}" if rest else str(schema["type"])


def _warnings(desired: Desired, live: Optional[Live], steps: list[Operation]) -> list[str]:
    if live is None or not live.points:
        return []
    rebuilt = sorted(
        {key for step in steps if step.verb == "patch" for key in step.args["body"]} & {*REBUILDING_SECTIONS}
    )
    if not rebuilt:
        return []
    return [
        f"collection {desired.name}: {' and '.join(rebuilt)} change, so Qdrant rebuilds the vector indexes of "
        f"{live.points} points in the background"
    ]
