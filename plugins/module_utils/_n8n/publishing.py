# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publishing, and the proof of it: n8n says yes before it has registered anything, and keeps failures to itself."""

from __future__ import annotations

import re
import time
from typing import Any, Callable, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError, StackError, Unreachable
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import Api
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.definition import webhooks
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import webhook_paths
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.session import Session
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.turns import live_version
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.words import meant

PATIENCE_SECONDS = 20.0
# After a crash n8n finishes what it was publishing only when its lease of it has ended; seen: two minutes.
LEASE_SECONDS = 180.0
POLL_SECONDS = 0.2
PROBE_METHODS = ("GET", "DELETE", "PATCH")
SETTLED = ("published", "partial", "failed")


class Publisher:
    """Publishes one version of a workflow and proves that its triggers are registered; else the last one lives on.

    :param taken: the methods that any workflow answers, by path; a probe uses another one, so that it starts nothing
    """

    def __init__(self, api: Api, session: Session) -> None:
        self.api = api
        self.session = session
        self.taken: dict[str, frozenset[str]] = {}
        self.freed = False

    def call(self, name: str, method: str, path: str, **kwargs: Any) -> Any:
        try:
            return self.api.call(method, path, **kwargs)
        except ApiError as error:
            raise StackError(f"workflow '{name}': {error}", **error.details) from None

    def publish(self, name: str, live: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        if self.freed:
            self._await_free(live, wanted)
        try:
            self._post(live, {})
        except ApiError as error:
            rest = "; the version that was live stays live" if live.get("active") else ""
            if self.freed and error.status == 409:
                rest += "; n8n may still remember a path that was given up while somebody called it: restart n8n"
            raise StackError(f"workflow '{name}': {error}{rest}", **error.details) from None
        try:
            patiently(lambda: self.prove(name, live, wanted))
        except StackError as error:
            if unanswered(error):
                raise StackError(
                    f"workflow '{name}': n8n took the new version and then gave no answer about it ({error}); it is "
                    "left published, so look whether its triggers run, and at n8n's log",
                    **error.details,
                ) from None
            raise StackError(f"{error}; {self._take_back(live)}", **error.details) from None

    def _post(self, live: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """What was just taken down gives its paths back a moment later."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.api.call("POST", f"/workflows/{live['id']}/publish", json=body)
                return
            except ApiError as error:
                if not self.freed or error.status != 409 or time.monotonic() >= deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def _await_free(self, live: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        """Ask for no path before n8n has taken it from who had it.

        A question, or a call, that comes while n8n does so makes it remember the old holder, for an hour.
        """
        own = webhook_paths(live_version(live)) if live.get("active") else set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for method, path in sorted(webhook_paths(wanted) - own):
            harmless = self._harmless(path, frozenset((method,)))
            while harmless and self._held(harmless, method, path):
                if time.monotonic() >= deadline:
                    return
                time.sleep(POLL_SECONDS)

    def _held(self, harmless: str, method: str, path: str) -> bool:
        _registered, asked, others = self._said(harmless, path).partition(f"not registered for {harmless} requests")
        return bool(asked) and re.search(rf"\b{method}\b", others) is not None

    def _said(self, harmless: str, path: str) -> str:
        """What n8n answers to a request that starts nothing: which methods the path is registered for, if any."""
        return self.api.visitor.request(harmless, f"/webhook/{path}", expect=range(200, 600), reads=True).text

    def _harmless(self, path: str, methods: frozenset[str]) -> Optional[str]:
        """A method that starts no workflow at all."""
        taken = methods | self.taken.get(path, frozenset())
        return next((method for method in PROBE_METHODS if method not in taken), None)

    def _take_back(self, live: Mapping[str, Any]) -> str:
        """Let no workflow count as published that is not, so that the next run tries again."""
        previous = live.get("activeVersionId") if live.get("active") else None
        if previous and previous != live.get("versionId"):
            try:
                patiently(lambda: self._post(live, {"versionId": previous}))
                return "the version that was live before is published again"
            except StackError as error:
                if unanswered(error):
                    return f"the version that was live before could not be published again ({error})"
        self.api.call("POST", f"/workflows/{live['id']}/unpublish", json={}, expect=range(200, 600))
        return "it is unpublished again"

    def put_back(self, name: str, live: Mapping[str, Any]) -> str:
        """What made way for another one runs again as it ran before."""
        try:
            self._post(live, {"versionId": live["activeVersionId"]})
        except StackError as error:
            return f"workflow '{name}', which made way, stays off its path until the next run ({error})"
        return f"workflow '{name}', which made way, is published again as it was"

    def prove(self, name: str, live: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        """:raises StackError: with n8n's own reason, where its owner's session is there to ask for it"""
        client = self.session.client()
        if client is not None:
            self._read_status(client, name, live)
        for path, methods in webhooks(wanted):
            self._probe(name, path, methods)

    def _read_status(self, client: Any, name: str, live: Mapping[str, Any]) -> None:
        deadline = time.monotonic() + LEASE_SECONDS
        while True:
            status = publication_status(client, live["id"])
            if status is None or status["status"] == "published":
                return
            if status["status"] in SETTLED or time.monotonic() >= deadline:
                break
            time.sleep(POLL_SECONDS)
        said = failures(status, live) or f"its publication is {status['status'].replace('_', ' ')}"
        raise StackError(f"workflow '{name}': n8n could not register its triggers: {said}", publication=status)

    def _probe(self, name: str, path: str, methods: frozenset[str]) -> None:
        """Wait until n8n says that the path is registered, asked with a method that starts no workflow at all."""
        harmless = self._harmless(path, methods)
        if harmless is None:
            return
        registered = re.compile(rf"not registered for {harmless} requests", re.IGNORECASE)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            if registered.search(self._said(harmless, path)):
                return
            if time.monotonic() >= deadline:
                raise StackError(
                    f"workflow '{name}': n8n did not register its webhook /webhook/{path} within "
                    f"{PATIENCE_SECONDS:.0f} s and its log says why"
                )
            time.sleep(POLL_SECONDS)


def unanswered(error: StackError) -> bool:
    """Whether nothing is known: no answer, or one of a proxy in place of n8n's."""
    return isinstance(error, Unreachable) or error.details.get("status") in (502, 503, 504)


def patiently(ask: Callable[[], None]) -> None:
    """Ask until there is an answer, for a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except StackError as error:
            if not unanswered(error) or time.monotonic() >= deadline:
                raise
        time.sleep(POLL_SECONDS)


def publication_status(client: Any, workflow_id: str) -> Optional[Mapping[str, Any]]:
    """What n8n's own interface knows of a publication; None where this n8n does not tell."""
    answer = client.get(f"/rest/workflows/{workflow_id}/publication-status", expect=range(200, 600))
    try:
        data = answer.json["data"]
    except (ApiError, KeyError, TypeError):
        return None
    return data if isinstance(data, Mapping) and isinstance(data.get("status"), str) else None


def failures(status: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    """The triggers that failed, with n8n's own words."""
    names = {node.get("id"): node["name"] for node in item.get("nodes") or ()}
    return "; ".join(
        f"node '{names.get(trigger.get('nodeId'), trigger.get('nodeId'))}': {trigger['errorMessage']}"
        for trigger in status.get("triggers") or ()
        if trigger.get("errorMessage")
    )


def node_types(client: Any) -> Optional[dict[str, set[float]]]:
    """The versions of each type of node that this n8n has; None where it does not tell."""
    answer = client.get("/types/node-versions.json", expect=range(200, 600))
    try:
        listed = answer.json
    except ApiError:
        return None
    if answer.status != 200 or not isinstance(listed, list) or not listed:
        return None
    known: dict[str, set[float]] = {}
    for entry in listed:
        name, _at, version = str(entry).rpartition("@")
        known.setdefault(name, set()).add(float(version))
    return known


def unknown_nodes(items: Iterable[Mapping[str, Any]], known: Mapping[str, set[float]]) -> list[str]:
    """One sentence for each node whose type or version this n8n does not have."""
    found = []
    for item in items:
        for node in item["nodes"]:
            kind, version = node["type"], node["typeVersion"]
            where = f"workflow '{item['name']}', node '{node['name']}'"
            if kind not in known:
                hint = meant(kind, known, "correct it, or install its package")
                found.append(f"{where}: n8n has no node type '{kind}'; {hint}")
            elif version not in known[kind]:
                there = ", ".join(f"{number:g}" for number in sorted(known[kind]))
                found.append(f"{where}: n8n has the type {kind} not in version {version}, but in {there}")
    return found
