# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What workflows have to do with each other: who calls whom, who answers on which path, who was renamed."""

from __future__ import annotations

import uuid
from typing import Any, Iterable, Mapping, Optional, Sequence

CALLING_TYPES = ("n8n-nodes-base.executeWorkflow", "@n8n/n8n-nodes-langchain.toolWorkflow")
CALLED = "workflowId"
NO_WORKFLOW = "DEFAULT"
WEBHOOK_TYPE = "n8n-nodes-base.webhook"
UNRESOLVED = "nothing that exists"
FAMILY = uuid.UUID("6f2d1c3e-9d0b-5c55-9a53-2d2f7f3b8a10")


class WorkflowIndex:
    """The workflows of n8n and those that are declared, by id and by name.

    Ids are made by n8n, so a definition that shall work anywhere names what it calls.
    """

    def __init__(self, live: Iterable[Mapping[str, Any]] = (), declared: Iterable[str] = ()) -> None:
        self._names: dict[str, str] = {}
        self._ids: dict[str, list[str]] = {}
        self._declared = set(declared)
        for item in live:
            self.add(item["id"], item["name"])

    def add(self, workflow_id: str, name: str) -> None:
        self._names[workflow_id] = name
        ids = self._ids.setdefault(name, [])
        if workflow_id not in ids:
            ids.append(workflow_id)

    def knows(self, name: str) -> bool:
        return name in self._declared or len(self._ids.get(name, [])) == 1

    def id_of(self, name: str) -> Optional[str]:
        ids = self._ids.get(name, [])
        return ids[0] if len(ids) == 1 else None

    def name_of(self, workflow_id: Any) -> Optional[str]:
        return self._names.get(workflow_id)


def called_reference(node: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    """The reference of a node that calls a workflow which was chosen from n8n's list."""
    parameters = node.get("parameters") or {}
    reference = parameters.get(CALLED) if node.get("type") in CALLING_TYPES else None
    listed = isinstance(reference, Mapping) and reference.get("mode") == "list"
    return reference if listed and isinstance(reference.get("cachedResultName"), str) else None


def called_name(reference: Mapping[str, Any], index: WorkflowIndex) -> str:
    """By name; by id only where nothing has the name."""
    name = reference["cachedResultName"]
    return name if index.knows(name) else index.name_of(reference.get("value")) or name


def error_workflow_name(value: Any, index: WorkflowIndex) -> str:
    return value if index.knows(value) else index.name_of(value) or value


def error_workflow(item: Mapping[str, Any]) -> Optional[str]:
    value = (item.get("settings") or {}).get("errorWorkflow")
    return value if isinstance(value, str) and value not in ("", NO_WORKFLOW) else None


def calls(item: Mapping[str, Any], index: WorkflowIndex) -> list[tuple[str, str]]:
    """(where, name) of every workflow that another one needs."""
    found = []
    for node in item["nodes"]:
        reference = None if node.get("disabled") else called_reference(node)
        if reference is not None:
            found.append((f"node '{node['name']}'", called_name(reference, index)))
    value = error_workflow(item)
    if value is not None:
        found.append(("settings.errorWorkflow", error_workflow_name(value, index)))
    return found


def unknown_calls(item: Mapping[str, Any], index: WorkflowIndex) -> list[str]:
    """One sentence for each workflow that is called and that neither n8n nor the declaration has."""
    return [
        f"workflow '{item['name']}', {where} refers to the workflow '{name}', and n8n has not exactly one of that "
        "name; declare it too, or correct the name"
        for where, name in calls(item, index)
        if not index.knows(name)
    ]


def webhook_nodes(item: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """(node, method, path) of the webhooks whose path is known without running anything."""
    for node in item["nodes"]:
        if node["type"] != WEBHOOK_TYPE or node.get("disabled"):
            continue
        parameters = node["parameters"] or {}
        path = str(parameters.get("path", "")).strip("/")
        methods = parameters.get("httpMethod", "GET")
        if path and ":" not in path and not path.startswith("="):
            for method in methods if isinstance(methods, list) else [methods]:
                yield node["name"], str(method).upper(), path


def webhook_paths(item: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(method, path) of all that it answers."""
    return {(method, path) for _node, method, path in webhook_nodes(item)}


def counterparts(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The live node of each wanted one that is there: the one of its name and type, else who answers where it does."""
    there = {(node["name"], node["type"]): node for node in live["nodes"]}
    same = [(node["name"], there.get((node["name"], node["type"]))) for node in wanted["nodes"]]
    found = {name: node for name, node in same if node is not None}
    answering = {paths: name for name, paths in _answers(live).items()}
    for name, paths in _answers(wanted).items():
        other = answering.get(paths)
        if name not in found and other is not None and other not in found:
            found[name] = there[other, WEBHOOK_TYPE]
    return found


def _answers(item: Mapping[str, Any]) -> dict[str, frozenset[tuple[str, str]]]:
    """(method, path) of all that each webhook node answers."""
    found: dict[str, set[tuple[str, str]]] = {}
    for node, method, path in webhook_nodes(item):
        found.setdefault(node, set()).add((method, path))
    return {node: frozenset(paths) for node, paths in found.items()}


def webhook_conflict(item: Mapping[str, Any], others: Iterable[Mapping[str, Any]] = ()) -> Optional[str]:
    """What else answers where a workflow wants to, in one sentence."""
    mine: dict[tuple[str, str], str] = {}
    for node, method, path in webhook_nodes(item):
        if (method, path) in mine:
            return (
                f"workflow '{item['name']}': the nodes '{mine[method, path]}' and '{node}' both answer {method} "
                f"/webhook/{path}; give one another path"
            )
        mine[method, path] = node
    for other in others:
        for _node, method, path in webhook_nodes(other):
            if (method, path) in mine:
                whose = f" (id {other['id']})" if other.get("id") else ""
                return (
                    f"workflow '{item['name']}', node '{mine[method, path]}' wants {method} /webhook/{path}, which "
                    f"belongs to the workflow '{other['name']}'{whose}; give one another path, or unpublish the other"
                )
    return None


def node_id(workflow: str, node: str) -> str:
    """The id under which a node is made, whatever id a definition gives it.

    It follows from the names, so that it tells under which name a workflow was made; a copy of a definition under
    another name has other ids.
    """
    return str(uuid.uuid5(FAMILY, f"{workflow}\n{node}"))


def made_and_left(live: Mapping[str, Any]) -> bool:
    """Whether a run made this workflow, ended before it could do anything else with it, and nobody else did since."""
    untouched = live.get("createdAt") is not None and live.get("createdAt") == live.get("updatedAt")
    return untouched and made_here(live) and not live.get("active") and not live.get("isArchived")


def made_here(live: Mapping[str, Any]) -> bool:
    """Whether a declaration made this workflow under the name that it has."""
    return bool(live["nodes"]) and all(_derived(live))


def at_home(live: Mapping[str, Any]) -> bool:
    """Whether a workflow has the name under which a declaration made it, or a node of it, so nobody renamed it."""
    return any(_derived(live))


def _derived(live: Mapping[str, Any]) -> Iterable[bool]:
    return (node.get("id") == node_id(live["name"], node["name"]) for node in live["nodes"])


def renamed(wanted: Mapping[str, Any], strays: Sequence[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
    """The one stray workflow that was made under this name: at least half of the nodes have the ids from then."""
    ids = {node_id(wanted["name"], node["name"]) for node in wanted.get("nodes") or ()}
    alike = [
        stray for stray in strays if ids and 2 * len(ids & {node.get("id") for node in stray["nodes"]}) >= len(ids)
    ]
    return alike[0] if len(alike) == 1 else None


def alike(wanted: Mapping[str, Any], strays: Sequence[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
    """The one stray workflow that is this definition under another name, whatever the ids of its nodes.

    It answers on the same webhooks, and half of the nodes are the same; without webhooks everything is the same, for
    schedules and error triggers are much the same everywhere.
    """
    mine, paths = _faces(wanted), webhook_paths(wanted)

    def same(stray: Mapping[str, Any]) -> bool:
        theirs = _faces(stray)
        if not paths:
            return mine == theirs and wanted["connections"] == stray["connections"]
        common = sum(theirs.get(name) == face for name, face in mine.items())
        return paths == webhook_paths(stray) and 2 * common >= max(len(mine), len(theirs))

    found = [stray for stray in strays if not stray.get("isArchived") and same(stray)]
    return found[0] if len(found) == 1 else None


def _faces(item: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes by name, with the names of what they call in place of n8n's ids."""
    return {
        node["name"]: (node["type"], {**(node["parameters"] or {}), CALLED: _callee(node)}) for node in item["nodes"]
    }


def _callee(node: Mapping[str, Any]) -> Any:
    reference = called_reference(node)
    return (node["parameters"] or {}).get(CALLED) if reference is None else reference["cachedResultName"]
