# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose turn it is: who is called comes before who calls, and who gives a path up before who takes it."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import (
    CALLING_TYPES,
    WorkflowIndex,
    called_name,
    called_reference,
    calls,
    webhook_nodes,
    webhook_paths,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.steps import short
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation

GIVES_UP = ("publish", "unpublish", "archive", "delete")


def running(item: Mapping[str, Any]) -> bool:
    return bool(item.get("active")) and not item.get("isArchived")


def live_version(item: Mapping[str, Any]) -> dict[str, Any]:
    """A workflow with the nodes that run, which may be older than those that were saved."""
    return {**item, **(item.get("activeVersion") or {}), "id": item["id"], "name": item["name"]}


def handovers(
    live: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, Mapping[str, Any]]
) -> dict[str, set[str]]:  # fmt: skip
    """Of which workflows each one takes over a path that they are declared without."""
    stays = {name: webhook_paths(item) for name, item in wanted.items()}
    holders = {
        one: name
        for name, item in live.items()
        if name in wanted and running(item)
        for one in webhook_paths(live_version(item))
    }
    takes = {
        name: {holders[one] for one in paths if one in holders and one not in stays[holders[one]]} - {name}
        for name, paths in stays.items()
    }
    return {name: givers for name, givers in takes.items() if givers}


def in_order(
    wanted: Mapping[str, Mapping[str, Any]], index: WorkflowIndex, takes: Mapping[str, set[str]]
) -> list[str]:  # fmt: skip
    """The names so that each comes after what it needs, else by name; a circle is entered anywhere.

    A path that goes round in a circle is the one thing that ``make_way`` has to break.
    """
    needs = {name: sorted({called for _where, called in calls(item, index)}) for name, item in wanted.items()}
    for taker, giver in sorted((taker, giver) for taker, givers in takes.items() for giver in givers):
        if not _leads(needs, giver, taker):
            needs[taker] = sorted({*needs[taker], giver})
    done: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in done or name in path:
            return
        for needed in needs.get(name, ()):
            visit(needed, (*path, name))
        if name in needs:
            done[name] = None

    for name in sorted(needs):
        visit(name, ())
    return list(done)


def _leads(needs: Mapping[str, Sequence[str]], start: str, goal: str) -> bool:
    seen: set[str] = set()
    todo = [start]
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            todo += needs.get(name, ())
    return False


def too_early(
    order: Iterable[str], wanted: Mapping[str, Mapping[str, Any]], index: WorkflowIndex
) -> tuple[dict[str, list[str]], set[str]]:
    """Where workflows need each other in a circle, somebody comes before what it needs.

    :returns: what each of them lacks when its turn comes, for it is made later; and the names that have to wait with
        being published, because what they need waits too
    """
    lacking: dict[str, list[str]] = {}
    waiting: set[str] = set()
    ready: set[str] = set()
    for name in order:
        needed = {called for _where, called in calls(wanted[name], index)} - {name}
        missing = sorted(called for called in needed - ready if called in wanted and index.id_of(called) is None)
        if missing:
            lacking[name] = missing
        if missing or needed & waiting:
            waiting.add(name)
        ready.add(name)
    return lacking, waiting


def called_by(item: Mapping[str, Any], index: WorkflowIndex) -> dict[str, list[str]]:
    """The workflows that have to be published before this one, each with the nodes that call it."""
    found: dict[str, list[str]] = {}
    for node in item["nodes"]:
        reference = called_reference(node) if _insists(node) else None
        if reference is not None and called_name(reference, index) != item["name"]:
            found.setdefault(called_name(reference, index), []).append(node["name"])
    return found


def _insists(node: Mapping[str, Any]) -> bool:
    """Whether n8n wants what this node calls to be published; what an agent calls as a tool it does not look at."""
    from_list = (node.get("parameters") or {}).get("source", "database") == "database"
    return node["type"] == CALLING_TYPES[0] and from_list and not node.get("disabled")


def resting_calls(
    operations: Iterable[Operation], needs: Mapping[str, Mapping[str, Sequence[str]]], up: Iterable[str]
) -> list[str]:
    """One sentence for each call that keeps a workflow from being published, for what it calls is not and stays so."""
    coming = {step.target for step in operations if step.verb == "publish"}
    return [
        f"workflow '{name}', node '{needs[name][called][0]}' calls the workflow '{called}', which is not published, "
        "and n8n publishes no workflow before those that it calls; publish that one too, or disable the node"
        for name in sorted(coming)
        for called in sorted(needs.get(name, ()))
        if called not in coming and called not in up
    ]


def break_circles(
    operations: Sequence[Operation], needs: Mapping[str, Mapping[str, Sequence[str]]], live: Iterable[str]
) -> list[Operation]:
    """The steps, so that nothing is published before what it calls.

    Of those that call each other in a circle one is published without its call first.

    :param needs: of ``called_by``
    """
    coming = {step.target for step in operations if step.verb == "publish"}
    up, waiting, done = set(live), list[Operation](), list[Operation]()

    def lacks(name: str) -> list[str]:
        return sorted(called for called in needs.get(name, ()) if called in coming and called not in up)

    def take(step: Operation) -> None:
        done.append(step)
        if step.verb in ("publish", "without"):
            up.add(step.target)
            ready = next((one for one in waiting if not lacks(one.target)), None)
            if ready is not None:
                waiting.remove(ready)
                take(ready)

    for step in operations:
        if step.verb == "publish" and lacks(step.target):
            waiting.append(step)
        else:
            take(step)
    while waiting:
        blocked = {step.target: lacks(step.target) for step in waiting}
        name = next(one for one in blocked if any(_leads(blocked, needed, one) for needed in blocked[one]))
        words = f"publish workflow '{name}' without its call of {short([repr(one) for one in blocked[name]])} at first"
        nodes = sorted(node for called in blocked[name] for node in needs[name][called])
        take(Operation("without", name, f"{words}, for they call each other in a circle", {"nodes": nodes}))
    return done


def aside(live: Mapping[str, Any], paths: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """What is sent so that a live workflow stays as it is and answers on paths that nobody wants.

    :param paths: (method, path) of what others want
    """
    item = live_version(live)
    wanted = {node for node, method, path in webhook_nodes(item) if (method, path) in set(paths)}
    nodes = [
        {**node, "parameters": {**node["parameters"], "path": f"aside-{node['id']}"}}
        if node["name"] in wanted
        else node
        for node in item["nodes"]
    ]
    return {"name": item["name"], "nodes": nodes, "connections": item["connections"], "settings": {}}


def make_way(operations: Iterable[Operation], takes: Mapping[str, set[str]]) -> list[Operation]:
    """The steps, with one before each publication that finds its path still held: who holds it goes aside first.

    It is not unpublished, for where nobody says that it has to be published, nobody would know that it was.
    """
    done: list[Operation] = []
    gave_up: set[str] = set()
    for operation in operations:
        if operation.verb == "publish":
            for giver in sorted(takes.get(operation.target, set()) - gave_up):
                words = f"move workflow '{giver}' aside for a moment, for '{operation.target}' takes over its path"
                done.append(Operation("aside", giver, words))
                gave_up.add(giver)
        if operation.verb in GIVES_UP:
            gave_up.add(operation.target)
        done.append(operation)
    return done
