# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The declared collections as one resource: one listing, one read for each that exists."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Callable, Iterable, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, Unreachable
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import model, planner, schema
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    Desired,
    Live,
    World,
    building_alias,
    live_from_info,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.view import olds
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

LONGEST_PAUSE = 2.0
# Numbers of a page of points: about 4 MB of JSON, well below the 32 MB that the server takes.
NUMBERS_IN_A_PAGE = 200_000
POINTS_IN_A_PAGE = 500


class Collections:
    """
    :param may_be_unborn: a server that does not answer yet is one without collections, which only a prediction may say
    :param wait_seconds: how long a changed collection may take to be green again; None does not wait
    """

    def __init__(
        self,
        client: Client,
        desired: Iterable[Desired],
        *,
        may_be_unborn: bool = False,
        wait_seconds: Optional[float] = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.may_be_unborn = may_be_unborn
        self.unborn = ""
        self.desired = list(desired)
        self.world = World()
        self.snapshots: dict[str, str] = {}
        self.wait_seconds = wait_seconds
        self._sleep = sleep
        self._clock = clock
        self._apply: dict[str, Callable[[str, dict[str, Any]], None]] = {
            "create": lambda name, args: client.create(name, args["body"]),
            "patch": lambda name, args: client.patch(name, args["body"]),
            "delete": lambda name, args: client.delete(name),
            "snapshot": lambda name, args: self._snapshot(name),
            "add_vector": lambda name, args: client.add_vector(name, args["name"], args["config"]),
            "create_index": lambda name, args: client.create_index(name, args["field"], args["schema"]),
            "rebuild_index": lambda name, args: self._rebuild_index(name, args["field"], args["schema"]),
            "drop_index": lambda name, args: client.delete_index(name, args["field"]),
            "aliases": lambda name, args: client.change_aliases(args["actions"]),
            "copy": lambda name, args: self._copy(args["source"], name),
            "wait": lambda name, args: self._wait([name]),
        }

    def observe(self) -> dict[str, Any]:
        try:
            names = frozenset(self.client.list_collections())
        except Unreachable as error:
            if not self.may_be_unborn:
                raise
            self.unborn = str(error)
            self.world = World()
            return planner.view(self.desired, self.world)
        world = World(names, self.client.aliases() if self._aliases_matter(names) else {})
        self.world = replace(world, live=self._live(world), others=self._others(world))
        return planner.view(self.desired, self.world)

    def _aliases_matter(self, names: frozenset[str]) -> bool:
        """Whether the list of aliases is worth a call: not where every name is a collection and nobody asks."""
        return any(
            one.aliases is not None
            or (one.name not in names and one.present)
            or one.on_immutable != "fail"
            or (one.name in names and any(name.startswith(f"{one.name}__v") for name in names))
            for one in self.desired
        ) or any(model.version_of(one.name, name) for one in self.desired if one.name not in names for name in names)

    def _live(self, world: World) -> dict[str, Live]:
        found = {}
        for one in self.desired:
            current = world.current(one)
            if current is not None:
                found[one.name] = live_from_info(self._info(current), current)
        return found

    def _others(self, world: World) -> dict[str, Live]:
        """Other versions of collections that may be rebuilt or removed; most runs have none."""
        wanted: set[str] = set()
        for one in self.desired:
            current = world.current(one)
            if current is None or (one.present and one.on_immutable != "rebuild"):
                continue
            newer = [name for name in world.versions(one.name) if name != current]
            wanted |= {*newer, *olds(one, world, current)}
            wanted |= (
                {world.aliases[building_alias(one.name)]} & world.names
                if building_alias(one.name) in world.aliases
                else set()
            )
            wanted.discard(current)
        return {name: live_from_info(self._info(name), name) for name in sorted(wanted)}

    def _info(self, name: str) -> dict[str, Any]:
        """What the server shows; a number of points that it leaves open is counted, for it must not pass for none."""
        info = self.client.collection(name)
        return info if info.get("points_count") is not None else {**info, "points_count": self.client.count(name)}

    def plan(self, current: Any) -> Plan:
        plan = planner.plan(self.desired, self.world)
        if self.unborn:
            more = f"{self.unborn}; planned as for a server without collections"
            return replace(plan, warnings=(*plan.warnings, more))
        if plan.changed:
            self._refuse_too_new(plan)
        return plan

    def _refuse_too_new(self, plan: Plan) -> None:
        """A server ignores what it does not know; only what depends on its version costs the question."""
        touched = {operation.target for operation in plan.operations}
        changed = [one for one in self.desired if one.present and {one.name, self._physical(one)} & touched]
        adds = any(operation.verb == "add_vector" for operation in plan.operations)
        if not adds and not any(model.too_new(one, (0, 0)) for one in changed):
            return
        version = self.client.version()
        found = [f"{one.name}: {option}" for one in changed for option in model.too_new(one, version)]
        if adds and version < schema.NAMED_VECTOR_CHANGES:
            found.append(f"a vector that is added (Qdrant {schema.told(schema.NAMED_VECTOR_CHANGES)})")
        if found:
            raise StackError(
                f"the server is Qdrant {schema.told(version)}, which is too old for {', '.join(found)}, so nothing was "
                "touched; upgrade the server, or leave that out",
                server_version=schema.told(version),
                too_new=found,
            )

    def _physical(self, one: Desired) -> str:
        live = self.world.live.get(one.name)
        return live.physical if live else one.name

    def apply(self, operation: Operation) -> None:
        self._apply[operation.verb](operation.target, dict(operation.args))

    def settle(self, plan: Plan) -> Any:
        """What is there once the changed collections are green."""
        state = self.observe()
        touched = {operation.target for operation in plan.operations}
        changing = [live.physical for live in self.world.live.values() if live.physical in touched]
        unready = [live for live in self.world.live.values() if live.physical in touched and live.status != "green"]
        if self.wait_seconds is None or not unready:
            return state
        self._wait(changing)
        return self.observe()

    def _wait(self, names: list[str]) -> None:
        """:raises StackError: when one is not green in time, or its optimizer has failed"""
        if self.wait_seconds is None:
            return
        deadline = self._clock() + self.wait_seconds
        pause = 0.1
        for name in names:
            while True:
                live = live_from_info(self.client.collection(name), name)
                if live.status == "red" or live.problem:
                    raise StackError(
                        f"collection {name} is {live.status}: {live.problem or 'its optimizer has failed'}"
                    )
                if live.status == "green":
                    break
                if self._clock() >= deadline:
                    raise StackError(
                        f"collection {name} is still {live.status} after {self.wait_seconds:g} s; its settings are in, "
                        "and Qdrant goes on; raise wait_timeout, or set wait: false"
                    )
                self._sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def result(self, state: dict[str, Any]) -> dict[str, Any]:
        return {"collections": state, "snapshots": self.snapshots}

    def _rebuild_index(self, name: str, field: str, given: Any) -> None:
        self.client.delete_index(name, field)
        self.client.create_index(name, field, given)

    def _snapshot(self, name: str) -> None:
        try:
            self.snapshots[name] = self.client.snapshot(name)["name"]
        except StackError as error:
            raise StackError(
                f"collection {name!r} was not touched, because the snapshot before it failed: {error}; "
                "set backup: false to go on without one",
                **error.details,
            ) from None

    def _copy(self, source: str, target: str) -> None:
        """All points, page by page; writing one twice changes nothing, so a run that was cut off begins again."""
        live = live_from_info(self.client.collection(source), source)
        numbers = sum(int(vector["size"]) for vector in live.vectors.values()) + 100 * len(live.sparse_vectors)
        limits = [live.strict_mode_config.get(key) for key in ("max_query_limit", "upsert_max_batchsize")]
        known = [limit for limit in limits if limit] if live.strict_mode_config.get("enabled") else []
        page = max(1, min(POINTS_IN_A_PAGE, NUMBERS_IN_A_PAGE // max(1, numbers), *known))
        offset = None
        while True:
            points, offset = self.client.scroll(source, page, offset)
            if points:
                self.client.upsert(target, [_point(point) for point in points])
            if offset is None:
                break
        there, here = self.client.count(source), self.client.count(target)
        if there != here:
            raise StackError(
                f"{source} has {there} points and {target} {here} after the copy, so no reader was moved; "
                "pause what writes to it and run again"
            )


def _point(point: dict[str, Any]) -> dict[str, Any]:
    vector = point.get("vector")
    return {"id": point["id"], "vector": {} if vector is None else vector, "payload": point.get("payload") or {}}
