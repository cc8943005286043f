# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workflows: one listing, the smallest set of calls, and a published webhook is proven to answer."""

from __future__ import annotations

import re
import time
from typing import Any, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError, StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import Api, by_name
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.definition import (
    CredentialIndex,
    changes,
    check_wanted,
    managed_part,
    normal_form,
    readable,
    references,
    request_body,
    unresolved,
    webhooks,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.2
MISSING = "missing"
PROBE_METHODS = ("GET", "DELETE", "PATCH")


def publication(live: Mapping[str, Any]) -> str:
    """Whether a workflow runs, in the words of the diff."""
    if live.get("isArchived"):
        return "archived"
    if not live.get("active"):
        return "unpublished"
    return "published" if live.get("activeVersionId") in (None, live.get("versionId")) else "an older version"


class Workflows:
    """Brings the declared workflows, and no others, to ``state``."""

    def __init__(
        self, api: Api, wanted: Sequence[Mapping[str, Any]], *, state: str, secrets: Sequence[str] = ()
    ) -> None:  # fmt: skip
        check_wanted(wanted, content=state != "absent")
        self.api = api
        self.state = state
        self._secrets = [secret for secret in secrets if secret]
        self.wanted = {item["name"]: item for item in wanted}
        self._live: dict[str, Mapping[str, Any]] = {}
        self._index = CredentialIndex()
        self._unresolved: list[str] = []
        self._taken: dict[str, frozenset[str]] = {}

    def observe(self) -> dict[str, Any]:
        """The whole live state; ``plan`` reduces it to what differs."""
        listing = self.api.list("/workflows", excludePinnedData="true")
        self._live = by_name(listing, self.wanted, "workflow")
        for path, methods in (webhook for item in listing for webhook in webhooks(item)):
            self._taken[path] = self._taken.get(path, frozenset()) | methods
        for name, live in self._live.items():
            if self.state != "absent" and self.wanted[name].get("description") is not None:
                self._live[name] = self.api.call("GET", f"/workflows/{live['id']}")
        if self.state != "absent" and any(list(references(item)) for item in self.wanted.values()):
            self._index = CredentialIndex(self.api.list("/credentials"))
        return {name: self._state_of(name) for name in sorted(self._live)}

    def _state_of(self, name: str) -> dict[str, Any]:
        live = self._live[name]
        if self.state == "absent":
            return {"publication": publication(live)}
        wanted = normal_form(self.wanted[name])
        return {**managed_part(normal_form(live, self._index), wanted), "publication": publication(live)}

    def plan(self, current: Mapping[str, Any]) -> Plan:
        self._unresolved = []
        if self.state != "absent":
            self._unresolved = [words for item in self.wanted.values() for words in unresolved(item, self._index)]
        warnings = tuple(self.api.warnings or self._unresolved)
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        operations: list[Operation] = []
        for name in sorted(self.wanted):
            seen = current.get(name)
            if self.state == "absent":
                steps, was, becomes = self._removal(name, seen), seen, None
            elif seen is None:
                steps, was, becomes = self._creation(name), None, self._summary(name)
            else:
                steps, was, becomes = self._update(name, seen)
            if steps:
                operations += steps
                before.update({name: was} if was is not None else {})
                after.update({name: becomes} if becomes is not None else {})
        return Plan(before, after, tuple(operations), warnings)

    @staticmethod
    def _removal(name: str, seen: Optional[Mapping[str, Any]]) -> list[Operation]:
        return [Operation("delete", name, f"delete workflow '{name}'")] if seen is not None else []

    def _creation(self, name: str) -> list[Operation]:
        count = len(self.wanted[name]["nodes"])
        steps = [Operation("create", name, f"create workflow '{name}' with {count} nodes")]
        if self.state == "published":
            steps.append(Operation("publish", name, f"publish workflow '{name}'"))
        return steps

    def _summary(self, name: str) -> dict[str, Any]:
        form = normal_form(self.wanted[name])
        return {
            "nodes": {node: item["type"] for node, item in form["nodes"].items()},
            "settings": form["settings"],
            "publication": "published" if self.state == "published" else "unpublished",
        }

    def _wanted_state(self, name: str, seen: Mapping[str, Any]) -> dict[str, Any]:
        published = {
            "published": "published",
            "unpublished": "unpublished",
            "present": {"archived": "unpublished", "an older version": "published"}.get(
                seen["publication"], seen["publication"]
            ),
        }[self.state]
        return {**normal_form(self.wanted[name]), "publication": published}

    def _update(self, name: str, seen: Mapping[str, Any]) -> tuple[list[Operation], dict[str, Any], dict[str, Any]]:
        wanted = self._wanted_state(name, seen)
        found = changes(seen, wanted, secrets=self._secrets)
        steps: list[Operation] = []
        was, becomes = seen["publication"], wanted["publication"]
        content = sorted(path for path in found if path != "publication")
        if was == "archived":
            steps.append(Operation("unarchive", name, f"take workflow '{name}' out of the archive"))
        if becomes == "unpublished" and was in ("published", "an older version"):
            steps.append(Operation("unpublish", name, f"unpublish workflow '{name}'"))
        if content:
            new_version = any(path.split(".", 1)[0] in ("nodes", "connections") for path in content)
            words = f"update workflow '{name}': {_short(content)}"
            steps.append(Operation("update", name, words, {"hold": new_version}))
            if new_version and was == "published" and becomes == "published":
                steps.append(Operation("publish", name, f"publish the new version of workflow '{name}'"))
        if becomes == "published" and was != "published":
            steps.append(Operation("publish", name, f"publish workflow '{name}'"))
        return steps, {p: pair[0] for p, pair in found.items()}, {p: pair[1] for p, pair in found.items()}

    def apply(self, operation: Operation) -> None:
        if self._unresolved:
            raise StackError(self._unresolved[0], unresolved=self._unresolved)
        getattr(self, f"_{operation.verb}_one")(operation.target, **operation.args)

    def settle(self, plan: Plan) -> Any:
        """What ``plan.after`` named, as it is now; what else differs from the declaration shows up beside it."""
        current = self.observe()
        if self.state == "absent":
            return current
        seen: dict[str, Any] = {}
        for name, expected in plan.after.items():
            if name not in current:
                continue
            remaining = changes(current[name], self._wanted_state(name, current[name]), secrets=self._secrets)
            state = dict(expected)
            state["publication"] = current[name]["publication"]
            if "publication" not in expected:
                state.pop("publication")
            lasting = {path: MISSING if pair[0] is None else readable(pair[0]) for path, pair in remaining.items()}
            seen[name] = {**state, **lasting}
        return seen

    def result(self, _state: Any) -> dict[str, Any]:
        return {
            "workflows": {
                name: {
                    "id": live["id"],
                    "active": bool(live.get("active")),
                    "webhooks": [f"{self.api.url}/webhook/{path}" for path, _methods in webhooks(live)],
                }
                for name, live in sorted(self._live.items())
            }
        }

    def _call(self, name: str, method: str, path: str, **kwargs: Any) -> Any:
        try:
            return self.api.call(method, path, **kwargs)
        except ApiError as error:
            raise StackError(f"workflow '{name}': {error}", **error.details) from None

    def _id(self, name: str) -> str:
        return self._live[name]["id"]

    def _create_one(self, name: str) -> None:
        wanted = self.wanted[name]
        made = self._call(name, "POST", "/workflows", json=request_body(wanted, self._index), expect=(200, 201))
        self._live[name] = made
        if wanted.get("description") is not None:
            self._update_one(name, hold=True)

    def _update_one(self, name: str, *, hold: bool) -> None:
        """``hold`` leaves the published version live; without it n8n registers the triggers anew."""
        body = request_body(self.wanted[name], self._index, self._live[name])
        params = {"publishIfActive": "false"} if hold else None
        self._call(name, "PUT", f"/workflows/{self._id(name)}", json=body, params=params)

    def _publish_one(self, name: str) -> None:
        self._call(name, "POST", f"/workflows/{self._id(name)}/publish", json={})
        for path, methods in webhooks(self.wanted[name]):
            self._prove(name, path, methods)

    def _unpublish_one(self, name: str) -> None:
        self._call(name, "POST", f"/workflows/{self._id(name)}/unpublish", json={})

    def _unarchive_one(self, name: str) -> None:
        self._call(name, "POST", f"/workflows/{self._id(name)}/unarchive", json={})

    def _delete_one(self, name: str) -> None:
        if self._live[name].get("active"):
            self._unpublish_one(name)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.api.call("DELETE", f"/workflows/{self._id(name)}", expect=(200, 404))
                return
            except ApiError as error:
                if error.status != 409 or time.monotonic() >= deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def _prove(self, name: str, path: str, methods: frozenset[str]) -> None:
        """Wait until n8n says that the path is registered, asked with a method that starts no workflow at all."""
        taken = methods | self._taken.get(path, frozenset())
        harmless = next((method for method in PROBE_METHODS if method not in taken), None)
        if harmless is None:
            return
        registered = re.compile(rf"not registered for {harmless} requests", re.IGNORECASE)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self.api.visitor.request(harmless, f"/webhook/{path}", expect=range(200, 600), reads=True)
            if registered.search(answer.text):
                return
            if time.monotonic() >= deadline:
                raise StackError(
                    f"workflow '{name}' is published, but n8n did not register its webhook /webhook/{path} within "
                    f"{PATIENCE_SECONDS:.0f} s; its log says why"
                )
            time.sleep(POLL_SECONDS)


def _short(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:4])
    return shown if len(paths) <= 4 else f"{shown} and {len(paths) - 4} more"
