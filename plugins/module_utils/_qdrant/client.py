# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Qdrant's REST interface: connection options and the calls that reconciling needs."""

from __future__ import annotations

from typing import Any, Mapping
from urllib.parse import quote

from ansible.module_utils.basic import env_fallback
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Answer, Http

CONNECTION_SPEC: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "default": "http://127.0.0.1:6333", "fallback": (env_fallback, ["QDRANT_URL"])},
    "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["QDRANT_API_KEY"])},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "float", "default": 30.0},
}


def explain(body: Any) -> str:
    """The server's own words out of ``{"status": {"error": …}}``."""
    status = body.get("status") if isinstance(body, Mapping) else None
    return str(status["error"]) if isinstance(status, Mapping) and "error" in status else str(body)


def connect(params: Mapping[str, Any], *, read_only: bool) -> Client:
    key = params["api_key"] or ""
    return Client(
        Http(
            params["url"],
            headers={"api-key": key} if key else {},
            timeout=params["timeout"],
            validate_certs=params["validate_certs"],
            ca_path=params["ca_path"],
            read_only=read_only,
            secrets=[key],
            explain=explain,
        ),
        has_key=bool(key),
    )


class Client:
    """One method a call; bodies and answers are Qdrant's own."""

    def __init__(self, http: Http, has_key: bool = False) -> None:
        self.http = http
        self.has_key = has_key

    def list_collections(self) -> list[str]:
        return [row["name"] for row in self._result("GET", "/collections")["collections"]]

    def collection(self, name: str) -> dict[str, Any]:
        return self._result("GET", _path(name))

    def count(self, name: str) -> int:
        return self._result("POST", f"{_path(name)}/points/count", json={"exact": True}, reads=True)["count"]

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

    def snapshot(self, name: str) -> str:
        return self._result("POST", f"{_path(name)}/snapshots", params={"wait": "true"})["name"]

    def _result(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            answer = self.http.request(method, path, **kwargs)
        except ApiError as error:
            if error.status in (401, 403):
                hint = "check api_key" if self.has_key else "the server wants an API key: set api_key"
                raise ApiError(method, path, error.status, error.server_message, hint) from None
            raise
        return _result_of(answer)


def _result_of(answer: Answer) -> Any:
    body = answer.json
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
