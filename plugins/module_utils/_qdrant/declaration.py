# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a declaration takes, and what is meant by it; one sentence about the first thing that cannot be meant."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import schema, spec
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import Desired, checked_name

_KEY = r'(?:"[^"\\]+"|[\w-]+)'
PAYLOAD_PATH = re.compile(rf"{_KEY}(?:\.{_KEY}|\[\d*\])*")
MARK_NAME = re.compile(r".+__(recreating|filled(_[0-9a-f]+)?|building_.*)", re.DOTALL)
SINCE: dict[str, schema.Version] = {
    "metadata": schema.METADATA,
    "strict_mode_config": schema.STRICT_MODE,
    "read_fan_out_delay_ms": (1, 17),
}
# What a collection's declaration takes, as an argument specification; a script without Ansible reads it too.
COLLECTION_SPEC: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "vectors": {"type": "dict"},
    "sparse_vectors": {"type": "dict"},
    "shard_number": {"type": "int"},
    "sharding_method": {"type": "str", "choices": ["auto", "custom"]},
    "replication_factor": {"type": "int"},
    "write_consistency_factor": {"type": "int"},
    "read_fan_out_factor": {"type": "int"},
    "read_fan_out_delay_ms": {"type": "int"},
    "on_disk_payload": {"type": "bool"},
    "hnsw_config": {"type": "dict"},
    "optimizers_config": {"type": "dict"},
    "quantization_config": {"type": "dict"},
    "wal_config": {"type": "dict"},
    "strict_mode_config": {"type": "dict"},
    "metadata": {"type": "dict"},
    "payload_indexes": {"type": "dict"},
    "prune_indexes": {"type": "bool", "default": False},
    "aliases": {"type": "list", "elements": "str"},
    "on_immutable": {"type": "str", "choices": ["fail", "rebuild", "recreate"], "default": "fail"},
    "drop_old": {"type": "bool", "default": False},
    "confirm_data_loss": {"type": "str"},
    "backup": {"type": "bool", "default": True},
}


def desired_from_params(params: Mapping[str, Any]) -> list[Desired]:
    """From the module's arguments, either one collection or a list.

    :raises StackError: one sentence about the first thing that cannot be meant
    """
    rows = [params] if params["collections"] is None else params["collections"]
    wanted = [_desired(row) for row in rows]
    _refuse_twice("collections has", [one.name for one in wanted], "declare each collection once")
    _refuse_twice(
        "aliases has", [alias for one in wanted for alias in one.aliases or ()], "an alias has one collection"
    )
    for one in wanted:
        for alias in one.aliases or ():
            if alias in {other.name for other in wanted}:
                raise StackError(f"{one.name}: aliases has {alias!r}, which is a collection's name; write another name")
    return wanted


def _refuse_twice(where: str, names: Iterable[str], way_out: str) -> None:
    names = list(names)
    for name in names:
        if names.count(name) > 1:
            raise StackError(f"{where} {name!r} {names.count(name)} times; {way_out}")


def _desired(given: Mapping[str, Any]) -> Desired:
    name = checked_name(spec.text("name", given.get("name")))
    row = spec.normal(name, given, COLLECTION_SPEC)
    if row["state"] == "present":
        _refuse_marks(name, row)
    _refuse_both(name, row)
    if row["drop_old"] and row["on_immutable"] != "rebuild":
        raise StackError(
            f"{name}: drop_old is true without on_immutable: rebuild, which alone leaves an old collection"
        )
    return Desired(
        name=name,
        present=row["state"] == "present",
        vectors=_vectors(name, row["vectors"]),
        sparse_vectors=_sparse_vectors(name, row["sparse_vectors"]),
        shard_number=_at_least(name, "shard_number", row["shard_number"], 1),
        sharding_method=row["sharding_method"],
        replication_factor=_at_least(name, "replication_factor", row["replication_factor"], 1),
        write_consistency_factor=_at_least(name, "write_consistency_factor", row["write_consistency_factor"], 1),
        read_fan_out_factor=_at_least(name, "read_fan_out_factor", row["read_fan_out_factor"], 0),
        read_fan_out_delay_ms=_at_least(name, "read_fan_out_delay_ms", row["read_fan_out_delay_ms"], 0),
        on_disk_payload=row["on_disk_payload"],
        hnsw_config=_section(name, "hnsw_config", row["hnsw_config"], schema.HNSW),
        optimizers_config=_section(name, "optimizers_config", row["optimizers_config"], schema.OPTIMIZERS),
        quantization_config=_quantization(f"{name}: quantization_config", row["quantization_config"]),
        wal_config=_section(name, "wal_config", row["wal_config"], schema.WAL),
        strict_mode_config=_section(name, "strict_mode_config", row["strict_mode_config"], schema.STRICT),
        metadata=row["metadata"],
        payload_indexes=_indexes(name, row["payload_indexes"]),
        prune_indexes=bool(row["prune_indexes"]),
        aliases=_aliases(name, row["aliases"]),
        on_immutable=row["on_immutable"],
        drop_old=bool(row["drop_old"]),
        confirm_data_loss=row["confirm_data_loss"],
        backup=row["backup"],
    )


def _refuse_marks(name: str, row: Mapping[str, Any]) -> None:
    """What rebuilds and recreations call their own is nobody else's; what they left may be removed by its name."""
    for option, given in (("name", name), *(("aliases", alias) for alias in row["aliases"] or ())):
        if MARK_NAME.fullmatch(str(given)):
            raise StackError(
                f"{name}: {option} has {given!r}, a name that rebuilds and recreations give to what they have not "
                "ended; write another name"
            )
    for key in row["metadata"] or {}:
        if str(key).startswith("planner_memory_"):
            raise StackError(
                f"{name}: metadata has {key!r}, and what begins with planner_memory_ is what rebuilds and recreations "
                "note there; write another key"
            )


def _refuse_both(name: str, row: Mapping[str, Any]) -> None:
    """A name is one of a dense vector or of a sparse one."""
    for vector in row["sparse_vectors"] or {}:
        if not vector:
            raise StackError(f"{name}: sparse_vectors has a vector without a name; only vectors may")
        if vector in (row["vectors"] or {}):
            raise StackError(f"{name}: vectors and sparse_vectors both have {vector!r}; write another name")


def _at_least(collection: str, option: str, value: Optional[int], smallest: int) -> Optional[int]:
    if value is not None and value < smallest:
        raise StackError(f"{collection}: {option} is {value}; it is a number of {smallest} or more")
    return value


def _section(collection: str, option: str, given: Any, known: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    return None if given is None else schema.checked(f"{collection}: {option}", given, known)


def _vectors(collection: str, vectors: Optional[Mapping[str, Any]]) -> Optional[dict[str, dict[str, Any]]]:
    if vectors is None:
        return None
    unnamed = not vectors or any(not isinstance(value, Mapping) for value in vectors.values())
    by_name = {"": vectors} if unnamed else vectors
    return {name: _vector(f"{collection}: vectors{'.' + name if name else ''}", by_name[name]) for name in by_name}


def _vector(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(given, Mapping) and isinstance(given.get("quantization_config"), Mapping):
        # A method without settings is one all the same.
        methods = given["quantization_config"].items()
        given = {**given, "quantization_config": {method: {} if one is None else one for method, one in methods}}
    vector = schema.checked(where, given, schema.VECTOR)
    for key in ("size", "distance"):
        if key not in vector:
            raise StackError(f"{where} has no {key}; give a size and a distance, such as size: 1536, distance: Cosine")
    if "quantization_config" in vector:
        vector["quantization_config"] = _quantization(f"{where}.quantization_config", vector["quantization_config"])
    return vector


def _sparse_vectors(collection: str, vectors: Optional[Mapping[str, Any]]) -> Optional[dict[str, dict[str, Any]]]:
    if vectors is None:
        return None
    return {
        name: schema.checked(f"{collection}: sparse_vectors.{name}", given or {}, schema.SPARSE)
        for name, given in vectors.items()
    }


def _quantization(where: str, given: Optional[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    if given is None:
        return None
    filled = {method: {} if params is None else params for method, params in given.items()}
    quantization = schema.checked(where, filled, schema.QUANTIZATION)
    if len(quantization) > 1:
        raise StackError(f"{where} has {' and '.join(sorted(quantization))}; a collection has one method")
    if "scalar" in quantization:
        quantization["scalar"].setdefault("type", "int8")
    if "product" in quantization and "compression" not in quantization["product"]:
        raise StackError(f"{where}.product has no compression; give one, such as compression: x16")
    return quantization


def _indexes(collection: str, indexes: Optional[Mapping[str, Any]]) -> Optional[dict[str, dict[str, Any]]]:
    if indexes is None:
        return None
    for name in indexes:
        if not PAYLOAD_PATH.fullmatch(name):
            raise StackError(
                f"{collection}: payload_indexes has {name!r}, which is no path of a payload field; a path is keys with "
                'dots between them, perhaps with [] behind, such as a.b[].c, and keys with other signs in quotes: "a b"'
            )
    return {name: _index(f"{collection}: payload_indexes.{name}", given) for name, given in indexes.items()}


def _index(where: str, given: Any) -> dict[str, Any]:
    normal = dict(given) if isinstance(given, Mapping) else {"type": given}
    kind = normal.pop("type", None)
    if not isinstance(kind, str) or kind not in schema.INDEX_PARAMS:
        raise StackError(f"{where} has the type {kind!r}; it is one of {', '.join(sorted(schema.INDEX_PARAMS))}")
    index = {"type": kind, **schema.checked(where, normal, schema.INDEX_PARAMS[kind])}
    if index.get("lookup") is False and index.get("range") is False:
        raise StackError(f"{where} has neither lookup nor range; an index of whole numbers has one of them at least")
    if index.get("min_token_len", 0) > index.get("max_token_len", float("inf")):
        raise StackError(f"{where}.min_token_len is {index['min_token_len']}, which is more than max_token_len")
    return index


def _aliases(collection: str, aliases: Optional[list[str]]) -> Optional[tuple[str, ...]]:
    if aliases is None:
        return None
    for alias in aliases:
        checked_name(alias, f"{collection}: aliases", "an alias")
    return tuple(sorted(aliases))


def too_new(desired: Desired, server: schema.Version) -> list[str]:
    """The declared options that this server would ignore."""
    found: list[str] = []
    for option, since in SINCE.items():
        if getattr(desired, option) is not None and since > server:
            found.append(f"{option} (Qdrant {schema.told(since)})")
    sections: list[tuple[str, Optional[Mapping[str, Any]], Mapping[str, schema.Setting]]] = [
        ("hnsw_config", desired.hnsw_config, schema.HNSW),
        ("optimizers_config", desired.optimizers_config, schema.OPTIMIZERS),
        ("quantization_config", desired.quantization_config, schema.QUANTIZATION),
        ("wal_config", desired.wal_config, schema.WAL),
        ("strict_mode_config", desired.strict_mode_config, schema.STRICT),
        *((f"vectors.{name}".rstrip("."), one, schema.VECTOR) for name, one in (desired.vectors or {}).items()),
        *((f"sparse_vectors.{name}", one, schema.SPARSE) for name, one in (desired.sparse_vectors or {}).items()),
        *(
            (
                f"payload_indexes.{name}",
                {key: value for key, value in one.items() if key != "type"},
                schema.INDEX_PARAMS[one["type"]],
            )
            for name, one in (desired.payload_indexes or {}).items()
        ),
    ]
    for where, given, known in sections:
        found += schema.too_new(where, given or {}, known, server)
    for name, one in (desired.vectors or {}).items():
        if one.get("datatype") == "turbo4" and server < (1, 19):
            found.append(f"vectors.{name}".rstrip(".") + ".datatype turbo4 (Qdrant 1.19)")
    if any(one["type"] == "uuid" for one in (desired.payload_indexes or {}).values()) and server < (1, 11):
        found.append("payload indexes of type uuid (Qdrant 1.11)")
    return found
