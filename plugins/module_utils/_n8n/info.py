# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What n8n says of its workflows, credentials and executions, in the form in which the modules return it."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError, StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import LARGEST_PAGE, Api
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.definition import (
    SETTINGS_THAT_N8N_DROPS,
    reference_name,
    webhooks,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.policy import publication, tags_of
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.publishing import publication_status
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import (
    CALLED,
    WorkflowIndex,
    called_name,
    called_reference,
    error_workflow,
    error_workflow_name,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.session import Session

FAILED = ("error", "crashed", "canceled")


def credentials(api: Api, *, names: Optional[Sequence[str]], kind: Optional[str]) -> list[dict[str, Any]]:
    found = [
        {key: item[key] for key in ("id", "name", "type", "createdAt", "updatedAt")}
        for item in api.list("/credentials")
        if (names is None or item["name"] in names) and kind in (None, item["type"])
    ]
    renamed = {"createdAt": "created_at", "updatedAt": "updated_at"}
    return sorted(
        ({renamed.get(key, key): value for key, value in item.items()} for item in found),
        key=lambda item: (item["name"], item["id"]),
    )


def workflows(
    api: Api,
    session: Session,
    *,
    names: Optional[Sequence[str]] = None,
    tag: Optional[str] = None,
    definitions: bool = False,
) -> list[dict[str, Any]]:
    listing = api.list("/workflows", excludePinnedData="true")
    flows = WorkflowIndex(listing)
    wanted = [
        item for item in listing if (names is None or item["name"] in names) and (tag is None or tag in tags_of(item))
    ]
    client = session.client() if wanted else None
    found = []
    for item in sorted(wanted, key=lambda one: (one["name"], one["id"])):
        told: dict[str, Any] = {
            "id": item["id"],
            "name": item["name"],
            "publication": publication(item),
            "tags": sorted(tags_of(item)),
            "webhooks": [f"{api.url}/webhook/{path}" for path, _methods in webhooks(item)],
            "version_id": item.get("versionId"),
            "active_version_id": item.get("activeVersionId"),
            "updated_at": item.get("updatedAt"),
        }
        if client is not None:
            told["triggers"] = triggers(publication_status(client, item["id"]), item)
        if definitions:
            told["definition"] = definition(item, flows)
        found.append(told)
    return found


def triggers(status: Optional[Mapping[str, Any]], item: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """What n8n's own interface knows of a publication, with the names of the nodes."""
    if status is None:
        return None
    names = {node.get("id"): node["name"] for node in item["nodes"]}
    return {
        "status": status["status"],
        "nodes": [
            {
                "node": names.get(one.get("nodeId"), one.get("nodeId")),
                "status": one.get("status"),
                "error": one.get("errorMessage"),
            }
            for one in status.get("triggers") or ()
        ],
    }


def definition(item: Mapping[str, Any], flows: WorkflowIndex) -> dict[str, Any]:
    """A live workflow as n8n_workflow takes it, in this n8n or another: what it refers to by name."""
    settings = {key: value for key, value in (item.get("settings") or {}).items() if key not in SETTINGS_THAT_N8N_DROPS}
    called = error_workflow(item)
    if called is not None:
        settings["errorWorkflow"] = error_workflow_name(called, flows)
    return {
        "name": item["name"],
        "nodes": [_portable(node, flows) for node in item["nodes"]],
        "connections": item["connections"],
        "settings": settings,
    }


def _portable(node: Mapping[str, Any], flows: WorkflowIndex) -> dict[str, Any]:
    portable = dict(node)
    if node.get("credentials"):
        portable["credentials"] = {kind: {"name": reference_name(ref)} for kind, ref in node["credentials"].items()}
    reference = called_reference(node)
    if reference is not None:
        name = flows.name_of(reference.get("value")) or called_name(reference, flows)
        called = {"__rl": True, "mode": "list", "value": "", "cachedResultName": name}
        portable["parameters"] = {**node["parameters"], CALLED: called}
    return portable


def executions(
    api: Api,
    *,
    workflow: Optional[str] = None,
    workflow_id: Optional[str] = None,
    status: Optional[str] = None,
    limit: int = 20,
) -> list[dict[str, Any]]:
    """The newest executions first, with the reason of each that failed."""
    names = {item["id"]: item["name"] for item in api.list("/workflows", excludePinnedData="true")}
    if workflow is not None:
        workflow_id = _only(workflow, names)
        if workflow_id is None and api.missing:
            return []
    query = {"workflowId": workflow_id, "status": status}
    found: list[dict[str, Any]] = []
    for item in _pages(api, {key: value for key, value in query.items() if value is not None}, limit):
        told = {
            "id": item["id"],
            "workflow_id": item["workflowId"],
            "workflow": names.get(item["workflowId"]),
            "status": item.get("status"),
            "mode": item.get("mode"),
            "started_at": item.get("startedAt"),
            "stopped_at": item.get("stoppedAt"),
            "error": None,
        }
        if told["status"] in FAILED:
            told["error"] = _error(api, item["id"])
        found.append(told)
    return found


def _only(name: str, names: Mapping[str, str]) -> Optional[str]:
    ids = sorted(workflow_id for workflow_id, seen in names.items() if seen == name)
    if len(ids) > 1:
        raise StackError(f"n8n has more than one workflow named '{name}' (ids {', '.join(ids)}); give workflow_id")
    if not ids and names:
        raise StackError(f"workflow: n8n has no workflow named '{name}'; correct the name")
    return ids[0] if ids else None


def _pages(api: Api, query: Mapping[str, str], limit: int) -> Iterable[Mapping[str, Any]]:
    cursor: Optional[str] = None
    while limit > 0 and not api.missing:
        size = min(limit, LARGEST_PAGE)
        page = api.call("GET", "/executions", params={**query, "limit": size, **({"cursor": cursor} if cursor else {})})
        yield from page["data"]
        limit -= len(page["data"])
        cursor = page.get("nextCursor")
        if not cursor:
            return


def _error(api: Api, execution_id: str) -> Optional[dict[str, Any]]:
    """n8n's first words, for its last ones may be a translation of them."""
    try:
        whole = api.call("GET", f"/executions/{execution_id}", params={"includeData": "true"})
    except ApiError as error:
        if error.status == 404:  # pruned in the meantime
            return None
        raise
    result = ((whole.get("data") or {}).get("resultData")) or {}
    error = result.get("error") or {}
    messages = [text for text in error.get("messages") or () if isinstance(text, str)]
    message = messages[0] if messages else error.get("message")
    return {"message": message if isinstance(message, str) else None, "node": result.get("lastNodeExecuted")}
