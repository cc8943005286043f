# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Qdrant's REST interface: the calls that reconciling needs."""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping, Optional, Protocol
from urllib.parse import quote

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError, StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Answer
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.schema import Version

CHECK_URL = "check that url is Qdrant's REST interface"


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

    has_snapshots = True

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
        return self._result("GET", "/collections", lambda found: [row["name"] for row in found["collections"]])

    def collection(self, name: str) -> dict[str, Any]:
        return self._result("GET", _path(name), lambda found: {**found, "config": {**found["config"]}})

    def count(self, name: str) -> int:
        path = f"{_path(name)}/points/count"
        return self._result("POST", path, lambda found: int(found["count"]), json={"exact": True}, reads=True)

    def aliases(self) -> dict[str, str]:
        """Collection by alias."""

        def by_alias(found: Any) -> dict[str, str]:
            return {row["alias_name"]: row["collection_name"] for row in found["aliases"]}

        return self._result("GET", "/aliases", by_alias)

    def change_aliases(self, actions: list[dict[str, Any]]) -> None:
        """One after the other; when one cannot be, those before it stay and those after it are not carried out.

        ``create_alias`` moves an alias that is there.
        """
        self._result("POST", "/collections/aliases", json={"actions": actions})

    def add_vector(self, name: str, vector: str, config: Mapping[str, Any]) -> None:
        path = f"{_path(name)}/vectors/{quote(vector, safe='')}"
        self._result("PUT", path, json=config, params={"wait": "true"})

    def scroll(self, name: str, limit: int, offset: Any) -> tuple[list[dict[str, Any]], Any]:
        """A page of points with everything in them, and where the next one begins."""
        body = {"limit": limit, "offset": offset, "with_payload": True, "with_vector": True}

        def page(found: Any) -> tuple[list[dict[str, Any]], Any]:
            return [{**point, "id": point["id"]} for point in found["points"]], found.get("next_page_offset")

        return self._result("POST", f"{_path(name)}/points/scroll", page, json=body, reads=True)

    def upsert(self, name: str, points: list[dict[str, Any]]) -> None:
        self._result("PUT", f"{_path(name)}/points", json={"points": points}, params={"wait": "true"})

    def create(self, name: str, body: Mapping[str, Any]) -> None:
        """:raises ApiError: also 409, unless it is this very call that made the collection and whose answer was lost"""
        try:
            self._result("PUT", _path(name), json=body)
        except ApiError as error:
            if error.status != 409 or not error.repeated or self.count(name):
                raise

    def patch(self, name: str, body: Mapping[str, Any]) -> None:
        self._result("PATCH", _path(name), json=body)

    def delete(self, name: str) -> bool:
        """Whether it was there."""
        return bool(self._result("DELETE", _path(name)))

    def create_index(self, name: str, field: str, schema: Any) -> None:
        body = {"field_name": field, "field_schema": schema}
        self._result("PUT", f"{_path(name)}/index", json=body, params={"wait": "true"})

    def delete_index(self, name: str, field: str) -> None:
        self._result("DELETE", f"{_path(name)}/index/{quote(field, safe='')}", params={"wait": "true"})

    def snapshot(self, name: str) -> dict[str, Any]:
        path = f"{_path(name)}/snapshots"
        return self._result("POST", path, lambda found: {**found, "name": found["name"]}, params={"wait": "true"})

    def snapshots(self, name: str) -> list[dict[str, Any]]:
        return self._result(
            "GET", f"{_path(name)}/snapshots", lambda found: [{**row, "name": row["name"]} for row in found]
        )

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

    def _result(self, method: str, path: str, form: Callable[[Any], Any] = lambda found: found, **kwargs: Any) -> Any:
        """What the server answers, in the form that is expected."""
        answer = self._send(method, path, **kwargs)
        try:
            return form(answer.json["result"])
        except ApiError as error:
            said = error.server_message
        except (AttributeError, KeyError, TypeError, ValueError):
            said = f"the answer has no such result: {answer.text[:80]!r}"
        raise ApiError(method, path, answer.status, said, CHECK_URL) from None

    def _send(self, method: str, path: str, **kwargs: Any) -> Answer:
        try:
            return self.http.request(method, path, **kwargs)
        except ApiError as error:
            if error.status in (401, 403):
                hint = "check api_key" if self.has_key else "the server wants an API key: set api_key"
            elif 300 <= error.status < 400:
                hint = "it leads elsewhere: set url to the address of Qdrant's REST interface itself"
            elif not error.server_message:
                hint = CHECK_URL
            else:
                raise
            raise ApiError(method, path, error.status, error.server_message, hint) from None


def checked_url(url: str) -> str:
    if not url.lower().startswith(("http://", "https://")):
        if not url or "://" in url:
            raise StackError(f"url is {url!r}; Qdrant's REST interface is reached by http:// or https://")
        raise StackError(f"url is {url!r}, which has no scheme; write it as http://{url} or with https://")
    return url


def _path(name: str) -> str:
    return f"/collections/{quote(name, safe='')}"
