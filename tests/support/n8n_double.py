"""An n8n in this process that keeps workflows as n8n 2.40 does, and whose caller can be killed at any write."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Optional
from urllib.parse import parse_qs, urlsplit

import responses

from tests.support.run_module import run_module

BASE = "http://n8n.double:5678"
VERSION_FIELDS = ("nodes", "connections")
DROPPED = ("DEFAULT", -1)


class Killed(BaseException):
    """The run ends here, as with SIGKILL: nothing of the module is carried out any more."""


class Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def run_workflows(double: N8nDouble, *workflows: dict[str, Any], check: bool = False, **over: Any) -> dict[str, Any]:
    """What n8n_workflow says of these, published and marked with the tag ``ours`` unless told otherwise."""
    params = {"url": BASE, "api_key": "key", "workflows": [*workflows], "state": "published", "owner_tag": "ours"}
    with double.serving():
        return run_module("n8n_workflow", {**params, **over}, check=check)


class N8nDouble:
    """
    :param credentials: what ``GET /credentials`` lists
    :ivar refused: the name of a workflow of which no new version is published
    :ivar hands: what somebody else does, each right after a run has listed something
    """

    def __init__(self, credentials: Iterable[dict[str, Any]] = ()) -> None:
        self.workflows: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, str] = {}
        self.credentials = list(credentials)
        self.writes: list[str] = []
        self.refused: Optional[str] = None
        self.hands: list[Callable[[], Any]] = []
        self._kill: Optional[tuple[int, bool]] = None
        self._numbers = itertools.count(1)

    def kill_at(self, write: int, *, answered: bool) -> None:
        """The caller dies at this write from now, before n8n has it or after n8n has carried it out."""
        self.writes = []
        self._kill = (write, answered)

    @contextmanager
    def serving(self) -> Iterator[N8nDouble]:
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
                mock.add_callback(method, re.compile(rf"{re.escape(BASE)}/.*"), callback=self._answer)
            yield self

    def state(self) -> dict[str, Any]:
        """What somebody would see, without what n8n makes up; a name that is there twice shows twice."""
        names = {item["id"]: item["name"] for item in self.workflows.values()}

        def seen(value: Any) -> Any:
            text = json.dumps(value, sort_keys=True)
            for one, name in names.items():
                text = text.replace(f'"{one}"', f'"id of {name}"')
            return json.loads(text)

        return {
            f"{item['name']} #{number}": seen(
                {
                    "draft": {key: item[key] for key in (*VERSION_FIELDS, "settings", "description")},
                    "live": self._live_nodes(item),
                    "archived": item["isArchived"],
                    "tags": sorted(tag["name"] for tag in item["tags"]),
                }
            )
            for _name, group in itertools.groupby(
                sorted(self.workflows.values(), key=lambda one: (one["name"], one["id"])), key=lambda one: one["name"]
            )
            for number, item in enumerate(group)
        }

    def named(self, name: str) -> dict[str, Any]:
        (found,) = [item for item in self.workflows.values() if item["name"] == name]
        return found

    def seed(self, item: dict[str, Any], *, published: bool = True, tag: Optional[str] = None) -> dict[str, Any]:
        """Somebody makes a workflow by hand."""
        made = self._create(item)
        if published:
            self._publish(made, {})
        if tag is not None:
            self._tag(made, [{"id": self._tag_id(tag)}])
        return made

    # -- n8n's side

    def _answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        url = urlsplit(request.url)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        body = json.loads(request.body) if request.body else None
        kill = None
        if request.method != "GET" and url.path.startswith("/api/"):
            self.writes.append(f"{request.method} {url.path}")
            kill = self._kill if self._kill and self._kill[0] == len(self.writes) - 1 else None
        if kill and not kill[1]:
            raise Killed
        try:
            status, said = self._route(request.method, url.path, query, body)
        except Refusal as refusal:
            status, said = refusal.status, {"message": str(refusal)}
        if kill:
            raise Killed
        text = json.dumps(said)
        listing = request.method == "GET" and url.path in ("/api/v1/workflows", "/api/v1/credentials")
        if self.hands and listing and "name" not in query:
            self.hands.pop(0)()
        return status, {"Content-Type": "application/json"}, text

    def _route(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if path.startswith("/webhook/"):
            return 404, {"message": self._probe(method, path.removeprefix("/webhook/"))}
        kind, *rest = path.removeprefix("/api/v1/").split("/")
        if kind == "credentials":
            return 200, self._credential(method, rest, body)
        if kind == "tags" and method == "POST":
            if body["name"] in self.tags:
                raise Refusal(409, "Tag already exists")
            return 201, {"id": self._tag_id(body["name"]), "name": body["name"]}
        if kind == "tags":
            return 200, {"data": [{"id": one, "name": name} for name, one in self.tags.items()], "nextCursor": None}
        if not rest:
            if method == "POST":
                return 200, self._create(body)
            return 200, {"data": self._listing(query.get("name")), "nextCursor": None}
        if rest[0] not in self.workflows:
            raise Refusal(404, "Not Found")
        item = self.workflows[rest[0]]
        if len(rest) == 2:
            return 200, getattr(self, f"_{rest[1].removesuffix('s')}")(item, body)
        if method == "PUT":
            return 200, self._update(item, body, hold=query.get("publishIfActive") == "false")
        if method == "DELETE":
            if item["active"]:
                raise Refusal(409, "Cannot delete a published workflow. Unpublish it before deleting.")
            del self.workflows[item["id"]]
        return 200, item

    def _credential(self, method: str, rest: list[str], body: Any) -> Any:
        if method == "GET":
            return {"data": [{**item, "data": None} for item in self.credentials], "nextCursor": None}
        number = next(self._numbers)
        if method == "POST":
            self.credentials.append({"id": f"c{number}", "createdAt": f"t{number:04}", "updatedAt": ""})
            rest = [f"c{number}"]
        (item,) = [one for one in self.credentials if one["id"] == rest[0]]
        item.update(body or {}, updatedAt=f"t{number}")
        if method == "DELETE":
            self.credentials.remove(item)
        return item

    def _listing(self, name: Optional[str]) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in item.items() if key != "description"}
            for item in self.workflows.values()
            if name in (None, item["name"])
        ]

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        item = {
            "id": f"w{number:04}",
            **copy.deepcopy(body),
            "description": None,
            "active": False,
            "isArchived": False,
            "versionId": f"v{number}",
            "activeVersionId": None,
            "activeVersion": None,
            "createdAt": f"t{number:04}",
            "updatedAt": f"t{number:04}",
            "tags": [],
        }
        for node in item["nodes"]:
            node.setdefault("id", f"made-by-n8n-{next(self._numbers)}")
        self.workflows[item["id"]] = item
        return item

    def _update(self, item: dict[str, Any], body: dict[str, Any], *, hold: bool) -> dict[str, Any]:
        if item["isArchived"]:
            raise Refusal(400, "Cannot update an archived workflow.")
        number = next(self._numbers)
        settings = {**item["settings"], **body["settings"]}
        if any(item[key] != body[key] for key in VERSION_FIELDS):
            item["versionId"] = f"v{number}"
        item.update(copy.deepcopy(body), updatedAt=f"t{number:04}")
        item["settings"] = {key: value for key, value in settings.items() if value not in DROPPED}
        if item["active"] and not hold:
            self._publish(item, {})
        return item

    def _publish(self, item: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        if item["isArchived"]:
            raise Refusal(400, "Cannot publish an archived workflow.")
        if body.get("versionId") in (None, item["versionId"]):
            if item["name"] == self.refused:
                raise Refusal(400, f"no room for {self.refused}")
            version = {"versionId": item["versionId"], **{key: copy.deepcopy(item[key]) for key in VERSION_FIELDS}}
        else:
            version = self._version(item, body["versionId"])
        for other in self.workflows.values():
            if other is not item and set(_paths(version["nodes"])) & set(_paths(self._live_nodes(other))):
                raise Refusal(409, "There is a conflict with one of the webhooks.")
        for node in version["nodes"]:
            if node["type"] == "n8n-nodes-base.executeWorkflow" and not node.get("disabled"):
                called = self.workflows.get(node["parameters"]["workflowId"]["value"])
                if called is not item and not (called and called["active"]):
                    raise Refusal(400, f'Cannot publish workflow: Node "{node["name"]}" references a workflow which is')
        item.update(active=True, activeVersion=version, activeVersionId=version["versionId"])
        item.setdefault("versions", {})[version["versionId"]] = version
        return item

    @staticmethod
    def _version(item: dict[str, Any], version: str) -> dict[str, Any]:
        found = item.get("versions", {}).get(version)
        if found is None:
            raise Refusal(404, "Version not found")
        return found

    def _unpublish(self, item: dict[str, Any], _body: Any) -> dict[str, Any]:
        item.update(active=False, activeVersion=None, activeVersionId=None)
        return item

    def _archive(self, item: dict[str, Any], _body: Any) -> dict[str, Any]:
        item["isArchived"] = True
        return self._unpublish(item, None)

    @staticmethod
    def _unarchive(item: dict[str, Any], _body: Any) -> dict[str, Any]:
        item["isArchived"] = False
        return item

    def _tag(self, item: dict[str, Any], body: list[dict[str, str]]) -> list[dict[str, str]]:
        names = {one: name for name, one in self.tags.items()}
        item["tags"] = [{"id": one["id"], "name": names[one["id"]]} for one in body]
        return item["tags"]

    def _tag_id(self, name: str) -> str:
        return self.tags.setdefault(name, f"tag{next(self._numbers)}")

    @staticmethod
    def _live_nodes(item: dict[str, Any]) -> list[dict[str, Any]]:
        return (item["activeVersion"] or {"nodes": []})["nodes"]

    def _probe(self, method: str, path: str) -> str:
        taken = {one for item in self.workflows.values() for one in _paths(self._live_nodes(item))}
        others = [one for one, where in taken if where == path]
        if others:
            return f"This webhook is not registered for {method} requests. Did you mean to make a {others[0]} request?"
        return f'The requested webhook "{method} {path}" is not registered.'


def _paths(nodes: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if node["type"] == "n8n-nodes-base.webhook" and not node.get("disabled"):
            yield node["parameters"].get("httpMethod", "GET"), node["parameters"]["path"]
