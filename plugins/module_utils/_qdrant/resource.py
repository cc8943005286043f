# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The declared collections as one resource: one listing, one read for each that exists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Iterable

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, Unreachable
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import planner
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    Desired,
    Live,
    live_from_info,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan


class Collections:
    """
    :param may_be_unborn: a server that does not answer yet is one without collections, which only a prediction may say
    """

    def __init__(self, client: Client, desired: Iterable[Desired], *, may_be_unborn: bool = False) -> None:
        self.client = client
        self.may_be_unborn = may_be_unborn
        self.unborn = ""
        self.desired = list(desired)
        self.live: dict[str, Live] = {}
        self.snapshots: dict[str, str] = {}
        self._apply: dict[str, Callable[[str, dict[str, Any]], None]] = {
            "create": lambda name, args: client.create(name, args["body"]),
            "patch": lambda name, args: client.patch(name, args["body"]),
            "delete": lambda name, args: client.delete(name),
            "snapshot": lambda name, args: self._snapshot(name),
            "create_index": lambda name, args: client.create_index(name, args["field"], args["schema"]),
            "rebuild_index": lambda name, args: self._rebuild_index(name, args["field"], args["schema"]),
            "drop_index": lambda name, args: client.delete_index(name, args["field"]),
        }

    def observe(self) -> dict[str, Any]:
        try:
            there = set(self.client.list_collections())
        except Unreachable as error:
            if not self.may_be_unborn:
                raise
            self.unborn = str(error)
            there = set()
        self.live = {one.name: live_from_info(self._info(one.name)) for one in self.desired if one.name in there}
        return planner.view(self.desired, self.live)

    def _info(self, name: str) -> dict[str, Any]:
        """What the server shows; a number of points that it leaves open is counted, for it must not pass for none."""
        info = self.client.collection(name)
        return info if info.get("points_count") is not None else {**info, "points_count": self.client.count(name)}

    def plan(self, current: Any) -> Plan:
        plan = planner.plan(self.desired, self.live)
        if not self.unborn:
            return plan
        return replace(plan, warnings=(*plan.warnings, f"{self.unborn}; planned as for a server without collections"))

    def apply(self, operation: Operation) -> None:
        self._apply[operation.verb](operation.target, dict(operation.args))

    def result(self, state: dict[str, Any]) -> dict[str, Any]:
        return {"collections": state, "snapshots": self.snapshots}

    def _rebuild_index(self, name: str, field: str, schema: Any) -> None:
        self.client.delete_index(name, field)
        self.client.create_index(name, field, schema)

    def _snapshot(self, name: str) -> None:
        try:
            self.snapshots[name] = self.client.snapshot(name)
        except StackError as error:
            raise StackError(
                f"collection {name!r} was not deleted, because the snapshot before it failed: {error}; "
                "set backup: false to delete without one",
                **error.details,
            ) from None
