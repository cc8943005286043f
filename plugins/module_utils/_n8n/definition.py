# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a workflow is compared, and what is sent: n8n adds, rewrites and keeps a lot on its own."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

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
WEBHOOK_TYPE = "n8n-nodes-base.webhook"
UNRESOLVED = "nothing that exists"
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
        self._known: set[str] = set()
        for item in live:
            self._ids.setdefault((item["type"], item["name"]), []).append(item["id"])
            self._known.add(item["id"])

    def resolve(self, kind: str, name: str) -> Optional[str]:
        """The id, or None unless exactly one credential has this type and name."""
        ids = self._ids.get((kind, name), [])
        return ids[0] if len(ids) == 1 else None

    def exists(self, credential_id: Any) -> bool:
        return credential_id in self._known

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


def unresolved(item: Mapping[str, Any], index: CredentialIndex) -> list[str]:
    """One sentence for each credential that a workflow refers to and n8n could not find."""
    found = []
    for node, kind, name in references(item):
        count = index.count(kind, name)
        if count != 1:
            there = "there is none" if count == 0 else f"there are {count}"
            found.append(
                f"workflow '{item['name']}', node '{node}' refers to the {kind} credential '{name}', and {there}; "
                "create exactly one with n8n_credential"
            )
    return found


def normal_form(item: Mapping[str, Any], index: Optional[CredentialIndex] = None) -> dict[str, Any]:
    """What is compared.

    :param index: given for a live workflow, whose references are then checked against what exists
    """
    form: dict[str, Any] = {
        "nodes": {node["name"]: _node_form(node, index) for node in item["nodes"]},
        "connections": item["connections"],
        "settings": {
            key: value
            for key, value in (item.get("settings") or {}).items()
            if key not in SETTINGS_THAT_N8N_DROPS and SENTINELS.get(key) != value
        },
    }
    if item.get("description") is not None:
        form["description"] = item["description"]
    return form


def _node_form(node: Mapping[str, Any], index: Optional[CredentialIndex]) -> dict[str, Any]:
    form = {key: value for key, value in node.items() if key not in (*IDENTITY_KEYS, "credentials")}
    if node.get("credentials"):
        form["credentials"] = {
            kind: _reference_form(reference, index, bool(node.get("disabled")))
            for kind, reference in node["credentials"].items()
        }
    return form


def _reference_form(reference: Any, index: Optional[CredentialIndex], disabled: bool) -> str:
    name = reference_name(reference)
    if index is None or disabled:
        return name
    credential_id = reference.get("id") if isinstance(reference, Mapping) else None
    return name if index.exists(credential_id) else UNRESOLVED


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

    A leaf that holds a secret on either side is shown on neither: what it replaces is mostly an older secret.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        found: dict[str, tuple[Any, Any]] = {}
        for key in sorted({*before, *after}, key=str):
            found.update(changes(before.get(key), after.get(key), f"{path}.{key}" if path else str(key), secrets))
        return found
    if before == after:
        return {}
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
    wanted: Mapping[str, Any], index: CredentialIndex, live: Optional[Mapping[str, Any]] = None
) -> dict[str, Any]:
    """What is sent to create a workflow, or to update a live one.

    Nodes keep the live id and webhookId: with other ones n8n takes a webhook down and up again, and calls are lost.
    """
    settings = {
        key: value
        for key, value in (wanted.get("settings") or {}).items()
        if key not in SETTINGS_THAT_N8N_DROPS and SENTINELS.get(key) != value
    }
    identity: dict[tuple[str, str], Mapping[str, Any]] = {}
    if live is not None:
        identity = {(node["name"], node["type"]): node for node in live["nodes"]}
        there = live.get("settings") or {}
        settings.update({key: value for key, value in SENTINELS.items() if key in there and key not in settings})
    body: dict[str, Any] = {
        "name": wanted["name"],
        "nodes": [
            _request_node(node, index, identity.get((node["name"], node["type"]), {})) for node in wanted["nodes"]
        ],
        "connections": wanted["connections"],
        "settings": settings,
    }
    if live is not None and wanted.get("description") is not None:
        body["description"] = wanted["description"]
    return body


def _request_node(node: Mapping[str, Any], index: CredentialIndex, live: Mapping[str, Any]) -> dict[str, Any]:
    sent = {**node, **{key: live[key] for key in IDENTITY_KEYS if live.get(key)}}
    if node.get("credentials"):
        sent["credentials"] = {
            kind: {"id": index.resolve(kind, reference_name(reference)), "name": reference_name(reference)}
            for kind, reference in node["credentials"].items()
        }
    return sent


def webhooks(item: Mapping[str, Any]) -> list[tuple[str, frozenset[str]]]:
    """(path, methods) of the webhooks whose path is known without running anything."""
    found: dict[str, set[str]] = {}
    for node in item["nodes"]:
        if node["type"] != WEBHOOK_TYPE or node.get("disabled"):
            continue
        parameters = node["parameters"] or {}
        path = str(parameters.get("path", "")).strip("/")
        methods = parameters.get("httpMethod", "GET")
        if path and ":" not in path and not path.startswith("="):
            found.setdefault(path, set()).update(methods if isinstance(methods, list) else [str(methods)])
    return [(path, frozenset(methods)) for path, methods in sorted(found.items())]
