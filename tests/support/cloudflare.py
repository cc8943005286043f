# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cloudflare's API in this process, as documented: envelope, permissions, pages, 429, a version that counts up."""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional
from urllib.parse import parse_qs, urlsplit

ACCOUNT = "023e105f4ecef8ad9ca31a8372d0c353"
ZONE = "9a7806061c88ada191ed06f989cc3dac"
TUNNEL = "f70ff985-a4ef-4643-bbbc-4a0ed4fc8415"
TOKEN = "a-token-for-tests"
ALL = frozenset({"tunnel:read", "tunnel:edit", "dns:read", "dns:edit"})


class FakeCloudflare:
    """One account, one tunnel, one zone.

    ``may`` is what the token is allowed, ``calls`` every request as ``METHOD path``, ``refuse`` how many requests are
    first answered with 429, and ``before_call`` somebody else's hands, called with the method ahead of each request.
    """

    def __init__(self) -> None:
        self.tunnel: dict[str, Any] = {
            "id": TUNNEL,
            "name": "droplet",
            "status": "healthy",
            "config_src": "cloudflare",
            "deleted_at": None,
        }
        self.config: Optional[dict[str, Any]] = None
        self.version = 0
        self.records: list[dict[str, Any]] = []
        self.may = set(ALL)
        self.calls: list[str] = []
        self.refuse = 0
        self.retry_after = "0"
        self.swallow_writes = False
        self.largest_page = 5
        self.before_call: Callable[[str], None] = lambda _method: None
        self.url = ""
        self.zone = "example.org"

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith("GET")]

    def edit(self, ingress: list[dict[str, Any]], **more: Any) -> None:
        """Somebody works in the dashboard."""
        self.config = {"ingress": ingress, **more}
        self.version += 1

    def point(self, *hosts: str, proxied: bool = True) -> None:
        for host in hosts:
            self.records.append(
                {
                    "id": f"record-{len(self.records)}-{host}",
                    "type": "CNAME",
                    "name": host,
                    "content": f"{TUNNEL}.cfargotunnel.com",
                    "proxied": proxied,
                    "ttl": 1,
                    "comment": None,
                    "tags": [],
                }
            )

    def answer(self, method: str, url: str, token: str, body: Any) -> tuple[int, dict[str, str], dict[str, Any]]:
        parts = urlsplit(url)
        self.calls.append(f"{method} {parts.path}")
        self.before_call(method)
        if self.refuse:
            self.refuse -= 1
            return 429, {"Retry-After": self.retry_after}, failure(10429, "Rate limited")
        if token != f"Bearer {TOKEN}":
            return 401, {}, failure(1000, "Invalid API Token")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        tunnel = re.fullmatch(r"/accounts/([^/]+)/cfd_tunnel/([^/]+)(/configurations)?", parts.path)
        if tunnel:
            return self._tunnel(method, *tunnel.groups(), body)
        if parts.path == "/zones" and method == "GET":
            zones = [{"id": ZONE, "name": self.zone}] if query.get("name", self.zone) == self.zone else []
            return 200, {}, success(zones)
        records = re.fullmatch(r"/zones/([^/]+)/dns_records(?:/([^/]+))?", parts.path)
        if records and method == "GET":
            return self._records(records.group(1), query)
        if records:
            return self._write_record(method, records.group(2), body)
        return 404, {}, failure(7003, f"Could not route to {parts.path}")

    def _tunnel(
        self, method: str, account: str, tunnel: str, configurations: Optional[str], body: Any
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        wanted = "tunnel:read" if method == "GET" else "tunnel:edit"
        if wanted not in self.may or account != ACCOUNT:
            return 403, {}, failure(10000, "Authentication error")
        if tunnel != TUNNEL:
            return 404, {}, failure(1003, "Tunnel not found")
        if not configurations:
            return 200, {}, success(self.tunnel)
        if method == "PUT":
            wrong = refused(body["config"].get("ingress") or [])
            if wrong:
                return 400, {}, failure(1056, f"Bad Configuration: {wrong}")
            if not self.swallow_writes:
                self.config = copy.deepcopy(body["config"])
            self.version += 1
        return 200, {}, success(self._configuration())

    def _configuration(self) -> dict[str, Any]:
        """As the server shows it: a new tunnel has no config, and rules come with an empty originRequest."""
        config = copy.deepcopy(self.config)
        for rule in (config or {}).get("ingress", [])[:-1]:
            rule.setdefault("originRequest", {})
        return {"tunnel_id": TUNNEL, "version": self.version, "config": config, "source": "cloudflare"}

    def _records(self, zone: str, query: dict[str, str]) -> tuple[int, dict[str, str], dict[str, Any]]:
        if "dns:read" not in self.may:
            return 403, {}, failure(10000, "Authentication error")
        if zone != ZONE:
            return 404, {}, failure(7003, "Could not route to the zone, perhaps your object identifier is invalid?")
        found = [
            record
            for record in self.records
            if all(record[name] == query[name] for name in ("type", "name", "content") if name in query)
        ]
        size = min(int(query.get("per_page", 100)), self.largest_page)
        page = int(query.get("page", 1))
        shown = found[(page - 1) * size : page * size]
        pages = -(-len(found) // size)
        info = {"page": page, "per_page": size, "count": len(shown), "total_count": len(found), "total_pages": pages}
        return 200, {}, {**success(shown), "result_info": info}

    def _write_record(
        self, method: str, record: Optional[str], body: Any
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        if "dns:edit" not in self.may:
            return 403, {}, failure(10000, "Authentication error")
        if method == "POST":
            if any(one["name"] == body["name"] for one in self.records):
                return 400, {}, failure(81053, "An A, AAAA, or CNAME record with that host already exists.")
            made = {"id": f"record-{len(self.records)}-{body['name']}", **body}
            self.records.append(made)
            return 200, {}, success(made)
        found = next((one for one in self.records if one["id"] == record), None)
        if found is None:
            return 404, {}, failure(81044, "Record does not exist.")
        if method == "DELETE":
            self.records.remove(found)
        else:
            found.update(body)
        return 200, {}, success({"id": found["id"]} if method == "DELETE" else found)


def refused(ingress: list[dict[str, Any]]) -> str:
    """What Cloudflare itself refuses in a list of rules."""
    if not ingress or ingress[-1].get("hostname") or ingress[-1].get("path"):
        return "The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)"
    for number, rule in enumerate(ingress[:-1], 1):
        if not rule.get("hostname") and not rule.get("path"):
            return f"Rule #{number} is matching the hostname '', but it should be the last one"
    return "" if all(rule.get("service") for rule in ingress) else "a rule has no service"


def success(result: Any) -> dict[str, Any]:
    return {"success": True, "errors": [], "messages": [], "result": result}


def failure(code: int, message: str) -> dict[str, Any]:
    return {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}


@contextmanager
def serve(cloudflare: FakeCloudflare) -> Iterator[FakeCloudflare]:
    """Answer on a port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, headers, said = cloudflare.answer(
                self.command, self.path, self.headers.get("Authorization", ""), body
            )
            data = json.dumps(said).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json", "Content-Length": len(data)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = handle_one

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    cloudflare.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield cloudflare
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
