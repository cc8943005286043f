"""Small workflows, as n8n's own export writes them."""

from __future__ import annotations

from typing import Any


def flow(name: str, *nodes: dict[str, Any], **settings: Any) -> dict[str, Any]:
    names = [node["name"] for node in nodes]
    wires = {left: {"main": [[{"node": right, "type": "main", "index": 0}]]} for left, right in zip(names, names[1:])}
    return {"name": name, "nodes": list(nodes), "connections": wires, "settings": {"executionOrder": "v1", **settings}}


def node(name: str, kind: str, version: float, **parameters: Any) -> dict[str, Any]:
    kind = kind if "." in kind else f"n8n-nodes-base.{kind}"
    return {"name": name, "type": kind, "typeVersion": version, "position": [0, 0], "parameters": parameters}


def hook(path: str) -> dict[str, Any]:
    return node("Hook", "webhook", 2, httpMethod="POST", path=path)


def simple(name: str, path: str, *more: dict[str, Any], **over: Any) -> dict[str, Any]:
    """One that answers on a path and does nothing."""
    return {**flow(name, hook(path), *(more or (node("Nothing", "noOp", 1),))), **over}


def call(name: str, workflow: str) -> dict[str, Any]:
    chosen = {"__rl": True, "mode": "list", "value": "", "cachedResultName": workflow}
    return node(name, "executeWorkflow", 1.2, workflowId=chosen, options={})


def called(name: str, *nodes: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """One that others call."""
    return flow(name, node("In", "executeWorkflowTrigger", 1.1, inputSource="passthrough"), *nodes, **settings)
