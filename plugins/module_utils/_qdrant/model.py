# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked for and what is there, in one normal form.

What a collection of the name ``NAME`` or ``NAME__vN`` may be to a rebuild or a recreation, and who may delete it:

========  =============================================  ==========================================================
state     known by                                       deleted by
========  =============================================  ==========================================================
unmarked  no mark                                        nobody but its owner; an empty one that fits is gone on with
building  alias ``NAME__building_RUN``                   whoever renames that alias first
filled    alias ``NAME__filled_RUN``                     nobody while its source is there; by then as building
old       the source in the metadata of a newer version  ``drop_old``, while the copy and its alias are there
note      ``NAME__recreating`` with its key in metadata  whoever makes the collection again
========  =============================================  ==========================================================

No copy gets the name of one that is there, marked or not: whoever still wants to delete that would delete it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import schema

FORBIDDEN_IN_NAMES = '/\\<>:"|?*'
# Given at creation and in a PATCH under ``params``; the last two only there.
PARAMS = (
    "on_disk_payload",
    "replication_factor",
    "write_consistency_factor",
    "read_fan_out_factor",
    "read_fan_out_delay_ms",
)
PATCH_ONLY_PARAMS = ("read_fan_out_factor", "read_fan_out_delay_ms")
# In a rebuilt collection's metadata: the collection that it was copied from.
SOURCE_MARK = "planner_memory_rebuilt_from"
# Beside it: how many points that one had when all were copied.
COUNT_MARK = "planner_memory_rebuilt_points"
# What the empty collection is called that keeps what a recreation has to make again.
RECREATING = "__recreating"
# In its metadata: of which collection. Without it a collection of that name is somebody's own.
NOTE_MARK = "planner_memory_recreating"
OWN_MARKS = (SOURCE_MARK, COUNT_MARK, NOTE_MARK)
# Sections of which the server keeps what a PATCH does not name.
MERGED = {"hnsw_config": schema.HNSW, "optimizers_config": schema.OPTIMIZERS, "strict_mode_config": schema.STRICT}


@dataclass(frozen=True)
class Desired:
    """One declared collection; None is "not managed". The unnamed vector has the name ``""``."""

    name: str
    present: bool = True
    vectors: Optional[Mapping[str, Mapping[str, Any]]] = None
    sparse_vectors: Optional[Mapping[str, Mapping[str, Any]]] = None
    shard_number: Optional[int] = None
    sharding_method: Optional[str] = None
    replication_factor: Optional[int] = None
    write_consistency_factor: Optional[int] = None
    read_fan_out_factor: Optional[int] = None
    read_fan_out_delay_ms: Optional[int] = None
    on_disk_payload: Optional[bool] = None
    hnsw_config: Optional[Mapping[str, Any]] = None
    optimizers_config: Optional[Mapping[str, Any]] = None
    quantization_config: Optional[Mapping[str, Any]] = None
    wal_config: Optional[Mapping[str, Any]] = None
    strict_mode_config: Optional[Mapping[str, Any]] = None
    metadata: Optional[Mapping[str, Any]] = None
    payload_indexes: Optional[Mapping[str, Mapping[str, Any]]] = None
    prune_indexes: bool = False
    aliases: Optional[tuple[str, ...]] = None
    on_immutable: str = "fail"
    drop_old: bool = False
    confirm_data_loss: Optional[str] = None
    backup: bool = True


@dataclass(frozen=True)
class Live:
    """One collection as the server shows it, under the names that requests use.

    ``physical`` is the name of what holds the points where the declared name is an alias of it.
    """

    vectors: Mapping[str, Mapping[str, Any]]
    sparse_vectors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shard_number: Optional[int] = None
    sharding_method: Optional[str] = None
    replication_factor: Optional[int] = None
    write_consistency_factor: Optional[int] = None
    read_fan_out_factor: Optional[int] = None
    read_fan_out_delay_ms: Optional[int] = None
    on_disk_payload: Optional[bool] = None
    hnsw_config: Mapping[str, Any] = field(default_factory=dict)
    optimizers_config: Mapping[str, Any] = field(default_factory=dict)
    quantization_config: Mapping[str, Any] = field(default_factory=dict)
    wal_config: Mapping[str, Any] = field(default_factory=dict)
    strict_mode_config: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    payload_indexes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    points: int = 0
    status: str = "green"
    problem: str = ""
    physical: str = ""


@dataclass(frozen=True)
class World:
    """The whole server as far as it matters: names, aliases (alias -> collection) and the declared collections."""

    names: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    live: Mapping[str, Live] = field(default_factory=dict)
    # Other versions of declared collections, and notes of recreations, by their own names.
    others: Mapping[str, Live] = field(default_factory=dict)
    # What this run calls itself in the marks that it makes.
    run: str = ""

    def current(self, desired: Desired) -> Optional[str]:
        """The collection that holds the points of a declared name.

        After a rebuild that is ``name__vN``: the target of the alias ``name``, or, while the first collection still
        has the name, of one of the declared aliases.
        """
        name = desired.name
        if self.unmade(name) is not None:
            return None
        # A note of a recreation has the aliases of what is made again, until that is done.
        targets = {alias: to.removesuffix(RECREATING) for alias, to in self.aliases.items()}
        if name in targets:
            return targets[name] if version_of(name, targets[name]) else None
        versions = {targets[alias] for alias in desired.aliases or () if alias in targets} & self.names
        newest = max(
            (one for one in versions if version_of(name, one)), key=lambda one: version_of(name, one), default=""
        )
        if newest:
            return newest
        # A rebuild that deletes the old collection was cut off after its copy was filled: while nobody has moved to
        # that, the old one may have been written to since.
        for filled in self.filled(name):
            if name not in self.names or self.readers(name, filled):
                return filled
        return name if name in self.names else None

    def readers(self, name: str, collection: str) -> list[str]:
        """The aliases of a collection but the marks of rebuilds."""
        marks = self.marks(name)
        return sorted(alias for alias, to in self.aliases.items() if to == collection and alias not in marks)

    def marks(self, name: str) -> dict[str, str]:
        """The marks of rebuilds that have not ended, each with what it marks."""
        return {alias: to for alias, to in sorted(self.aliases.items()) if is_mark(name, alias)}

    def marked(self, name: str) -> dict[str, str]:
        """The other way round: of what is marked, its mark."""
        return {to: alias for alias, to in self.marks(name).items()}

    def filled(self, name: str) -> list[str]:
        """The copies that hold all points, the newest first; no rebuild deletes one while its source is there."""
        found = {to for alias, to in self.marks(name).items() if is_filled(name, alias) and version_of(name, to)}
        return sorted(found, key=lambda one: version_of(name, one), reverse=True)

    def versions(self, name: str) -> list[str]:
        return [one for one in self.names if version_of(name, one)]

    def notes(self, name: str) -> list[str]:
        """What recreations that have not ended keep everything in that is to be made again."""
        return [one for one in note_names(name, self.names) if one in self.others and is_note(self.others[one])]

    def unmade(self, name: str) -> Optional[str]:
        """What a recreation deleted and had no time to make again."""
        bases = [one[: -len(RECREATING)] for one in self.notes(name)]
        return next((base for base in bases if base not in self.names and base not in self.aliases), None)


def building_alias(name: str, run: str) -> str:
    """The alias that a run gives to the collection that it fills.

    It has the run in its name: who takes the collection over renames it, which only one can do, and then whoever had
    it before cannot end what it began.
    """
    return f"{name}__building_{run}"


def filled_alias(name: str, run: str) -> str:
    """The alias that it gets once it holds all points, until the old collection is gone."""
    return f"{name}__filled_{run}"


def is_filled(name: str, alias: str) -> bool:
    return re.fullmatch(re.escape(name) + "__filled(_[0-9a-f]+)?", alias) is not None


def is_mark(name: str, alias: str) -> bool:
    return is_filled(name, alias) or re.fullmatch(re.escape(name) + "__building_[0-9a-f]+", alias) is not None


def note_names(name: str, names: Iterable[str]) -> list[str]:
    """Which of these names notes of recreations of a collection would have; ``is_note`` knows which are."""
    found = [one for one in names if one.startswith(name) and one.endswith(RECREATING)]
    bases = {one: one.removesuffix(RECREATING) for one in found}
    return sorted(one for one, base in bases.items() if base == name or version_of(name, base))


def is_note(live: Live) -> bool:
    return NOTE_MARK in live.metadata


def version_of(name: str, collection: str) -> int:
    """The N of ``name__vN``; 0 for another name."""
    if not collection.startswith(f"{name}__v"):
        return 0
    match = re.fullmatch(r"[1-9][0-9]{0,8}", collection[len(name) + 3 :])
    return int(match.group()) if match else 0


def live_from_info(info: Mapping[str, Any], physical: str = "") -> Live:
    """From the answer of ``GET /collections/{name}``."""
    config = info["config"]
    params = config["params"]
    indexes = info.get("payload_schema") or {}
    optimizer = info.get("optimizer_status")
    return Live(
        vectors=named(params.get("vectors") or {}),
        sparse_vectors=params.get("sparse_vectors") or {},
        shard_number=params.get("shard_number"),
        sharding_method=params.get("sharding_method"),
        **{key: params.get(key) for key in PARAMS},
        hnsw_config=config.get("hnsw_config") or {},
        optimizers_config=config.get("optimizer_config") or {},
        quantization_config=config.get("quantization_config") or {},
        wal_config=config.get("wal_config") or {},
        strict_mode_config=config.get("strict_mode_config") or {},
        metadata=config.get("metadata") or {},
        payload_indexes={
            name: {**(index.get("params") or {}), "type": index["data_type"]} for name, index in indexes.items()
        },
        points=info.get("points_count") or 0,
        status=str(info.get("status") or "green"),
        problem=str(optimizer["error"]) if isinstance(optimizer, Mapping) and "error" in optimizer else "",
        physical=physical,
    )


def named(vectors: Mapping[str, Any]) -> dict[str, Any]:
    """Vectors by name, whichever of the two forms they come in."""
    unnamed = "size" in vectors and not isinstance(vectors["size"], Mapping)
    return {"": dict(vectors)} if unnamed else dict(vectors)


def checked_name(name: str, option: str = "name", thing: str = "a collection's name") -> str:
    bad = next((char for char in name if char in FORBIDDEN_IN_NAMES or ord(char) < 32), None)
    if bad is not None:
        raise StackError(f"{option} is {name!r}; {thing} cannot contain {bad!r}")
    if not 1 <= len(name) <= 255 or name in (".", ".."):
        raise StackError(f"{option} is {name!r}; {thing} has 1 to 255 characters and is neither . nor ..")
    return name
