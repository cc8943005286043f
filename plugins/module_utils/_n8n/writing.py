# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a plan, carried out: each call that changes a workflow in n8n."""

from __future__ import annotations

import time
from typing import Any, Mapping, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError, Moved
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import publishing
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import Api, first_made, gave_way
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.definition import (
    SENTINELS,
    CredentialIndex,
    request_body,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.policy import Policy, tags_of
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import (
    WorkflowIndex,
    made_here,
    webhook_paths,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.turns import aside

TAKEN = 409
# Nodes and connections that change make another version.
TELLING = ("versionId", "name", "settings", "description")


class Writing:
    """One method a verb; what there is was observed before, and is kept up with what is written."""

    api: Api
    policy: Policy
    wanted: dict[str, Mapping[str, Any]]
    _publisher: publishing.Publisher
    _live: dict[str, Mapping[str, Any]]
    _strays: dict[str, Mapping[str, Any]]
    _twins: dict[str, Mapping[str, Any]]
    _aside: dict[str, Mapping[str, Any]]
    _astray: set[str]
    _index: CredentialIndex
    _flows: WorkflowIndex
    _tag_ids: dict[str, str]

    def _item(self, name: str) -> Mapping[str, Any]:
        return next(found[name] for found in (self._strays, self._twins, self._live) if name in found)

    def _path(self, name: str, step: str = "") -> str:
        return f"/workflows/{self._item(name)['id']}{step}"

    def _create_one(self, name: str) -> None:
        wanted = self.wanted[name]
        body = request_body(wanted, self._index, flows=self._flows)
        made = self._publisher.call(name, "POST", "/workflows", json=body, expect=(200, 201))
        self._live[name] = made
        self._give_way(name)
        self._flows.add(made["id"], name)

    def _give_way(self, name: str) -> None:
        """:raises Moved: where another run made a workflow of this name first; the one that was made now is gone"""
        made = self._live[name]["id"]
        first = self._first(name, made)
        if first["id"] == made:
            return
        self._delete_one(name)
        deadline = time.monotonic() + publishing.PATIENCE_SECONDS
        while self._in_the_making(first) and time.monotonic() < deadline:
            time.sleep(publishing.POLL_SECONDS)
            first = self._first(name, made)
        raise gave_way("workflow", first["id"], name)

    def _first(self, name: str, made: str) -> Mapping[str, Any]:
        there = self.api.list("/workflows", name=name, excludePinnedData="true")
        return first_made(there, name, {"id": made, "nodes": []})

    def _in_the_making(self, item: Mapping[str, Any]) -> bool:
        """Whether the run that made a workflow has steps to go: n8n does not take two that publish at once."""
        marked = self.policy.owner_tag is None or self.policy.owner_tag in tags_of(item)
        return made_here(item) and not (marked and (item.get("active") or self.policy.state != "published"))

    def _update_one(self, name: str, *, hold: bool, prove: bool = False) -> None:
        """``hold`` leaves the published version live; without it n8n registers the triggers anew."""
        self._put(name, request_body(self.wanted[name], self._index, self._live[name], self._flows), hold=hold)
        self._astray.discard(name)
        if prove:
            self._publisher.prove(name, self._live[name], self.wanted[name])

    def _put(self, name: str, body: Mapping[str, Any], *, hold: bool) -> None:
        self._look_again(name)
        params = {"publishIfActive": "false"} if hold else None
        answer = self._publisher.call(name, "PUT", self._path(name), json=body, params=params)
        self._keep_up(name, answer)

    def _keep_up(self, name: str, answer: Mapping[str, Any]) -> None:
        kept = {key: answer[key] for key in (*TELLING, "nodes") if key in answer}
        self._live[name] = {**self._live[name], **kept}

    def _look_again(self, name: str) -> None:
        """:raises Moved: where somebody wrote to the workflow since it was looked at, for n8n overwrites anything"""
        now = self._publisher.call(name, "GET", self._path(name), expect=(200, 404))
        if not as_seen(self._live[name], now):
            raise Moved(
                f"workflow '{name}' (id {self._live[name]['id']}) was changed in n8n right before this run would have "
                "written it, as it was twice before; it is left as it is, so run again when nobody else works in n8n"
            )

    def _tag_one(self, name: str) -> None:
        tag = str(self.policy.owner_tag)
        if tag not in self._tag_ids:
            self._tag_ids.update({item["name"]: item["id"] for item in self.api.list("/tags")})
        if tag not in self._tag_ids:
            made = self.api.call("POST", "/tags", json={"name": tag}, expect=(200, 201, TAKEN))
            # Another run has made it since.
            tags = [made] if "id" in made else self.api.list("/tags")
            self._tag_ids.update({item["name"]: item["id"] for item in tags})
        ids = sorted({*tags_of(self._live[name]).values(), self._tag_ids[tag]})
        self._publisher.call(name, "PUT", self._path(name, "/tags"), json=[{"id": one} for one in ids])

    def _publish_one(self, name: str) -> None:
        if name in self._astray:
            self._update_one(name, hold=True)
        self._publisher.publish(name, self._live[name], self.wanted[name])
        self._aside.pop(name, None)

    def _aside_one(self, name: str) -> None:
        """Let a live workflow answer elsewhere until its own turn comes."""
        live = self._live[name]
        self._draft(name, aside(live, set().union(*map(webhook_paths, self.wanted.values()))))
        self._aside[name] = live
        self._publisher.call(name, "POST", self._path(name, "/publish"), json={})
        self._live[name] = {**self._live[name], "activeVersionId": self._live[name].get("versionId")}

    def _without_one(self, name: str, nodes: Sequence[str]) -> None:
        """Publish a workflow whose calls of others rest until these are published too."""
        wanted = self.wanted[name]
        resting = [{**node, "disabled": True} if node["name"] in nodes else node for node in wanted["nodes"]]
        self._draft(name, request_body({**wanted, "nodes": resting}, self._index, self._live[name], self._flows))
        self._publisher.call(name, "POST", self._path(name, "/publish"), json={})

    def _draft(self, name: str, body: Mapping[str, Any]) -> None:
        """Save what is not declared; the workflow is astray until it is updated."""
        self._astray.add(name)
        self._put(name, body, hold=True)

    def _unpublish_one(self, name: str) -> None:
        self._publisher.call(name, "POST", self._path(name, "/unpublish"), json={})
        self._publisher.freed = True

    def _archive_one(self, name: str) -> None:
        self._publisher.call(name, "POST", self._path(name, "/archive"), json={})
        self._publisher.freed = True

    def _unarchive_one(self, name: str) -> None:
        self._keep_up(name, self._publisher.call(name, "POST", self._path(name, "/unarchive"), json={}))

    def _delete_one(self, name: str) -> None:
        if self._item(name).get("active"):
            self._unpublish_one(name)
        deadline = time.monotonic() + publishing.PATIENCE_SECONDS
        while True:
            try:
                self.api.call("DELETE", self._path(name), expect=(200, 404))
                return
            except ApiError as error:
                if error.status != TAKEN or time.monotonic() >= deadline:
                    raise
            time.sleep(publishing.POLL_SECONDS)


def as_seen(seen: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a workflow still holds what it held when it was looked at; a listing does not tell its description."""
    if now.get("id") != seen["id"]:
        return False
    return all(_told(seen, key) == _told(now, key) for key in TELLING if key in seen and key in now)


def _told(item: Mapping[str, Any], key: str) -> Any:
    if key != "settings":
        return item[key]
    return {name: value for name, value in (item[key] or {}).items() if SENTINELS.get(name) != value}
