# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Qdrant's REST interface: the calls that reconciling needs."""

from __future__ import annotations

import re
from typing import Any, Mapping, Optional, Protocol
from urllib.parse import quote

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError, StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Answer
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.schema import Version


def explain(body: Any) -> str:
    """The server's own words out of ``{"status": {"error": …}}``."""
    status = body.get("status") if isinstance(body, Mapping) else None
    return str(status["error"]) if isinstance(status, Mapping) and "error" in status else str(body)


class Transport(Protocol):
    """What sends a request and brings the answer: requests in a module, Qdrant's own client elsewhere."""

    def request(self, method: str, path: str, **kwargs: Any) -> Answer: ...

    def download(self, path: str, dest: str) -> None: ...

    def upload(self, path: str, source: str, params: Optional[Mapping[str, Any]] = None) -> Answer: ...


class Client:
    """One method a call; bodies and answers are Qdrant's own."""

    def __init__(self, http: Transport, has_key: bool = False) -> None:
        self.http = http
        self.has_key = has_key

    def close(self) -> None:
        """Let go of what other processes wait for; a server has nothing of the kind."""

    def version(self) -> Version:
        """Major and minor of the server.

        :raises StackError: when it does not say
        """
        said = str(self._json("GET", "/").get("version", ""))
        match = re.match(r"v?(\d+)\.(\d+)", said)
        if match is None:
            raise StackError(f"GET / says version {said!r}; check that url is Qdrant's REST interface")
        return int(match.group(1)), int(match.group(2))

    def list_collections(self) -> list[str]:
        return [row["name"] for row in self._result("GET", "/collections")["collections"]]

    def collection(self, name: str) -> dict[str, Any]:
        return self._result("GET", _path(name))

    def count(self, name: str) -> int:
        return self._result("POST", f"{_path(name)}/points/count", json={"exact": True}, reads=True)["count"]

    def aliases(self) -> dict[str, str]:
        """Collection by alias."""
        return {row["alias_name"]: row["collection_name"] for row in self._result("GET", "/aliases")["aliases"]}

    def change_aliases(self, actions: list[dict[str, Any]]) -> None:
        """All of them or, when one cannot be, none."""
        self._result("POST", "/collections/aliases", json={"actions": actions})

    def add_vector(self, name: str, vector: str, config: Mapping[str, Any]) -> None:
        path = f"{_path(name)}/vectors/{quote(vector, safe='')}"
        self._result("PUT", path, json=config, params={"wait": "true"})

    def scroll(self, name: str, limit: int, offset: Any) -> tuple[list[dict[str, Any]], Any]:
        """A page of points with everything in them, and where the next one begins."""
        body = {"limit": limit, "offset": offset, "with_payload": True, "with_vector": True}
        page = self._result("POST", f"{_path(name)}/points/scroll", json=body, reads=True)
        return page["points"], page.get("next_page_offset")

    def upsert(self, name: str, points: list[dict[str, Any]]) -> None:
        self._result("PUT", f"{_path(name)}/points", json={"points": points}, params={"wait": "true"})

    def create(self, name: str, body: Mapping[str, Any]) -> None:
        self._result("PUT", _path(name), json=body)

    def patch(self, name: str, body: Mapping[str, Any]) -> None:
        self._result("PATCH", _path(name), json=body)

    def delete(self, name: str) -> None:
        self._result("DELETE", _path(name))

    def create_index(self, name: str, field: str, schema: Any) -> None:
        body = {"field_name": field, "field_schema": schema}
        self._result("PUT", f"{_path(name)}/index", json=body, params={"wait": "true"})

    def delete_index(self, name: str, field: str) -> None:
        self._result("DELETE", f"{_path(name)}/index/{quote(field, safe='')}", params={"wait": "true"})

    def snapshot(self, name: str) -> dict[str, Any]:
        return self._result("POST", f"{_path(name)}/snapshots", params={"wait": "true"})

    def snapshots(self, name: str) -> list[dict[str, Any]]:
        return self._result("GET", f"{_path(name)}/snapshots")

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        path = f"{_path(name)}/snapshots/{quote(snapshot, safe='')}"
        self._result("DELETE", path, params={"wait": "true"})

    def download_snapshot(self, name: str, snapshot: str, dest: str) -> None:
        self.http.download(f"{_path(name)}/snapshots/{quote(snapshot, safe='')}", dest)

    def upload_snapshot(self, name: str, source: str, priority: str, checksum: Optional[str]) -> None:
        params = {"wait": "true", "priority": priority, **({"checksum": checksum} if checksum else {})}
        self.http.upload(f"{_path(name)}/snapshots/upload", source, params)

    def recover(self, name: str, body: Mapping[str, Any]) -> None:
        self._result("PUT", f"{_path(name)}/snapshots/recover", json=body, params={"wait": "true"})

    def _json(self, method: str, path: str) -> Mapping[str, Any]:
        body = self._send(method, path).json
        return body if isinstance(body, Mapping) else {}

    def _result(self, method: str, path: str, **kwargs: Any) -> Any:
        return _result_of(self._send(method, path, **kwargs))

    def _send(self, method: str, path: str, **kwargs: Any) -> Answer:
        try:
            return self.http.request(method, path, **kwargs)
        except ApiError as error:
            if error.status in (401, 403):
                hint = "check api_key" if self.has_key else "the server wants an API key: set api_key"
                raise ApiError(method, path, error.status, error.server_message, hint) from None
            raise


def _result_of(answer: Answer) -> Any:
    try:
        body = answer.json
    except ApiError as error:
        raise ApiError(
            answer.method, answer.path, answer.status, error.server_message, "check that url is Qdrant's REST interface"
        ) from None
    if not isinstance(body, Mapping) or "result" not in body:
        raise ApiError(
            answer.method,
            answer.path,
            answer.status,
            f"the answer has no result: {answer.text[:80]!r}",
            "check that url is Qdrant's REST interface",
        )
    return body["result"]


def _path(name: str) -> str:
    return f"/collections/{quote(name, safe='')}"
