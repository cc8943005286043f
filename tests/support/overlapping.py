# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs at the same time over a Qdrant of a hundred lines: request by request, in an order that a seed decides."""

from __future__ import annotations

import json as jsonlib
import random
import threading
from collections.abc import Callable
from typing import Any, Optional
from urllib.parse import unquote

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError, StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Answer
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.declaration import desired_from_params
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.resource import Collections
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import reconcile

from tests.support.collections_law import EMPTY
from tests.support.standin import Killed


class Memory:
    """Collections as what was sent, and points by their numbers; alias actions one by one, as Qdrant has them."""

    def __init__(self) -> None:
        self.collections: dict[str, dict[str, Any]] = {}
        self.aliases: dict[str, str] = {}

    def points(self, name: str) -> Optional[int]:
        found = self.collections.get(self.aliases.get(name, name))
        return None if found is None else len(found["points"])

    def put(self, name: str, number: int) -> None:
        points = [{"id": one, "vector": [1, 2, 3, one]} for one in range(number)]
        self.call("PUT", f"/collections/{name}/points", {"points": points})

    def call(self, method: str, path: str, body: Any = None) -> Any:
        parts = [unquote(part) for part in path.split("/")][1:]
        if parts == ["collections"]:
            return {"collections": [{"name": name} for name in self.collections]}
        if parts == ["aliases"]:
            return {"aliases": [{"alias_name": one, "collection_name": to} for one, to in self.aliases.items()]}
        if parts == ["collections", "aliases"]:
            for action in body["actions"]:
                self._alias(path, *next(iter(action.items())))
            return True
        name, rest = parts[1], parts[2:]
        if not rest and method == "PUT":
            return self._create(path, name, body)
        if not rest and method == "DELETE":
            self.aliases = {alias: to for alias, to in self.aliases.items() if to != name}
            return self.collections.pop(name, None) is not None
        found = self.collections.get(self.aliases.get(name, name))
        if found is None:
            raise ApiError(method, path, 404, f"Collection `{name}` doesn't exist!")
        return self._of(found, method, rest, body)

    def _alias(self, path: str, kind: str, args: dict[str, str]) -> None:
        new = args.get("new_alias_name" if kind == "rename_alias" else "alias_name", "")
        if kind == "delete_alias":
            self.aliases.pop(new, None)
            return
        if new in self.collections:
            raise ApiError("POST", path, 409, f"Collection `{new}` already exists!")
        if kind == "create_alias" and args["collection_name"] not in self.collections:
            raise ApiError("POST", path, 404, f"Collection `{args['collection_name']}` doesn't exist!")
        if kind == "rename_alias" and args["old_alias_name"] not in self.aliases:
            raise ApiError("POST", path, 404, f"Alias {args['old_alias_name']} does not exists!")
        to = args["collection_name"] if kind == "create_alias" else self.aliases.pop(args["old_alias_name"])
        self.aliases[new] = to

    def _create(self, path: str, name: str, body: dict[str, Any]) -> bool:
        if name in self.collections or name in self.aliases:
            raise ApiError("PUT", path, 409, f"Collection `{name}` already exists!")
        self.collections[name] = {"body": {"metadata": {}, **body}, "points": {}, "indexes": {}}
        return True

    def _of(self, found: dict[str, Any], method: str, rest: list[str], body: Any) -> Any:
        points = found["points"]
        if rest == ["points", "count"]:
            return {"count": len(points)}
        if rest == ["points", "scroll"]:
            numbers = [one for one in sorted(points) if one >= (body["offset"] or 0)]
            page, more = numbers[: body["limit"]], numbers[body["limit"] :]
            return {"points": [points[one] for one in page], "next_page_offset": more[0] if more else None}
        if rest == ["points"]:
            points.update({point["id"]: point for point in body["points"]})
        elif rest == ["index"]:
            found["indexes"][body["field_name"]] = {"data_type": body["field_schema"]}
        elif method == "PATCH":
            found["body"]["metadata"].update(body.get("metadata") or {})
        elif rest == ["snapshots"]:
            return {"name": "snapshot"}
        else:
            made = found["body"]
            params = {key: value for key, value in made.items() if key not in ("metadata", "hnsw_config")}
            config = {"params": params, "metadata": made["metadata"], "hnsw_config": made.get("hnsw_config")}
            return {"status": "green", "config": config, "payload_schema": found["indexes"]}
        return {}


class Turns:
    """One request at a time; a seed says whose.

    With ``kill`` a run ends after its write of that number, counted from 1.
    """

    def __init__(self, memory: Memory, seed: int) -> None:
        self.memory = memory
        self.random = random.Random(seed)
        self.patience = self.random.choice([0, 0.3, 0.6, 0.85, 0.95])
        self.changed = threading.Condition()
        self.waiting: set[int] = set()
        self.alive: set[int] = set()
        self.turn: Optional[int] = None
        self.trace: list[str] = []
        self.ends: dict[int, Any] = {}

    def take(self, run: int) -> None:
        with self.changed:
            self.waiting.add(run)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.turn == run)
            self.turn = None
            self.waiting.discard(run)

    def all(self, declared: list[dict[str, Any]], kills: int = 0) -> dict[int, Any]:
        self.alive = {*range(len(declared))}
        deaths = {run: self.random.randint(1, 14) for run in range(kills)}
        threads = [
            threading.Thread(target=self._run, args=(run, row, deaths.get(run)), daemon=True)
            for run, row in enumerate(declared)
        ]
        for thread in threads:
            thread.start()
        last = -1
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.turn is None and self.waiting >= self.alive)
                if not self.alive:
                    return self.ends
                if last not in self.alive or self.random.random() > self.patience:
                    last = self.random.choice(sorted(self.alive))
                self.turn = last
                self.changed.notify_all()

    def _run(self, run: int, row: dict[str, Any], dies: Optional[int]) -> None:
        try:
            self.ends[run] = once(self.memory, row, Transport(self.memory, self, run, dies))
        except (StackError, Killed) as error:
            self.ends[run] = error
        finally:
            with self.changed:
                self.alive.discard(run)
                self.changed.notify_all()


class Transport:
    def __init__(self, memory: Memory, turns: Optional[Turns] = None, run: int = 0, dies: Optional[int] = None) -> None:
        self.memory, self.turns, self.run, self.dies = memory, turns, run, dies
        self.writes = 0

    def request(self, method: str, path: str, *, json: Any = None, reads: bool = False, **_more: Any) -> Answer:
        if self.turns is not None:
            self.turns.take(self.run)
        result = self.memory.call(method, path, json)
        if method != "GET" and not reads:
            self.writes += 1
            if self.turns is not None:
                self.turns.trace.append(f"{self.run}: {method} {path} {json if 'alias' in path else ''}")
            if self.writes == self.dies:
                raise Killed
        return Answer(method, path, 200, {}, jsonlib.dumps({"result": result}))


class Interrupted(Transport):
    """Something else happens once, after the first write of that path."""

    def __init__(self, memory: Memory, path: str, act: Callable[[], object]) -> None:
        super().__init__(memory)
        self.path, self.act = path, act

    def request(self, method: str, path: str, **args: Any) -> Answer:
        answer = super().request(method, path, **args)
        if path == self.path and method != "GET":
            self.path = ""
            self.act()
        return answer


def once(memory: Memory, row: dict[str, Any], transport: Optional[Transport] = None) -> dict[str, Any]:
    desired = desired_from_params({"collections": [{**EMPTY, **row}]})
    client = Client(transport or Transport(memory))  # type: ignore[arg-type]
    return reconcile(Collections(client, desired, wait_seconds=5), check_mode=False)


def until_settled(memory: Memory, row: dict[str, Any], most: int = 5) -> int:
    """How many runs it takes until one changes nothing; a run that is told to run again counts."""
    for number in range(1, most + 1):
        try:
            if not once(memory, row)["changed"]:
                return number
        except StackError as error:
            if "run again" not in str(error):
                raise
    return most + 1
