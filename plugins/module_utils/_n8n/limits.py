# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that n8n refuses half way through, or takes without a word and then does not follow."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import WEBHOOK_TYPE
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.words import meant

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
# The settings that n8n's API takes, each with its values or their kind.
SETTINGS: dict[str, Any] = {
    "saveExecutionProgress": bool,
    "saveManualExecutions": bool,
    "saveDataErrorExecution": ("all", "none"),
    "saveDataSuccessExecution": ("all", "none"),
    "executionTimeout": float,
    "errorWorkflow": str,
    "timezone": str,
    "executionOrder": ("v0", "v1"),
    "callerPolicy": ("any", "none", "workflowsFromAList", "workflowsFromSameOwner"),
    "callerIds": str,
    "timeSavedMode": ("fixed", "dynamic"),
    "timeSavedPerExecution": float,
    "redactionPolicy": None,
    "availableInMCP": bool,
    "customTelemetryTags": None,
    "binaryMode": None,
    "credentialResolverId": None,
}
KINDS = {bool: "true or false", str: "a text", float: "a number"}


def check_limits(item: Mapping[str, Any]) -> None:
    """:raises StackError: for a setting or a method that n8n does not have"""
    for why in _settings_problems(item.get("settings") or {}):
        raise StackError(f"workflow '{item['name']}': {why}")
    for node in item["nodes"]:
        for why in _method_problems(node):
            raise StackError(f"workflow '{item['name']}', node '{node['name']}': {why}")


def _settings_problems(settings: Mapping[str, Any]) -> Iterable[str]:
    for key, value in settings.items():
        if key not in SETTINGS:
            yield f"n8n knows no setting '{key}'; {meant(key, SETTINGS, 'remove it')}"
        elif not _fits(value, SETTINGS[key]):
            kind = SETTINGS[key]
            takes = " or ".join(kind) if isinstance(kind, tuple) else KINDS[kind]
            yield f"settings.{key} is {value!r}; n8n takes {takes}"


def _fits(value: Any, kind: Any) -> bool:
    if kind is None:
        return True
    if isinstance(kind, tuple):
        return value in kind
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, kind)


def _method_problems(node: Mapping[str, Any]) -> Iterable[str]:
    if node["type"] != WEBHOOK_TYPE or node.get("disabled"):
        return
    methods = (node["parameters"] or {}).get("httpMethod", "GET")
    for method in methods if isinstance(methods, list) else [methods]:
        if method not in METHODS and not (isinstance(method, str) and method.startswith("=")):
            hint = meant(str(method).upper(), METHODS, f"n8n takes {', '.join(METHODS)}")
            yield f"httpMethod is {method!r}; {hint}"
