# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything about collections, in the form in which they are declared."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Iterable, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    checked_name,
    live_from_info,
)


def look(client: Client, names: Optional[Iterable[str]]) -> dict[str, Any]:
    """:raises StackError: when a name cannot be one, or the server does not answer"""
    asked = None if names is None else [checked_name(name, "names") for name in names]
    there = sorted(client.list_collections())
    aliases = dict(sorted(client.aliases().items()))
    collections = {}
    for name in there if asked is None else asked:
        physical = aliases.get(name, name)
        if physical not in there:
            continue
        info = client.collection(physical)
        if info.get("points_count") is None:
            info = {**info, "points_count": client.count(physical)}
        shown = {key: value for key, value in asdict(live_from_info(info, physical)).items() if value is not None}
        shown["collection"] = shown.pop("physical")
        shown["aliases"] = [alias for alias, target in aliases.items() if target == physical]
        collections[name] = shown
    return {"collections": collections, "names": there, "aliases": aliases}
