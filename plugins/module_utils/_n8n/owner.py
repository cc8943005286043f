# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The owner of a fresh n8n, and the API key that every other module uses."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import (
    ApiError,
    StackError,
    Unreachable,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Answer, Http
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import (
    http,
    may_be_unborn,
    read_key,
    stranger,
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
        fresh = self._asked(
            self.anonymous, "/rest/settings", lambda data: data["userManagement"]["showSetupOnFirstLoad"]
        )
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
                told = unborn(error, may_be_unborn(self.params, read_only=self.read_only))
                if told is None:
                    return False
                last: StackError = told
            except ApiError as error:
                last = error
            if time.monotonic() >= deadline:
                raise StackError(
                    f"n8n at {self.params['url']} was not ready within {self.params['wait_timeout']} s ({last}); "
                    "look at its log, or raise wait_timeout",
                    **last.details,
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
        try:
            listed = answer.json
        except ApiError:
            return False
        return answer.status == 200 and isinstance(listed, Mapping) and isinstance(listed.get("data"), list)

    def _asked(self, client: Http, path: str, pick: Callable[[Any], Any]) -> Any:
        """What n8n's own interface answers.

        :raises StackError: where something else answers
        """
        try:
            answer = client.get(path)
        except ApiError as error:
            if error.status == 404 or error.status in range(300, 400):
                raise StackError(f"what answers at {self.params['url']} is no n8n ({error}); correct url") from None
            raise
        return self._picked(answer, pick)

    def _picked(self, answer: Answer, pick: Callable[[Any], Any]) -> Any:
        url = self.params["url"]
        try:
            return pick(answer.json["data"])
        except ApiError as error:
            raise stranger(url, error) or error from None
        except (KeyError, TypeError, IndexError):
            raise StackError(
                f"what answers at {url} is no n8n: {answer.method} {answer.path} has not n8n's form; correct url"
            ) from None

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
        ids = self._asked(session, "/rest/api-keys", lambda known: _ids(known, label))
        for one in ids:
            session.delete(f"/rest/api-keys/{one}")
        offered = self._asked(session, "/rest/api-keys/scopes", set)
        body = {"label": label, "expiresAt": None, "scopes": [scope for scope in SCOPES if scope in offered]}
        key = self._picked(session.post("/rest/api-keys", json=body), lambda made: str(made["rawApiKey"]))
        write_private(self.params["api_key_file"], key + "\n")


def _ids(known: Any, label: str) -> list[str]:
    """The keys of this label, in the form of any version of n8n."""
    return [item["id"] for item in (known["items"] if isinstance(known, Mapping) else known) if item["label"] == label]
