# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Aliases that live apart from a declared collection: one listing, one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import checked_name
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan


@dataclass(frozen=True)
class WantedAlias:
    """``collection`` None is an alias that is not to be there."""

    name: str
    collection: Optional[str]


def wanted_aliases(params: Mapping[str, Any]) -> list[WantedAlias]:
    """:raises StackError: one sentence about the first thing that cannot be meant"""
    rows = [params] if params["aliases"] is None else params["aliases"]
    wanted = [_wanted(row) for row in rows]
    names = [one.name for one in wanted]
    for name in names:
        if names.count(name) > 1:
            raise StackError(f"aliases has {name!r} {names.count(name)} times; declare each alias once")
    return sorted(wanted, key=lambda one: one.name)


def _wanted(row: Mapping[str, Any]) -> WantedAlias:
    name = checked_name(row["name"], "name", "an alias")
    if row["state"] == "absent":
        return WantedAlias(name, None)
    if not row["collection"]:
        raise StackError(f"alias {name!r} has no collection; say which collection it is another name of")
    if row["collection"] == name:
        raise StackError(f"alias {name!r} is its own collection; write another name")
    return WantedAlias(name, checked_name(row["collection"], "collection"))


class Aliases:
    def __init__(self, client: Client, wanted: Iterable[WantedAlias]) -> None:
        self.client = client
        self.wanted = list(wanted)
        self.names: set[str] = set()

    def observe(self) -> dict[str, Optional[str]]:
        live = self.client.aliases()
        return {one.name: live.get(one.name) for one in self.wanted}

    def plan(self, current: Mapping[str, Optional[str]]) -> Plan:
        after = {one.name: one.collection for one in self.wanted}
        different = [one for one in self.wanted if current[one.name] != one.collection]
        if different:
            self._refuse(different)
        actions: list[dict[str, Any]] = []
        words = []
        for one in different:
            is_now = current[one.name]
            if one.collection is None:
                actions.append({"delete_alias": {"alias_name": one.name}})
                words.append(f"delete alias {one.name} of {is_now}")
                continue
            actions.append({"create_alias": {"collection_name": one.collection, "alias_name": one.name}})
            words.append(
                f"move alias {one.name} from {is_now} to {one.collection}"
                if is_now
                else f"create alias {one.name} of {one.collection}"
            )
        steps = [Operation("change", "aliases", "; ".join(words), {"actions": actions})] if actions else []
        return Plan(before=dict(current), after=after, operations=tuple(steps))

    def _refuse(self, different: Iterable[WantedAlias]) -> None:
        """Asked only where something differs: an alias cannot be a collection's name, nor point to nothing."""
        names = set(self.client.list_collections())
        for one in different:
            if one.collection is not None and one.name in names:
                raise StackError(f"alias {one.name!r} is a collection on the server; write another name")
            if one.collection is not None and one.collection not in names:
                raise StackError(
                    f"alias {one.name!r} is to point to {one.collection!r}, which is no collection on the server; "
                    "make it first, or write the name of one that is there"
                )

    def apply(self, operation: Operation) -> None:
        self.client.change_aliases(operation.args["actions"])

    def result(self, state: dict[str, Any]) -> dict[str, Any]:
        return {"aliases": state}
