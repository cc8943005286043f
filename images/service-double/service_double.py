# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test equipment: stands in for one application service, keeps what it was asked, fails or hangs when told to.

SERVICE_NAME chooses the service, PORT its port. What is told to it goes through /_double/. The double of coda-mcp plays
an incoming webhook of Slack too.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional
from urllib.parse import parse_qsl, urlsplit

VERSION = "0.1.0"
KEPT_REQUESTS = 1000
BODY_LIMIT = 1024 * 1024
AT_ONCE = struct.pack("ii", 1, 0)
SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization", "x-api-key"}
BEHAVIOUR_TYPES: dict[str, tuple[type, ...]] = {
    "route": (str,),
    "fail": (int,),
    "status": (int,),
    "hang_seconds": (int, float),
    "reset": (bool,),
    "when": (dict,),
    "unhealthy": (bool,),
}


class Dropped(Exception):
    """The connection is to end without an answer."""


class Refused(Exception):
    """The request is wrong: status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    def fields(self) -> dict[str, Any]:
        if not isinstance(self.body, dict):
            raise Refused(400, "The body must be a JSON object.")
        return self.body


@dataclass
class Behaviour:
    """What happens on `route` ("*": every route of the service) instead of the usual answer.

    With `when` only to requests whose query or body has these values; `reset` ends the connection with a TCP reset.
    """

    route: str = "*"
    fail: int = 0
    status: int = 0
    hang_seconds: float = 0.0
    reset: bool = False
    when: Mapping[str, Any] = field(default_factory=dict)

    def covers(self, asked: Asked, *, exactly: bool) -> bool:
        if self.route != asked.path and (exactly or self.route != "*"):
            return False
        said = {**asked.query, **(asked.body if isinstance(asked.body, dict) else {})}
        return all(said.get(key) == value for key, value in self.when.items())


Answer = tuple[int, Any]
Responder = Callable[["Double", Asked], Answer]


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    respond: Responder

    def matches(self, path: str) -> bool:
        return re.fullmatch(self.path, path) is not None


@dataclass(frozen=True)
class Service:
    port: int
    routes: tuple[Route, ...]


@dataclass
class Double:
    """One service: its routes, what it was asked, what it was told to do."""

    name: str
    service: Service
    behaviours: list[Behaviour] = field(default_factory=list)
    unhealthy: bool = False
    asked: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))
    memories: list[dict[str, Any]] = field(default_factory=list)
    counter: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/_double/"):
            return self._told(asked)
        if asked.method == "GET" and asked.path == "/":
            return 200, {
                "service": self.name,
                "version": VERSION,
                "note": "test equipment, not the real service",
                "routes": ["GET /health", *(f"{route.method} {route.path}" for route in self.service.routes)],
            }
        if asked.method == "GET" and asked.path == "/health":
            return self._health(asked)
        return self._serve(asked)

    def _health(self, asked: Asked) -> Answer:
        self._misbehave(asked, exactly=True)
        if self.unhealthy:
            return 503, {"status": "unhealthy", "service": self.name}
        return 200, {"status": "ok", "service": self.name}

    def _serve(self, asked: Asked) -> Answer:
        known = [route for route in self.service.routes if route.matches(asked.path)]
        if not known:
            raise Refused(404, f"{self.name} has no route {asked.path}.")
        with self.lock:
            self.counter += 1
            self.asked.append({"number": self.counter, "at": time.time(), **asdict(asked)})
        chosen = next((route for route in known if route.method == asked.method), None)
        if chosen is None:
            methods = ", ".join(route.method for route in known)
            raise Refused(405, f"{asked.path} answers {methods}, not {asked.method}.")
        self._misbehave(asked)
        return chosen.respond(self, asked)

    def _misbehave(self, asked: Asked, *, exactly: bool = False) -> None:
        with self.lock:
            covering = [rule for rule in self.behaviours if rule.covers(asked, exactly=exactly)]
            if not covering:
                return
            rule = covering[-1]
            hang_seconds, status, reset = rule.hang_seconds, rule.status, rule.reset
            if rule.fail > 0:
                rule.fail -= 1
                status = status or 500
                if rule.fail == 0:
                    self.behaviours.remove(rule)
        if hang_seconds:
            self.stopping.wait(hang_seconds)
        if reset:
            raise Dropped
        if status:
            raise Refused(status, f"{self.name} was told to answer {status} on {asked.path}.")

    def _told(self, asked: Asked) -> Answer:
        what = asked.path[len("/_double/") :]
        if what == "requests" and asked.method in ("GET", "DELETE"):
            with self.lock:
                kept = [entry for entry in self.asked if asked.query.get("path", entry["path"]) == entry["path"]]
                if asked.method == "DELETE":
                    self.asked.clear()
            return 200, {"count": len(kept), "requests": kept}
        if what == "behaviour" and asked.method in ("GET", "POST", "DELETE"):
            if asked.method == "POST":
                self._learn(asked.fields())
            elif asked.method == "DELETE":
                with self.lock:
                    self.behaviours.clear()
                    self.unhealthy = False
            with self.lock:
                return 200, {"unhealthy": self.unhealthy, "rules": [asdict(rule) for rule in self.behaviours]}
        raise Refused(
            404, "The double knows /_double/requests (GET, DELETE) and /_double/behaviour (GET, POST, DELETE)."
        )

    def _learn(self, told: Mapping[str, Any]) -> None:
        for key, value in told.items():
            wanted = BEHAVIOUR_TYPES.get(key)
            if wanted is None:
                raise Refused(400, f"Unknown behaviour {key!r}; known are {', '.join(BEHAVIOUR_TYPES)}.")
            if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
                raise Refused(400, f"Behaviour {key!r} has the wrong type: {value!r}.")
            if isinstance(value, (int, float)) and value < 0:
                raise Refused(400, f"Behaviour {key!r} must not be negative: {value!r}.")
        if told.get("status") and not 200 <= told["status"] <= 599:
            raise Refused(400, f"Behaviour 'status' must be from 200 to 599, not {told['status']}.")
        rule = {key: value for key, value in told.items() if key != "unhealthy"}
        with self.lock:
            if "unhealthy" in told:
                self.unhealthy = told["unhealthy"]
            if set(rule) - {"route", "when"}:
                self.behaviours.append(Behaviour(**rule))


def remember(double: Double, asked: Asked) -> Answer:
    memory = asked.fields()
    with double.lock:
        identifier = f"memory-{len(double.memories) + 1}"
        double.memories.append({"id": identifier, **memory})
    return 200, {"id": identifier, "status": "remembered"}


def recall(double: Double, asked: Asked) -> Answer:
    wanted = asked.query.get("query", asked.query.get("q", ""))
    with double.lock:
        found = [memory for memory in double.memories if wanted.lower() in json.dumps(memory).lower()]
    return 200, {"query": wanted, "memories": found}


def plan(_double: Double, asked: Asked) -> Answer:
    task = asked.fields()
    title = task.get("title", "untitled")
    return 200, {
        "plan_id": 1,
        "plan_title": f"Plan for {title}",
        "intent": title,
        "sop": {"steps": [{"step": 1, "title": title, "estimated_hours": task.get("estimated_hours", 1)}]},
        "task_id": task.get("task_id"),
        "status": "draft",
    }


def schedule(_double: Double, asked: Asked) -> Answer:
    task = asked.fields()
    block = {
        "start": "2026-01-05T09:00:00Z",
        "end": "2026-01-05T10:00:00Z",
        "task_id": task.get("task_id"),
        "calendar_event_id": "double-event-1",
    }
    return 200, {"plan_id": task.get("plan_id"), "status": "scheduled", "schedule_blocks": [block]}


def oauth_callback(_double: Double, asked: Asked) -> Answer:
    if "code" not in asked.query:
        raise Refused(400, "The query parameter 'code' is missing.")
    return 200, {"status": "authorised", "state": asked.query.get("state")}


def reflect(_double: Double, asked: Asked) -> Answer:
    mode = asked.query.get("mode", "")
    if mode not in ("daily", "weekly"):
        raise Refused(400, f"The query parameter 'mode' must be daily or weekly, not {mode!r}.")
    return 200, {"mode": mode, "status": "completed", "reflection": f"{mode} reflection of the double"}


def coda_task(_double: Double, asked: Asked) -> Answer:
    return 200, {"status": "updated", "task": asked.path.split("/")[4], "fields": asked.fields()}


def coda_mcp(_double: Double, asked: Asked) -> Answer:
    call = asked.fields()
    return 200, {
        "jsonrpc": "2.0",
        "id": call.get("id"),
        "result": {"content": [{"type": "text", "text": json.dumps(call.get("params", {}))}], "isError": False},
    }


def slack_message(_double: Double, _asked: Asked) -> Answer:
    return 200, "ok"


SERVICES: dict[str, Service] = {
    "memory-gateway": Service(
        8090,
        (
            Route("POST", "/api/v1/memory/remember", remember),
            Route("GET", "/api/v1/memory/recall", recall),
        ),
    ),
    "planner-engine": Service(8091, (Route("POST", "/api/v1/planner/plan", plan),)),
    "scheduler-engine": Service(
        8092,
        (
            Route("POST", "/api/v1/scheduler/schedule", schedule),
            Route("GET", "/oauth/callback", oauth_callback),
        ),
    ),
    "observer-agent": Service(8093, (Route("POST", "/api/v1/observer/reflect", reflect),)),
    "coda-mcp": Service(
        8080,
        (
            Route("POST", "/mcp", coda_mcp),
            Route("POST", "/api/v1/tasks/[^/]+(/status)?", coda_task),
            Route("PATCH", "/api/v1/tasks/[^/]+(/status)?", coda_task),
            Route("POST", "/services/.+", slack_message),
        ),
    ),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = f"service-double/{VERSION}"
    timeout = 60
    server: Server

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        if self.path != "/health":
            print(f"{self.command} {self.path} {args[1] if len(args) > 1 else ''}", flush=True)

    def _handle(self) -> None:
        try:
            status, body = self.server.double.answer(self._asked())
        except Dropped:
            self._reset()
            return
        except Refused as refused:
            status, body = refused.status, {"error": {"status": refused.status, "message": str(refused)}}
        kind, text = ("text/plain", body) if isinstance(body, str) else ("application/json", json.dumps(body))
        content = text.encode()
        try:
            bodiless = status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
            self.send_response(status)
            if not bodiless:
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD" and not bodiless:
                self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _reset(self) -> None:
        """End the connection as a process that was killed does: with a reset instead of an answer."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)

    def _asked(self) -> Asked:
        parts = urlsplit(self.path)
        return Asked(
            method="GET" if self.command == "HEAD" else self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={
                key.lower(): "***" if key.lower() in SECRET_HEADERS else value for key, value in self.headers.items()
            },
            body=self._body(),
        )

    def _body(self) -> Any:
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise Refused(411, "Send the body with a Content-Length.")
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            self.close_connection = True
            raise Refused(413, f"The body must be at most {BODY_LIMIT} bytes, Content-Length says {length}.")
        content = self.rfile.read(int(length))
        if not content:
            return None
        try:
            return json.loads(content)
        except ValueError as error:
            raise Refused(400, f"The body is not JSON: {error}.") from error


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], double: Double) -> None:
        super().__init__(address, Handler)
        self.double = double

    def shutdown_request(self, request: Any) -> None:
        """Closing alone sends the reset; a polite end before it would be a FIN."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(AT_ONCE)) == AT_ONCE:
            self.close_request(request)
        else:
            super().shutdown_request(request)


def make_server(name: str, host: str = "127.0.0.1", port: Optional[int] = None) -> Server:
    service = SERVICES.get(name)
    if service is None:
        raise ValueError(f"SERVICE_NAME is {name!r}; it must be one of {', '.join(SERVICES)}.")
    return Server((host, service.port if port is None else port), Double(name, service))


def main(environment: Mapping[str, str]) -> int:
    port = environment.get("PORT", "")
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        print(f"PORT is {port!r}; it must be a number from 1 to 65535.", file=sys.stderr)
        return 2
    try:
        server = make_server(environment.get("SERVICE_NAME", ""), "0.0.0.0", int(port) if port else None)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2

    def stop(_signal: int, _frame: Any) -> None:
        server.double.stopping.set()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"{server.double.name} (test equipment) on port {server.server_address[1]}", flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
