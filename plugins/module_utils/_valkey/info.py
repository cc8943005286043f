# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Valkey server is, does and has, and in what its settings are not the declared ones."""

from __future__ import annotations

import difflib
import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._valkey.connection import (
    Connection,
    latencies,
    sections,
)

USUAL_SETTINGS = ("maxmemory", "maxmemory-policy", "appendonly", "appendfsync", "save")
SECRET_SETTINGS = frozenset(
    {"requirepass", "masterauth", "primaryauth", "tls-key-file-pass", "tls-client-key-file-pass"}
)
SETTING = re.compile(r"[a-z][a-z0-9-]*")
SIZE = re.compile(r"(\d+)(b|k|kb|m|mb|g|gb)?", re.IGNORECASE)
UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}
MOST_PINGS = 1000


def declared(expected: Optional[Mapping[str, Any]]) -> dict[str, str]:
    """Settings as text by their names; nothing is contacted for a mistake.

    :raises StackError: when a name cannot be one, or is a secret's
    """
    found = {}
    for given, value in (expected or {}).items():
        name = str(given).lower()
        if not SETTING.fullmatch(name):
            raise StackError(f"expected names '{given}', which is no setting of Valkey; write one such as maxmemory")
        if name in SECRET_SETTINGS:
            raise StackError(f"expected names {name}, whose value is a secret and is never read; take it out")
        if isinstance(value, (Mapping, list)):
            raise StackError(
                f"expected has a list or a mapping for {name}; write its value as Valkey shows it, in one text"
            )
        found[name] = ("yes" if value else "no") if isinstance(value, bool) else str("" if value is None else value)
    return found


def meant(value: str) -> list[str]:
    """A value in the form in which two that mean the same are equal: sizes as bytes, words small."""
    found = []
    for word in value.split():
        size = SIZE.fullmatch(word)
        found.append(str(int(size[1]) * UNITS[(size[2] or "").lower()]) if size else word.lower())
    return found


def compare(wanted: Mapping[str, str], seen: Mapping[str, str]) -> list[str]:
    """In what the settings are not the declared ones, a sentence each."""
    lines = []
    for name, value in sorted(wanted.items()):
        if name not in seen:
            near = difflib.get_close_matches(name, [*seen, *USUAL_SETTINGS], 1)
            lines.append(f"{name}: the server has no such setting" + (f"; is {near[0]} meant?" if near else ""))
        elif meant(value) != meant(seen[name]):
            lines.append(f"{name}: wanted {value or 'nothing'}, seen {seen[name] or 'nothing'}")
    return lines


def settings_of(connection: Connection, names: Sequence[str]) -> dict[str, str]:
    """Those of the settings that the server has."""
    found: dict[str, str] = {}
    for name in names:
        answer = connection.ask("CONFIG", "GET", name)
        if not isinstance(answer, list) or len(answer) % 2:
            raise StackError(f"Valkey at {connection.place} answered CONFIG GET {name} with something else than pairs")
        found.update(zip(answer[::2], answer[1::2]))
    return {name: str(found[name]) for name in names if name in found}


def number(info: Mapping[str, str], name: str) -> int:
    text = info.get(name, "")
    return int(text) if re.fullmatch(r"-?\d+", text) else 0


def summary(info: Mapping[str, str]) -> dict[str, Any]:
    """The parts of ``INFO`` that say how a cache is doing, with names and types of our own."""
    databases = [value for name, value in info.items() if re.fullmatch(r"db\d+", name)]
    return {
        "server": info.get("server_name", "redis"),
        "version": info.get("valkey_version") or info.get("redis_version"),
        "uptime_seconds": number(info, "uptime_in_seconds"),
        "clients": number(info, "connected_clients"),
        "keys": sum(int(found[1]) for found in (re.match(r"keys=(\d+)", one) for one in databases) if found),
        "memory": {
            "used_bytes": number(info, "used_memory"),
            "peak_bytes": number(info, "used_memory_peak"),
            "rss_bytes": number(info, "used_memory_rss"),
            "max_bytes": number(info, "maxmemory"),
            "policy": info.get("maxmemory_policy", ""),
        },
        "evictions": {
            "evicted_keys": number(info, "evicted_keys"),
            "expired_keys": number(info, "expired_keys"),
            "hits": number(info, "keyspace_hits"),
            "misses": number(info, "keyspace_misses"),
        },
        "persistence": {
            "loading": info.get("loading") == "1",
            "aof_enabled": info.get("aof_enabled") == "1",
            "aof_last_write_ok": info.get("aof_last_write_status") == "ok",
            "aof_rewrite_in_progress": info.get("aof_rewrite_in_progress") == "1",
            "aof_last_rewrite_ok": info.get("aof_last_bgrewrite_status") == "ok",
            "aof_size_bytes": number(info, "aof_current_size"),
            "rdb_last_save_ok": info.get("rdb_last_bgsave_status") == "ok",
            "rdb_changes_since_save": number(info, "rdb_changes_since_last_save"),
        },
    }


def look(params: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the module returns.

    :raises StackError: what is wrong with the options, the way there or the answers
    """
    wanted = declared(params["expected"])
    count = params["pings"]
    if not 1 <= count <= MOST_PINGS:
        raise StackError(f"pings is {count}, which is not from 1 to {MOST_PINGS}; write such a number, or leave it out")
    with Connection(params) as connection:
        info = sections(connection.ask("INFO"))
        if not info.get("redis_version"):
            raise StackError(f"what answers at {connection.place} is not Valkey: its INFO names no version")
        settings = settings_of(connection, sorted({*USUAL_SETTINGS, *wanted}))
        times = latencies(connection, count)
    return {
        **summary(info),
        "ping": {
            "count": count,
            "best_ms": round(min(times), 3),
            "median_ms": round(statistics.median(times), 3),
            "worst_ms": round(max(times), 3),
        },
        "settings": settings,
        "differences": compare(wanted, settings),
    }
