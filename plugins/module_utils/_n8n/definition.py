# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a workflow is compared, and what is sent: n8n adds, rewrites and keeps a lot on its own."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, Iterable, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.limits import check_limits
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import (
    CALLED,
    UNRESOLVED,
    WEBHOOK_TYPE,
    WorkflowIndex,
    called_name,
    called_reference,
    counterparts,
    error_workflow,
    error_workflow_name,
    node_id,
    unknown_calls,
    webhook_conflict,
    webhook_nodes,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.schedule import check_schedule

NODE_KEYS = {
    *("id", "name", "type", "typeVersion", "position", "parameters", "credentials", "webhookId", "disabled"),
    *("notes", "notesInFlow", "executeOnce", "alwaysOutputData", "retryOnFail", "maxTries", "waitBetweenTries"),
    *("continueOnFail", "onError", "customTelemetryTags"),
}
IDENTITY_KEYS = ("id", "webhookId")
SETTINGS_THAT_N8N_DROPS = frozenset({"binaryMode", "credentialResolverId", "redactionPolicy"})
# n8n merges settings: a key that is left out stays for ever, and only these can be taken away, by these values.
SENTINELS: dict[str, Any] = {"errorWorkflow": "DEFAULT", "timezone": "DEFAULT", "executionTimeout": -1}
LONGEST_NAME = 128
NO_WORKFLOWS = WorkflowIndex()
HIDDEN = "***"
DIFFERS = "*** (differs)"


def check_wanted(wanted: Sequence[Mapping[str, Any]], *, content: bool) -> None:
    """:raises StackError: for a definition that n8n would refuse, or could not tell from another"""
    for position, item in enumerate(wanted):
        name = item.get("name")
        if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
            raise StackError(
                f"workflows: number {position + 1} has the name {name!r}; a name has 1 to {LONGEST_NAME} characters"
            )
        if content:
            _check_content(name, item)
            _check_numbers(name, item)
    for name, count in Counter(item["name"] for item in wanted).items():
        if count > 1:
            raise StackError(f"workflows: '{name}' is declared {count} times; give each a name of its own")


def _check_content(name: str, item: Mapping[str, Any]) -> None:
    nodes, connections = item.get("nodes"), item.get("connections")
    if not isinstance(nodes, list) or not nodes or not isinstance(connections, Mapping):
        raise StackError(f"workflow '{name}' needs nodes (a list) and connections; use what n8n's own export writes")
    if not all(isinstance(node, Mapping) for node in nodes):
        raise StackError(f"workflow '{name}' has a node that is no mapping; use what n8n's own export writes")
    for node in nodes:
        missing = [key for key in ("name", "type", "typeVersion", "position", "parameters") if key not in node]
        if missing:
            raise StackError(f"workflow '{name}', node '{node.get('name')}': {missing[0]} is missing; add it")
        unknown = sorted(set(node) - NODE_KEYS)
        if unknown:
            raise StackError(f"workflow '{name}', node '{node['name']}': n8n knows no key '{unknown[0]}'; remove it")
        for key in ("name", "type"):
            if not isinstance(node[key], str):
                raise StackError(f"workflow '{name}', node '{node['name']}': {key} is no text; put it in quotes")
        for key, value in (("typeVersion", node["typeVersion"]), *_coordinates(node)):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise StackError(
                    f"workflow '{name}', node '{node['name']}': {key} is {value!r}, which is no number; "
                    "write a number without quotes"
                )
        for key in ("parameters", "credentials"):
            if key in node and not isinstance(node[key] or {}, Mapping):
                raise StackError(f"workflow '{name}', node '{node['name']}': {key} is no mapping; write it as one")
    if not isinstance(item.get("settings") or {}, Mapping):
        raise StackError(f"workflow '{name}': settings is no mapping; write it as one")
    names = Counter(node["name"] for node in nodes)
    twice = [node_name for node_name, count in names.items() if count > 1]
    if twice:
        raise StackError(f"workflow '{name}' has more than one node named '{twice[0]}'; rename one")
    try:
        ends = list(_ends(connections))
    except (AttributeError, KeyError, TypeError):
        raise StackError(
            f"workflow '{name}': connections have not the shape that n8n's own export writes; export it once more"
        ) from None
    for source, target in ends:
        if source not in names or target not in names:
            stray = source if source not in names else target
            raise StackError(f"workflow '{name}': connections name '{stray}', and there is no such node; correct it")
    check_limits(item)
    check_schedule(item)
    conflict = webhook_conflict(item)
    if conflict:
        raise StackError(conflict)


def _coordinates(node: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Both numbers of the position; where it is no pair, itself."""
    position = node["position"]
    pair = isinstance(position, (list, tuple)) and len(position) == 2
    return [("position", one) for one in (position if pair else [position])]


def _check_numbers(name: str, item: Mapping[str, Any]) -> None:
    try:
        json.dumps(item, allow_nan=False)  # the quick way to see that there is nothing to look for
    except ValueError:
        for path in no_numbers(item):
            raise StackError(
                f"workflow '{name}': {path} is no number that JSON can carry; write a number, or null"
            ) from None


def no_numbers(value: Any, path: str = "") -> Iterable[str]:
    """Where a value holds NaN or an infinity, which YAML and Python know and JSON does not."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from no_numbers(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from no_numbers(item, f"{path}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{path} ({value})"


def _ends(connections: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for source, kinds in connections.items():
        for outputs in kinds.values():
            for output in outputs or ():
                for end in output or ():
                    yield source, end["node"]


class CredentialIndex:
    """The credentials of n8n by type and name, to resolve what nodes refer to."""

    def __init__(self, live: Iterable[Mapping[str, Any]] = ()) -> None:
        self._ids: dict[tuple[str, str], list[str]] = {}
        self._known: dict[tuple[str, str], str] = {}
        for item in live:
            self._ids.setdefault((item["type"], item["name"]), []).append(item["id"])
            self._known[item["type"], item["id"]] = item["name"]

    def resolve(self, kind: str, name: str) -> Optional[str]:
        """The id, or None unless exactly one credential has this type and name."""
        ids = self._ids.get((kind, name), [])
        return ids[0] if len(ids) == 1 else None

    def name_of(self, kind: str, credential_id: Any) -> Optional[str]:
        """What a credential of this type is named now; None where there is none."""
        return self._known.get((kind, credential_id))

    def count(self, kind: str, name: str) -> int:
        return len(self._ids.get((kind, name), []))


def reference_name(reference: Any) -> str:
    """The name in a node's reference to a credential, which may be the bare name."""
    name = reference.get("name") if isinstance(reference, Mapping) else reference
    return name if isinstance(name, str) else ""


def references(item: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """(node, type, name) of every credential that an enabled node refers to."""
    for node in item["nodes"]:
        for kind, reference in (node.get("credentials") or {}).items() if not node.get("disabled") else ():
            yield node["name"], kind, reference_name(reference)


def unresolved(item: Mapping[str, Any], index: CredentialIndex, flows: WorkflowIndex = NO_WORKFLOWS) -> list[str]:
    """One sentence for each credential or workflow that a workflow refers to and n8n could not find."""
    found = unknown_calls(item, flows)
    for node, kind, name in references(item):
        count = index.count(kind, name)
        if count != 1:
            there = "there is none" if count == 0 else f"there are {count}"
            found.append(
                f"workflow '{item['name']}', node '{node}' refers to the {kind} credential '{name}', and {there}; "
                "create exactly one with n8n_credential"
            )
    return found


def normal_form(
    item: Mapping[str, Any], index: Optional[CredentialIndex] = None, flows: WorkflowIndex = NO_WORKFLOWS
) -> dict[str, Any]:
    """What is compared.

    :param index: given for a live workflow, whose references are then checked against what exists
    :param flows: what the workflows that are called are named
    """
    form: dict[str, Any] = {
        "nodes": {node["name"]: _node_form(node, index, flows) for node in item["nodes"]},
        "connections": item["connections"],
        "settings": {
            key: value
            for key, value in (item.get("settings") or {}).items()
            if key not in SETTINGS_THAT_N8N_DROPS and SENTINELS.get(key) != value
        },
    }
    called = error_workflow(item)
    if called is not None:
        form["settings"]["errorWorkflow"] = error_workflow_name(called, flows)
    if item.get("description") is not None:
        form["description"] = item["description"]
    return form


def _node_form(node: Mapping[str, Any], index: Optional[CredentialIndex], flows: WorkflowIndex) -> dict[str, Any]:
    form = {key: value for key, value in node.items() if key not in (*IDENTITY_KEYS, "credentials")}
    if node.get("credentials"):
        form["credentials"] = {
            kind: _reference_form(kind, reference, index, bool(node.get("disabled")))
            for kind, reference in node["credentials"].items()
        }
    reference = called_reference(node)
    if reference is not None:
        live = index is not None
        name = (flows.name_of(reference.get("value")) or UNRESOLVED) if live else called_name(reference, flows)
        form["parameters"] = {**node["parameters"], CALLED: name}
    return form


def _reference_form(kind: str, reference: Any, index: Optional[CredentialIndex], disabled: bool) -> str:
    """What the credential is named by now, or that it is gone.

    One that was renamed and whose old name nobody has is still the same one: it lacks its name, not the node its
    credential, and ``unresolved`` says so.
    """
    name = reference_name(reference)
    if index is None or disabled:
        return name
    current = index.name_of(kind, reference.get("id") if isinstance(reference, Mapping) else None)
    if current is None:
        return UNRESOLVED
    return name if index.count(kind, name) == 0 else current


def managed_part(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The live normal form without what the definition leaves to n8n."""
    settings = {key: value for key, value in live["settings"].items() if key in wanted["settings"] or key in SENTINELS}
    part = {**live, "settings": settings}
    if "description" not in wanted:
        part.pop("description", None)
    return part


def changes(
    before: Any, after: Any, path: str = "", secrets: Sequence[str] = ()
) -> dict[str, tuple[Any, Any]]:  # fmt: skip
    """Every leaf in which two normal forms differ: path → (before, after); None where there is nothing.

    A leaf that holds a secret on either side is shown on neither: what it replaces is mostly an older secret. For the
    same reason a node that goes is shown without its parameters where there are secrets.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        found: dict[str, tuple[Any, Any]] = {}
        for key in sorted({*before, *after}, key=str):
            found.update(changes(before.get(key), after.get(key), f"{path}.{key}" if path else str(key), secrets))
        return found
    if before == after:
        return {}
    if secrets and after is None and isinstance(before, Mapping) and "parameters" in before:
        before = {**before, "parameters": DIFFERS}
    if holds(before, secrets) or holds(after, secrets):
        return {path: (None if before is None else DIFFERS, None if after is None else HIDDEN)}
    return {path: (readable(before), readable(after))}


def holds(value: Any, secrets: Sequence[str]) -> bool:
    if isinstance(value, str):
        return any(secret in value for secret in secrets)
    if isinstance(value, Mapping):
        return any(holds(item, secrets) for item in value.values())
    return isinstance(value, list) and any(holds(item, secrets) for item in value)


def readable(value: Any) -> Any:
    """Code of many lines as a list of lines, so that a diff shows the lines that differ."""
    if isinstance(value, str) and "\n" in value:
        return value.splitlines()
    if isinstance(value, Mapping):
        return {key: readable(item) for key, item in value.items()}
    return [readable(item) for item in value] if isinstance(value, list) else value


def request_body(
    wanted: Mapping[str, Any],
    index: CredentialIndex,
    live: Optional[Mapping[str, Any]] = None,
    flows: WorkflowIndex = NO_WORKFLOWS,
) -> dict[str, Any]:
    """What is sent to create a workflow, or to update a live one.

    Nodes keep the live id and webhookId: with other ones n8n takes a webhook down and up again, and calls are lost.
    """
    settings = {
        key: value
        for key, value in (wanted.get("settings") or {}).items()
        if key not in SETTINGS_THAT_N8N_DROPS and SENTINELS.get(key) != value
    }
    called = error_workflow(wanted)
    if called is not None:
        found = flows.id_of(error_workflow_name(called, flows))
        settings.pop("errorWorkflow")  # one that is made later is put in later
        settings.update({} if found is None else {"errorWorkflow": found})
    identity: Mapping[str, Mapping[str, Any]] = {}
    taken: set[str] = set()
    if live is not None:
        identity = counterparts(wanted, live)
        taken = {node["id"] for node in live["nodes"] if node.get("id")}
        there = live.get("settings") or {}
        settings.update({key: value for key, value in SENTINELS.items() if key in there and key not in settings})
    nodes = []
    for node in wanted["nodes"]:
        kept = {key: value for key, value in identity.get(node["name"], {}).items() if value}
        kept = {key: kept[key] for key in IDENTITY_KEYS if key in kept} or _new_identity(wanted["name"], node, taken)
        nodes.append(_request_node(node, index, flows, kept))
    body: dict[str, Any] = {
        "name": wanted["name"],
        "nodes": nodes,
        "connections": wanted["connections"],
        "settings": settings,
    }
    if live is not None and wanted.get("description") is not None:
        body["description"] = wanted["description"]
    return body


def _new_identity(workflow: str, node: Mapping[str, Any], taken: set[str]) -> dict[str, str]:
    """Ids that follow from the names, so that a workflow that is renamed in n8n is known again.

    A webhook without an id of its own would be registered under another path by some versions of n8n.
    """
    made = node_id(workflow, node["name"])
    if made in taken:  # of a node that had this name and was of another type
        return {}
    webhook = node["type"] == WEBHOOK_TYPE and not node.get("webhookId")
    return {"id": made, **({"webhookId": made} if webhook else {})}


def _request_node(
    node: Mapping[str, Any], index: CredentialIndex, flows: WorkflowIndex, identity: Mapping[str, Any]
) -> dict[str, Any]:
    sent = {**node, **identity}
    if node.get("credentials"):
        sent["credentials"] = {
            kind: {"id": index.resolve(kind, reference_name(reference)), "name": reference_name(reference)}
            for kind, reference in node["credentials"].items()
        }
    reference = called_reference(node)
    if reference is not None:
        name = called_name(reference, flows)
        called = {"__rl": True, "mode": "list", "value": flows.id_of(name) or "", "cachedResultName": name}
        sent["parameters"] = {**node["parameters"], CALLED: called}
    return sent


def webhooks(item: Mapping[str, Any]) -> list[tuple[str, frozenset[str]]]:
    """(path, methods) of the webhooks whose path is known without running anything."""
    found: dict[str, set[str]] = {}
    for _node, method, path in webhook_nodes(item):
        found.setdefault(path, set()).add(method)
    return [(path, frozenset(methods)) for path, methods in sorted(found.items())]
