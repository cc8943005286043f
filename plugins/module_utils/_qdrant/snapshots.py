# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of one collection: make, prune, fetch, put back."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Mapping, Optional
from urllib.parse import quote

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import checked_name
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def now() -> datetime:
    return datetime.now(timezone.utc)


def seconds(option: str, text: Optional[str]) -> Optional[timedelta]:
    """A time such as 12h or 30d.

    :raises StackError: when it is none
    """
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})([smhdw])", str(text).strip())
    if match is None:
        raise StackError(f"{option} is {text!r}, which is no time; write a number and a unit, such as 12h or 30d")
    return timedelta(seconds=int(match.group(1)) * UNITS[match.group(2)])


@dataclass(frozen=True)
class Wanted:
    """What is asked for; None is "does not matter"."""

    collection: str
    state: str
    name: Optional[str] = None
    fresh: Optional[timedelta] = None
    keep: Optional[int] = None
    keep_for: Optional[timedelta] = None
    dest: Optional[str] = None
    src: Optional[str] = None
    location: Optional[str] = None
    checksum: Optional[str] = None
    priority: str = "snapshot"
    confirm_data_loss: Optional[str] = None
    folder: str = "/qdrant/snapshots"


def wanted_from_params(params: Mapping[str, Any]) -> Wanted:
    """:raises StackError: one sentence about the first thing that cannot be meant"""
    collection = checked_name(params["collection"], "collection")
    state, keep = params["state"], params["keep"]
    if keep is not None and keep < 1:
        raise StackError(f"keep is {keep}; it is 1 or more, for the newest snapshot is always kept")
    name = params["name"]
    if name is not None and (not name or "/" in name or name in (".", "..")):
        raise StackError(f"name is {name!r}, which is no snapshot's name; state: listed shows the names")
    sources = [option for option in ("name", "src", "location") if params[option]]
    if state == "restored" and len(sources) != 1:
        given = " and ".join(sources) or "none of them"
        raise StackError(f"state is restored with {given}; say one of name, src and location")
    if state == "absent" and not name:
        raise StackError("state is absent without name; say which snapshot, or prune with keep and keep_for")
    if params["dest"] and state not in ("present", "listed"):
        raise StackError(f"dest stands beside state: {state}; it goes with state: present or listed")
    if params["dest"] and os.path.isdir(params["dest"]):
        raise StackError(f"dest is {params['dest']!r}, which is a folder on the target host; write the name of a file")
    if params["src"] and not os.path.isfile(params["src"]):
        raise StackError(f"src is {params['src']!r}, which is no file on the target host")
    return Wanted(
        collection=collection,
        state=state,
        name=name,
        fresh=seconds("newer_than", params["newer_than"]),
        keep=keep,
        keep_for=seconds("keep_for", params["keep_for"]),
        dest=params["dest"],
        src=params["src"],
        location=params["location"],
        checksum=params["checksum"],
        priority=params["priority"],
        confirm_data_loss=params["confirm_data_loss"],
        folder=params["snapshots_path"],
    )


class Snapshots:
    """The state is the list of names, oldest first, and what the file at ``dest`` holds."""

    def __init__(self, client: Client, wanted: Wanted, clock: Callable[[], datetime] = now) -> None:
        self.client = client
        self.wanted = wanted
        self.clock = clock
        self.rows: list[dict[str, Any]] = []
        self.made: Optional[str] = None
        self.points = 0
        self.there = True

    def observe(self) -> dict[str, Any]:
        there = self.wanted.collection in self.client.list_collections() or (
            self.wanted.collection in self.client.aliases()
        )
        self.there = there
        if not there and self.wanted.state != "restored":
            raise StackError(f"collection is {self.wanted.collection!r}, which is not on the server")
        self.rows = sorted(self.client.snapshots(self.wanted.collection), key=_age_key) if there else []
        if self.wanted.state == "restored":
            # A collection that comes back brings its snapshots into view, which nobody asked about.
            self.points = self.client.count(self.wanted.collection) if there else 0
            return {}
        return self._state([row["name"] for row in self.rows])

    def _state(self, names: list[str]) -> dict[str, Any]:
        state: dict[str, Any] = {"snapshots": [name for name in names if name != self.made]}
        if self.made:
            state["snapshots"].append("(new)")
        if self.wanted.dest:
            state["dest"] = _digest(self.wanted.dest)
        return state

    def plan(self, current: dict[str, Any]) -> Plan:
        steps = getattr(self, f"_plan_{self.wanted.state}")()
        names = [row["name"] for row in self.rows]
        after = dict(current)
        if any(step.verb == "make" for step in steps):
            names.append("(new)")
        gone = {step.args["name"] for step in steps if step.verb == "delete"}
        if "snapshots" in after:
            after["snapshots"] = [name for name in names if name not in gone]
        fetched = next((step for step in steps if step.verb == "fetch"), None)
        if fetched is not None:
            after["dest"] = fetched.args["checksum"] or "(new)"
        if any(step.verb == "restore" for step in steps):
            after["restored"] = self._source()
        return Plan(before=current, after=after, operations=tuple(steps))

    def _plan_listed(self) -> list[Operation]:
        return self._fetch_steps(made=False)

    def _plan_absent(self) -> list[Operation]:
        return [self._deletion(row["name"]) for row in self.rows if row["name"] == self.wanted.name]

    def _plan_present(self) -> list[Operation]:
        wanted = self.wanted
        if wanted.name is not None and wanted.name not in [row["name"] for row in self.rows]:
            raise StackError(
                f"name is {wanted.name!r}, which is no snapshot of {wanted.collection}; the server names them"
            )
        newest = _made_at(self.rows[-1]) if self.rows else None
        fresh = newest is not None and wanted.fresh is not None and self.clock() - newest <= wanted.fresh
        makes = wanted.name is None and not fresh
        steps = []
        if makes:
            steps.append(Operation("make", wanted.collection, f"make a snapshot of {wanted.collection}"))
        steps += self._fetch_steps(made=makes)
        kept = self.rows[-1:] if not makes else []
        for position, row in enumerate(reversed(self.rows), 1 + makes):
            made_at = _made_at(row)
            too_many = wanted.keep is not None and position > wanted.keep
            too_old = wanted.keep_for is not None and made_at is not None and self.clock() - made_at > wanted.keep_for
            if (too_many or too_old) and row not in kept and row["name"] != wanted.name:
                steps.append(self._deletion(row["name"]))
        return steps

    def _fetch_steps(self, made: bool) -> list[Operation]:
        wanted = self.wanted
        if not wanted.dest:
            return []
        if made:
            words = f"download the new snapshot of {wanted.collection} to {wanted.dest}"
            return [Operation("fetch", wanted.collection, words, {"name": None, "checksum": None})]
        row = next((row for row in self.rows if row["name"] == wanted.name), None)
        if wanted.name is None and self.rows:
            row = self.rows[-1]
        if row is None:
            raise StackError(f"{wanted.collection} has no snapshot {wanted.name or 'yet'} to download to {wanted.dest}")
        if row.get("checksum") and _digest(wanted.dest) == row["checksum"]:
            return []
        words = f"download {row['name']} to {wanted.dest}"
        args = {"name": row["name"], "checksum": row.get("checksum")}
        return [Operation("fetch", wanted.collection, words, args)]

    def _plan_restored(self) -> list[Operation]:
        wanted = self.wanted
        if self.points and wanted.confirm_data_loss != wanted.collection:
            raise StackError(
                f"collection {wanted.collection!r} holds {self.points} points, which the snapshot would take the place "
                f"of; set confirm_data_loss: {wanted.collection} if that is meant",
                points_lost=self.points,
            )
        # Of a collection that is not there the server lists no snapshots, though it keeps them.
        if self.there and wanted.name is not None and wanted.name not in [row["name"] for row in self.rows]:
            raise StackError(
                f"name is {wanted.name!r}, which is no snapshot of {wanted.collection} on the server; "
                "state: listed shows the names"
            )
        words = f"restore {wanted.collection} ({self.points} points) from {self._source()}"
        return [Operation("restore", wanted.collection, words)]

    def _source(self) -> str:
        return str(self.wanted.name or self.wanted.src or self.wanted.location)

    def _deletion(self, name: str) -> Operation:
        return Operation("delete", self.wanted.collection, f"delete snapshot {name}", {"name": name})

    def apply(self, operation: Operation) -> None:
        name = operation.target
        if operation.verb == "make":
            self.made = self.client.snapshot(name)["name"]
        elif operation.verb == "delete":
            self.client.delete_snapshot(name, operation.args["name"])
        elif operation.verb == "fetch":
            self._fetch(operation.args["name"] or str(self.made))
        else:
            self._restore()

    def _fetch(self, snapshot: str) -> None:
        self.client.download_snapshot(self.wanted.collection, snapshot, str(self.wanted.dest))
        row = next((row for row in self.client.snapshots(self.wanted.collection) if row["name"] == snapshot), {})
        if row.get("checksum") and _digest(self.wanted.dest) != row["checksum"]:
            raise StackError(f"{self.wanted.dest} has another checksum than the server says of {snapshot}; run again")

    def _restore(self) -> None:
        wanted = self.wanted
        if wanted.src:
            seen = _digest(wanted.src) if wanted.checksum else None
            if wanted.checksum and seen != wanted.checksum.lower():
                raise StackError(
                    f"{wanted.src} has the checksum {seen} and not {wanted.checksum}, so nothing was touched"
                )
            self.client.upload_snapshot(wanted.collection, wanted.src, wanted.priority, wanted.checksum)
            return
        body: dict[str, Any] = {"location": wanted.location, "priority": wanted.priority}
        if wanted.name:
            folder = self.client.aliases().get(wanted.collection, wanted.collection)
            body["location"] = f"file://{wanted.folder.rstrip('/')}/{quote(folder)}/{quote(wanted.name)}"
        if wanted.checksum:
            body["checksum"] = wanted.checksum
        self.client.recover(wanted.collection, body)

    def settle(self, plan: Plan) -> dict[str, Any]:
        state = self.observe()
        if "dest" in plan.after and plan.after["dest"] == "(new)" and state["dest"] is not None:
            state["dest"] = "(new)"
        if "restored" in plan.after:
            if not self.there:
                raise StackError(
                    f"{self.wanted.collection} was restored, says the server, but it is not there; see its log"
                )
            state["restored"] = plan.after["restored"]
        return state

    def result(self, state: dict[str, Any]) -> dict[str, Any]:
        return {"snapshots": self.rows, "created": self.made}


def _made_at(row: Mapping[str, Any]) -> Optional[datetime]:
    text = row.get("creation_time")
    return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc) if text else None


def _age_key(row: Mapping[str, Any]) -> tuple[str, str]:
    return (row.get("creation_time") or "", row["name"])


def _digest(path: Optional[str]) -> Optional[str]:
    if path is None or not os.path.isfile(path):
        return None
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
