# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cloudflare's API: connection options and the calls that a tunnel's rules need."""

from __future__ import annotations

from typing import Any, Mapping, Optional
from urllib.parse import quote

from ansible.module_utils.basic import env_fallback
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError, StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import TRANSPORT_SPEC, Http

CONNECTION_SPEC: dict[str, dict[str, Any]] = {
    "api_url": {
        "type": "str",
        "default": "https://api.cloudflare.com/client/v4",
        "fallback": (env_fallback, ["CLOUDFLARE_API_URL"]),
    },
    "api_token": {
        "type": "str",
        "no_log": True,
        "required": True,
        "fallback": (env_fallback, ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_TOKEN"]),
    },
    "account_id": {"type": "str", "required": True},
    "tunnel_id": {"type": "str", "required": True},
    "zone_id": {"type": "str"},
    **TRANSPORT_SPEC,
}
PAGE = 100
MOST_PAGES = 100
ADDRESSES = ("A", "AAAA")
# What Cloudflare answers where the token itself is at fault, and not what it may do.
BAD_TOKEN = frozenset({1000, 6003, 6111, 9106, 9109})


def explain(body: Any) -> str:
    """The server's own words out of ``{"errors": [{"code": …, "message": …}]}``."""
    errors = body.get("errors") if isinstance(body, Mapping) else None
    told = [one for one in errors or [] if isinstance(one, Mapping)]
    return "; ".join(f"{one.get('message', '')} (code {one.get('code')})" for one in told) or str(body)


def connect(params: Mapping[str, Any], *, read_only: bool) -> Client:
    token = params["api_token"] or ""
    if not token:
        raise StackError("api_token is empty; give a token with the permission Account, Cloudflare Tunnel, Edit")
    headers = {"Authorization": f"Bearer {token}"}
    how: dict[str, Any] = {"headers": headers, "read_only": read_only, "secrets": [token], "explain": explain}
    http = Http.from_params(params["api_url"], params, **how)
    once = Http.from_params(params["api_url"], {**params, "retries": 0}, **how)
    return Client(http, params["account_id"], params["tunnel_id"], params["zone_id"] or "", once)


class Client:
    """One method a call; bodies and answers are Cloudflare's own, without their envelope.

    :param once: for the write, which nobody may repeat without having looked at what is there by then
    """

    def __init__(self, http: Http, account: str, tunnel: str, zone: str = "", once: Optional[Http] = None) -> None:
        self.http = http
        self.once = once or http
        self.account = account
        self.tunnel = tunnel
        self.zone = zone
        self._path = f"/accounts/{quote(account, safe='')}/cfd_tunnel/{quote(tunnel, safe='')}"

    @property
    def target(self) -> str:
        """What a public host's CNAME points to."""
        return f"{self.tunnel}.cfargotunnel.com"

    def about(self) -> dict[str, Any]:
        return self._call("GET", self._path)["result"]

    def configuration(self) -> dict[str, Any]:
        return self._call("GET", f"{self._path}/configurations")["result"] or {}

    def configure(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return self._call("PUT", f"{self._path}/configurations", json={"config": config})["result"] or {}

    def cnames(self) -> dict[str, str]:
        """Host → target of every proxied CNAME of the zone that leads to this tunnel."""
        path = f"/zones/{quote(self.zone, safe='')}/dns_records"
        rows: list[dict[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            query = {"type": "CNAME", "content": self.target, "per_page": PAGE, "page": page}
            body = self._call("GET", path, params=query)
            rows += body["result"] or []
            if page >= int((body.get("result_info") or {}).get("total_pages") or 1):
                break
        return {row["name"]: row["content"] for row in rows if row.get("proxied")}

    def in_the_way(self, host: str) -> str:
        """The record of the zone beside which no CNAME of this host can be made, or nothing."""
        path = f"/zones/{quote(self.zone, safe='')}/dns_records"
        rows = self._call("GET", path, params={"name": host, "per_page": PAGE})["result"] or []
        return next((f"{row['type']} {row['content']}" for row in rows if row["type"] in ADDRESSES), "")

    def _call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        try:
            answer = (self.http if method == "GET" else self.once).request(method, path, **kwargs)
        except ApiError as error:
            raise ApiError(method, path, error.status, error.server_message, self._hint(method, path, error)) from None
        body = answer.json
        if not isinstance(body, Mapping) or not body.get("success") or "result" not in body:
            raise ApiError(method, path, answer.status, explain(body), "check that api_url is Cloudflare's API")
        return dict(body)

    def _hint(self, method: str, path: str, error: ApiError) -> str | None:
        if any(f"(code {code})" in error.server_message for code in BAD_TOKEN) or error.status == 401:
            return "api_token is not a valid token: it is mistyped, expired or revoked; make a new one"
        if error.status == 403:
            kind = "Read" if method == "GET" else "Edit"
            what = "Zone, DNS" if path.startswith("/zones/") else "Account, Cloudflare Tunnel"
            return f"api_token lacks the permission {what}, {kind} for {self._whose(path)}; add it to the token"
        if error.status == 404:
            if path.startswith("/zones/"):
                return f"zone_id {self.zone} is unknown; the zone's overview shows its id"
            return f"account {self.account} has no tunnel {self.tunnel}; correct tunnel_id or account_id"
        return None

    def _whose(self, path: str) -> str:
        return f"zone {self.zone}" if path.startswith("/zones/") else f"account {self.account}"
