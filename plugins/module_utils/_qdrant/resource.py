# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The declared collections as one resource: one listing, one read for each that exists."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import Any, Callable, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import (
    ApiError,
    StackError,
    Unreachable,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import (
    declaration,
    immutable,
    planner,
    schema,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.guards import moved_on
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    COUNT_MARK,
    Desired,
    Live,
    World,
    live_from_info,
    note_names,
    version_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.rebuild import renamed
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.transfer import carry
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.view import olds
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

LONGEST_PAUSE = 2.0


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
        self.run = secrets.token_hex(4)
        self.world = World(run=self.run)
        self.snapshots: dict[str, str] = {}
        self.copied: dict[str, int] = {}
        self.wait_seconds = wait_seconds
        self._sleep = sleep
        self._clock = clock
        self._apply: dict[str, Callable[[str, dict[str, Any]], None]] = {
            "create": lambda name, args: self._create(name, args["body"]),
            "patch": lambda name, args: client.patch(name, args["body"]),
            "delete": self._delete,
            "snapshot": lambda name, args: self._snapshot(name),
            "add_vector": lambda name, args: client.add_vector(name, args["name"], args["config"]),
            "create_index": lambda name, args: client.create_index(name, args["field"], args["schema"]),
            "rebuild_index": lambda name, args: self._rebuild_index(name, args["field"], args["schema"]),
            "drop_index": lambda name, args: client.delete_index(name, args["field"]),
            "aliases": self._change_aliases,
            "copy": lambda name, args: self._copy(args["source"], name),
            "wait": lambda name, args: self._wait([name]),
        }

    def observe(self) -> dict[str, Any]:
        try:
            names = frozenset(self.client.list_collections())
        except Unreachable as error:
            if not (error.nobody and self.may_be_unborn):
                raise
            self.unborn = str(error)
            self.world = World(run=self.run)
            return planner.view(self.desired, self.world)
        world = World(names, self.client.aliases() if self._aliases_matter(names) else {}, run=self.run)
        candidates = {name for one in self.desired for name in note_names(one.name, names)}
        world = replace(world, others=self._read(candidates))
        world = replace(world, live=self._live(world))
        self.world = replace(world, others={**world.others, **self._others(world)})
        return planner.view(self.desired, self.world)

    def _aliases_matter(self, names: frozenset[str]) -> bool:
        """Whether the list of aliases is worth a call: not where every name is a collection and nobody asks."""
        return any(
            one.aliases is not None
            or (one.name in names) is not one.present
            or one.on_immutable != "fail"
            or any(name.startswith(f"{one.name}__") for name in names)
            for one in self.desired
        )

    def _live(self, world: World) -> dict[str, Live]:
        found = {}
        for one in self.desired:
            current = world.current(one)
            if current is None:
                continue
            info = self.client.collection(current)
            live = live_from_info(info, current)
            # The number that the server shows may be some off, or left open: where points may go, they are counted.
            may_go = not one.present or (one.on_immutable != "fail" and immutable.found(one, live))
            if may_go or info.get("points_count") is None:
                live = replace(live, points=self.client.count(current))
            found[one.name] = live
        return found

    def _others(self, world: World) -> dict[str, Live]:
        """Other versions of collections that may be rebuilt or removed; most runs have none."""
        wanted: set[str] = set()
        for one in self.desired:
            current = world.current(one)
            if one.present and one.on_immutable != "rebuild" and current is not None:
                continue
            wanted |= {*world.marks(one.name).values()} & world.names
            if current is not None:
                wanted |= {*world.versions(one.name), *olds(one, world, current)} - {current}
        return self._read(wanted - {*world.others})

    def _read(self, names: Iterable[str]) -> dict[str, Live]:
        return {
            name: replace(live_from_info(self.client.collection(name), name), points=self.client.count(name))
            for name in sorted(names)
        }

    def plan(self, current: Any) -> Plan:
        plan = planner.plan(self.desired, self.world)
        if self.unborn:
            more = f"{self.unborn}; planned as for a server without collections"
            return replace(plan, warnings=(*plan.warnings, more))
        if not self.client.has_snapshots and any(operation.verb == "snapshot" for operation in plan.operations):
            raise StackError("the embedded mode has no snapshots; set backup: false to go on without one")
        if plan.changed:
            self._refuse_too_new(plan)
        return plan

    def _refuse_too_new(self, plan: Plan) -> None:
        """A server ignores what it does not know; only what depends on its version costs the question."""
        touched = {operation.target for operation in plan.operations}
        changed = [one for one in self.desired if one.present and self._collections_of(one, touched)]
        adds = any(operation.verb == "add_vector" for operation in plan.operations)
        if not adds and not any(declaration.too_new(one, (0, 0)) for one in changed):
            return
        version = self.client.version()
        found = [f"{one.name}: {option}" for one in changed for option in declaration.too_new(one, version)]
        if adds and version < schema.NAMED_VECTOR_CHANGES:
            found.append(f"a vector that is added (Qdrant {schema.told(schema.NAMED_VECTOR_CHANGES)})")
        if found:
            raise StackError(
                f"the server is Qdrant {schema.told(version)}, which is too old for {', '.join(found)}, so nothing was "
                "touched; upgrade the server, or leave that out",
                server_version=schema.told(version),
                too_new=found,
            )

    def _collections_of(self, one: Desired, touched: set[str]) -> bool:
        """Whether one of these is the declared collection, or another one that is made for it."""
        live = self.world.live.get(one.name)
        return any(name in (one.name, live and live.physical) or version_of(one.name, name) for name in touched)

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

    def _create(self, name: str, body: dict[str, Any]) -> None:
        try:
            self.client.create(name, body)
        except ApiError as error:
            if error.status != 409:
                raise
            raise StackError(f"another run made {name} since this one looked ({error}); run again") from None

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
        try:
            carry(self.client, source, target)
            there, here = self.client.count(source), self.client.count(target)
        except ApiError as error:
            if error.status != 404:
                raise
            raise StackError(
                f"{source} or its copy {target} is not there any more, so another run has ended it ({error}); no "
                "reader was moved; run again when that has ended"
            ) from None
        if there != here:
            raise StackError(
                f"{source} has {there} points and {target} {here} after the copy, so no reader was moved; "
                "pause what writes to it and run again"
            )
        # What is written to the old one from now on shows in its number of points.
        self.client.patch(target, {"metadata": {COUNT_MARK: there}})
        self.copied[source] = there

    def _change_aliases(self, name: str, args: dict[str, Any]) -> None:
        source = args.get("source")
        if source is not None:
            self._refuse_moved(source, args["from"])
            now = self.client.count(source)
            if now != self.copied[source]:
                raise StackError(
                    f"{source} holds {now} points and held {self.copied[source]} when they had been copied, so no "
                    "reader was moved; pause what writes to it and run again"
                )
        self._claimed(name, args["actions"], args.get("mark"))
        if args.get("alone"):
            self._refuse_company(name, args["alone"])

    def _refuse_moved(self, source: str, pointed: Mapping[str, Optional[str]]) -> None:
        """:raises StackError: when readers are not where they were when their move was decided"""
        aliases = self.client.aliases()
        if source in aliases:
            raise StackError(
                f"{source} is an alias of {aliases[source]} now, so another run has moved its readers and this one "
                "moves none; run again when that has ended"
            )
        for alias, to in sorted(pointed.items()):
            if aliases.get(alias) != to:
                raise StackError(
                    f"alias {alias} points to {aliases.get(alias, 'nothing')} now and pointed to {to or 'nothing'} "
                    "when this run looked, so no reader was moved; run again when whoever moved it has ended"
                )

    def _refuse_company(self, name: str, mine: str) -> None:
        """Two runs may have found the same collection without a mark: of two marks, at most the first stays."""
        others = sorted(alias for alias, to in self.client.aliases().items() if to == name and alias != mine)
        if others:
            self.client.change_aliases([{"delete_alias": {"alias_name": mine}}])
            raise StackError(
                f"another run works on {name}, which has alias {', '.join(others)} since this one looked, so nothing "
                "was copied; run again when the other one has ended"
            )

    def _claimed(self, name: str, actions: list[dict[str, Any]], mark: Optional[str]) -> None:
        """Change aliases, where a mark is renamed first only if it is there still.

        :raises StackError: when it is not, and then nothing of it was carried out
        """
        try:
            self.client.change_aliases(actions)
        except ApiError as error:
            if mark is None or error.status != 404:
                raise
            raise StackError(
                f"another run works on {name}: its mark, alias {mark}, is not there any more, so no alias was moved; "
                "run again when the other one has ended"
            ) from None

    def _delete(self, name: str, args: dict[str, Any]) -> None:
        """:raises StackError: when it is not as it was when its deletion was decided, and then it stays"""
        planned = self.copied.get(name, args["points"]) if args.get("copied") else args["points"]
        aliases = self.client.aliases()
        reason = moved_on(name, args["aliases"], planned, aliases, self._points(name))
        if args.get("copy") and not reason:
            held, copied = self.client.count(args["copy"]), max(self.copied.values())
            lost = [alias for alias in args["held"] if aliases.get(alias) != args["copy"]]
            if lost:
                reason = f"alias {', '.join(lost)} does not point to its copy {args['copy']} any more"
            elif held < copied:
                reason = f"its copy {args['copy']} holds {held} points and held {copied} before"
        if reason:
            raise StackError(
                f"{name} was not deleted, because {reason}: another run, or what writes to it, is at work; "
                "run again when that has ended"
            )
        if args.get("mark"):
            self._claimed(name, [renamed(args["mark"], args["mine"])], args["mark"])
        if not self.client.delete(name):
            raise StackError(f"{name} is not there any more, so another run deleted it; run again when that has ended")

    def _points(self, name: str) -> Optional[int]:
        try:
            return self.client.count(name)
        except ApiError as error:
            if error.status != 404:
                raise
            return None
