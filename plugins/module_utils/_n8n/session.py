# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session of n8n's owner: what the public API does not tell, n8n's own interface does."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Answer, Http
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import (
    http,
    read_private,
    write_private,
)

SESSION_SPEC: dict[str, Any] = {
    "owner_email": {"type": "str"},
    "owner_password": {"type": "str", "no_log": True},
    "session_file": {"type": "path", "no_log": False},
}
COOKIE = "n8n-auth="


class Session:
    """One login at most, and none where the session that is kept still works."""

    def __init__(
        self,
        params: Mapping[str, Any],
        *,
        read_only: bool,
        email: Optional[str],
        password: Optional[str],
        option: str = "owner_password",
    ) -> None:
        self.params = params
        self.read_only = read_only
        self.file: Optional[str] = params.get("session_file")
        self.email = email
        self.password = password
        self._option = option
        self._client: Optional[Http] = None
        self._asked = False

    def client(self) -> Optional[Http]:
        """A transport that n8n takes for its owner, or None where nobody can log in."""
        if not self._asked:
            self._asked = True
            self._client = self._kept() or (self.log_in() if self.email and self.password else None)
        return self._client

    def _kept(self) -> Optional[Http]:
        cookie = read_private("session_file", self.file) if self.file else None
        if cookie is None or not cookie.startswith(COOKIE):
            return None
        client = self._with(cookie)
        return client if client.get("/rest/login", expect=range(200, 600)).status == 200 else None

    def log_in(self) -> Http:
        anonymous = http({**self.params, "password": self.password}, read_only=self.read_only)
        body = {"emailOrLdapLoginId": self.email, "password": self.password}
        answer = anonymous.request("POST", "/rest/login", json=body, expect=(200, 401, 429), reads=True)
        if answer.status == 401:
            raise StackError(
                f"{self._option}: n8n at {self.params['url']} does not accept it for {self.email}; give the "
                "owner's password, or work with an API key of your own"
            )
        if answer.status == 429:
            wait = answer.headers.get("Retry-After", "60")
            raise StackError(f"n8n takes five logins a minute and had them; try again in {wait} s")
        return self.take(answer)

    def take(self, answer: Answer) -> Http:
        """The session that an answer opens; the cookie is sent by hand, for n8n may have marked it for HTTPS only."""
        cookie = answer.headers.get("Set-Cookie", "").split(";", 1)[0]
        if not cookie.startswith(COOKIE):
            raise StackError(f"n8n at {self.params['url']} gave no session; is this an n8n?")
        if self.file and not self.read_only:
            write_private(self.file, cookie + "\n")
        self._asked, self._client = True, self._with(cookie)
        return self._client

    def _with(self, cookie: str) -> Http:
        return http(self.params, read_only=self.read_only, headers={"Cookie": cookie})
