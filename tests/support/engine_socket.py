# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker socket on which containers can be inspected, and nothing else is answered."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class EngineSocket(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """``containers`` is what the engine says of each, by name; ``asked`` what was asked of it."""

    daemon_threads = True

    def __init__(self, path: str, containers: Mapping[str, Any]) -> None:
        self.containers = dict(containers)
        self.asked: list[str] = []
        super().__init__(path, _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: EngineSocket

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        name = self.path.removeprefix("/containers/").removesuffix("/json")
        found = self.server.containers.get(name)
        content = json.dumps(found or {"message": f"No such container: {name}"}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Nothing: a test's output is its verdict."""

    def address_string(self) -> str:
        return "unix"


@contextmanager
def engine_socket(path: str, containers: Mapping[str, Any]) -> Iterator[EngineSocket]:
    with EngineSocket(path, containers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
