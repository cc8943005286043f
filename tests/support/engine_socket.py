# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker sockets that answer what a test wants: that containers can be inspected, or anything else."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

Served = TypeVar("Served", bound="AnswersOnSocket")


class AnswersOnSocket(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """``asked`` is what was asked of it."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        self.asked: list[str] = []
        super().__init__(path, _Handler)

    def answer(self, path: str) -> tuple[int, Any]:
        """Status and body of ``GET path``."""
        raise NotImplementedError


class EngineSocket(AnswersOnSocket):
    """``containers`` is what the engine says of each, by name."""

    def __init__(self, path: str, containers: Mapping[str, Any]) -> None:
        self.containers = dict(containers)
        super().__init__(path)

    def answer(self, path: str) -> tuple[int, Any]:
        name = path.removeprefix("/containers/").removesuffix("/json")
        found = self.containers.get(name)
        return (200, found) if found else (404, {"message": f"No such container: {name}"})


class _Handler(http.server.BaseHTTPRequestHandler):
    server: AnswersOnSocket

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, body = self.server.answer(self.path)
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Nothing: a test's output is its verdict."""

    def address_string(self) -> str:
        return "unix"


@contextmanager
def served(server: Served) -> Iterator[Served]:
    with server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def engine_socket(path: str, containers: Mapping[str, Any]) -> AbstractContextManager[EngineSocket]:
    return served(EngineSocket(path, containers))
