# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker engine's own API over its socket: what the command line would ask, without the command line."""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
import time
from typing import Any, Optional
from urllib.parse import quote

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError, StackError, Unreachable

DEFAULT_SOCKET = "/var/run/docker.sock"


def engine_socket() -> str:
    """Where the engine listens: ``DOCKER_HOST`` when it is a Unix socket, else the usual place."""
    host = os.environ.get("DOCKER_HOST", "")
    return host[len("unix://") :] if host.startswith("unix://") else DEFAULT_SOCKET


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    """A client for one engine; a connection for each request, so threads may share it."""

    def __init__(self, path: Optional[str] = None, timeout: float = 10.0) -> None:
        self.path = path or engine_socket()
        self.timeout = timeout

    def raw(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body of one request.

        :raises Unreachable: when no engine answers on the socket
        """
        connection = _UnixConnection(self.path, self.timeout)
        try:
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise Unreachable(f"the Docker engine does not answer on {self.path}: {reason}") from None
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The decoded answer, or None where there is no such thing.

        :raises ApiError: any other refusal
        """
        status, body = self.raw("GET", path)
        if status == 404:
            return None
        return self._decode("GET", path, status, body)

    def inspect(self, container: str) -> dict[str, Any]:
        return self.get(f"/containers/{quote(container, safe='')}/json") or {}

    def network(self, name: str) -> dict[str, Any]:
        return self.get(f"/networks/{quote(name, safe='')}") or {}

    def execute(self, container: str, argv: list[str]) -> dict[str, Any]:
        """Run a command in a container: rc, stdout, stderr and the milliseconds that it took."""
        path = f"/containers/{quote(container, safe='')}/exec"
        wanted = {"AttachStdout": True, "AttachStderr": True, "Cmd": argv}
        status, body = self.raw("POST", path, wanted)
        if status in (404, 409):
            raise StackError(json.loads(body)["message"])
        session = self._decode("POST", path, status, body)["Id"]
        started = time.monotonic()
        status, stream = self.raw("POST", f"/exec/{session}/start", {"Detach": False, "Tty": False})
        ms = round((time.monotonic() - started) * 1000)
        if status >= 400:
            self._decode("POST", path, status, stream)
        stdout, stderr = split_stream(stream)
        rc = self.get(f"/exec/{session}/json")["ExitCode"]
        return {"rc": rc, "stdout": stdout.strip(), "stderr": stderr.strip(), "ms": ms}

    @staticmethod
    def _decode(method: str, path: str, status: int, body: bytes) -> Any:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = {"message": body[:200].decode("utf-8", "replace")}
        if status >= 400:
            raise ApiError(method, path, status, answer.get("message", ""))
        return answer


def split_stream(stream: bytes) -> tuple[str, str]:
    """Take apart what the engine multiplexes: frames of one byte of kind, three of nothing, four of length."""
    parts: dict[int, list[bytes]] = {1: [], 2: []}
    position = 0
    while position + 8 <= len(stream):
        kind, length = struct.unpack(">BxxxL", stream[position : position + 8])
        parts.setdefault(kind, []).append(stream[position + 8 : position + 8 + length])
        position += 8 + length
    return tuple(b"".join(parts[kind]).decode("utf-8", "replace") for kind in (1, 2))  # type: ignore[return-value]
