# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The owner of a fresh n8n, and the API key that every other module uses."""

from __future__ import annotations

import time
from typing import Any, Mapping

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import (
    ApiError,
    StackError,
    Unreachable,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Http
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import (
    http,
    may_be_unborn,
    read_key,
    unborn,
    write_private,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.session import Session
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

SCOPES = (
    "workflow:create",
    "workflow:read",
    "workflow:update",
    "workflow:delete",
    "workflow:list",
    "workflow:activate",
    "workflow:deactivate",
    "credential:create",
    "credential:read",
    "credential:update",
    "credential:delete",
    "credential:list",
    "execution:read",
    "execution:list",
    "execution:retry",
    "tag:create",
    "tag:list",
    "workflowTags:list",
    "workflowTags:update",
)
POLL_SECONDS = 0.5
NO_PASSWORD = "password: it is needed to make an API key, and it is empty; give the owner's password"


def decide(current: Mapping[str, str], email: str, label: str, key_file: str) -> Plan:
    """What is missing on the way to an owner and a key that works."""
    operations = []
    if current["owner"] == "missing":
        operations.append(Operation("set_up", email, f"set up {email} as the owner of n8n"))
    if current["api_key"] != "works":
        why = {"missing": "", "refused": ", n8n refuses the one that is there"}[current["api_key"]]
        operations.append(Operation("make_key", label, f"make the API key '{label}' and keep it in {key_file}{why}"))
    return Plan(dict(current), {"owner": "set up", "api_key": "works"}, tuple(operations))


class Owner:
    """``params`` are the options of the module n8n_owner."""

    def __init__(self, params: Mapping[str, Any], *, read_only: bool) -> None:
        self.params = params
        self.read_only = read_only
        self.anonymous = http(params, read_only=read_only)
        self._session = Session(
            params, read_only=read_only, email=params["email"], password=params["password"], option="password"
        )

    def observe(self) -> dict[str, str]:
        """A key that is accepted says all that is to be known, in one request."""
        kept = read_key(self.params["api_key_file"])
        if kept is not None and self._accepts_at_once(kept):
            return {"owner": "set up", "api_key": "works"}
        if not self._wait_until_ready():
            return {"owner": "missing", "api_key": "missing"}
        key = read_key(self.params["api_key_file"])
        if key is not None and self._accepts(key):
            return {"owner": "set up", "api_key": "works"}
        settings = self.anonymous.get("/rest/settings").json["data"]
        fresh = settings["userManagement"]["showSetupOnFirstLoad"]
        return {"owner": "missing" if fresh else "set up", "api_key": "refused" if key else "missing"}

    def plan(self, current: Mapping[str, str]) -> Plan:
        return decide(current, self.params["email"], self.params["api_key_label"], self.params["api_key_file"])

    def apply(self, operation: Operation) -> None:
        if operation.verb == "set_up":
            self._set_up()
        else:
            self._make_key(self._logged_in())

    def result(self, _state: Any) -> dict[str, Any]:
        return {"api_key_file": self.params["api_key_file"]}

    def _wait_until_ready(self) -> bool:
        """Whether n8n is ready; False only in check mode, where it is not there yet and need not be."""
        probe = Http(
            self.params["url"],
            timeout=min(5.0, self.params["request_timeout"]),
            validate_certs=self.params["validate_certs"],
            ca_path=self.params["ca_path"],
            retries=0,
            read_only=True,
        )
        deadline = time.monotonic() + self.params["wait_timeout"]
        while True:
            try:
                probe.get("/healthz/readiness")
                return True
            except Unreachable as error:
                last: StackError = error
                told = unborn(error, may_be_unborn(self.params, read_only=self.read_only))
                if told is None:
                    return False
                if self.read_only:
                    raise told from None
            except ApiError as error:
                last = error
            if time.monotonic() >= deadline:
                raise StackError(
                    f"n8n at {self.params['url']} was not ready within {self.params['wait_timeout']} s ({last}); "
                    "look at its log, or raise wait_timeout"
                )
            time.sleep(POLL_SECONDS)

    def _accepts_at_once(self, key: str) -> bool:
        try:
            return self._accepts(key)
        except (ApiError, Unreachable):
            return False

    def _accepts(self, key: str) -> bool:
        client = http(self.params, read_only=True, headers={"X-N8N-API-KEY": key})
        answer = client.get(
            "/api/v1/workflows", params={"limit": 1, "excludePinnedData": "true"}, expect=(200, 401, 403)
        )
        return answer.status == 200 and "data" in answer.json

    def _set_up(self) -> None:
        body = {
            "email": self.params["email"],
            "firstName": self.params["first_name"],
            "lastName": self.params["last_name"],
            "password": self._password(),
        }
        self._session.take(self.anonymous.post("/rest/owner/setup", json=body))

    def _logged_in(self) -> Http:
        client = self._session.client()
        if client is None:
            raise StackError(NO_PASSWORD)
        return client

    def _password(self) -> str:
        if not self.params["password"]:
            raise StackError(NO_PASSWORD)
        return self.params["password"]

    def _make_key(self, session: Http) -> None:
        label = self.params["api_key_label"]
        known = session.get("/rest/api-keys").json["data"]
        for item in known["items"] if isinstance(known, Mapping) else known:
            if item["label"] == label:
                session.delete(f"/rest/api-keys/{item['id']}")
        offered = set(session.get("/rest/api-keys/scopes").json["data"])
        body = {"label": label, "expiresAt": None, "scopes": [scope for scope in SCOPES if scope in offered]}
        made = session.post("/rest/api-keys", json=body).json["data"]
        write_private(self.params["api_key_file"], made["rawApiKey"] + "\n")
