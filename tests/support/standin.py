"""The stand-in for Qdrant in this process: no container, no port."""

from __future__ import annotations

import asyncio
import json as jsonlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlencode

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError, ReadOnlyError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Answer, _form
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client, explain

IMAGE = Path(__file__).resolve().parents[2] / "images/qdrant"


class Killed(BaseException):
    """What no code catches: the process is gone."""


class StandIn:
    """Speaks ASGI to the application; also the transport of a ``Client``.

    ``kill_at`` ends the process after that write, counted from 0, was carried out.
    """

    def __init__(self, folder: Path, **keys: str) -> None:
        if str(IMAGE) not in sys.path:
            sys.path.insert(0, str(IMAGE))
        from standin.app import StandIn as Application
        from standin.store import Store

        self.store = Store(folder / "storage", folder / "snapshots")
        self.app = Application(self.store, **keys)
        self.read_only = False
        self.writes: list[str] = []
        self.reads: list[str] = []
        self.kill_at: Optional[int] = None
        self.bodies: list[int] = []
        self._meanwhile: list[tuple[str, str, str, Callable[[], object]]] = []

    def meanwhile(self, when: str, method: str, path: str, act: Callable[[], object]) -> None:
        """Do something once, ``before`` or ``after`` the next such request of a client."""
        self._meanwhile.append((when, method, path, act))

    def _happens(self, when: str, method: str, path: str) -> None:
        for row in list(self._meanwhile):
            if row[:3] == (when, method, path) and row in self._meanwhile:
                self._meanwhile.remove(row)
                row[3]()

    def send(
        self, method: str, path: str, body: Any = None, headers: Optional[dict[str, str]] = None
    ) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else b"" if body is None else jsonlib.dumps(body).encode()
        given = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        status, text, _headers = self._exchange(method, path, raw, given)
        return status, jsonlib.loads(text) if text.startswith("{") else text

    def result(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.send(method, path, body)
        assert status == 200, answer
        return answer["result"]

    def raw(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        given = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        return self._bytes(method, path, body, given)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Any = None,
        expect: Iterable[int] = (200,),
        reads: bool = False,
    ) -> Answer:
        safe = method == "GET" or reads
        if self.read_only and not safe:
            raise ReadOnlyError(f"{method} {path}")
        (self.reads if safe else self.writes).append(f"{method} {path}")
        raw = b"" if json is None else jsonlib.dumps(json).encode()
        self._happens("before", method, path)
        status, text, headers = self._exchange(method, path, raw, [])
        self.bodies.append(len(raw))
        self._happens("after", method, path)
        if not safe and self.kill_at == len(self.writes) - 1:
            raise Killed
        answer = Answer(method, path, status, headers, text)
        if status not in expect:
            raise ApiError(method, path, status, explain(answer.json))
        return answer

    def download(self, path: str, dest: str) -> None:
        status, content, _headers = self._bytes("GET", path, b"", [])
        assert status == 200, content
        Path(dest).write_bytes(content)

    def upload(self, path: str, source: str, params: Any = None) -> Answer:
        self.writes.append(f"POST {path}")
        asked = f"{path}?{urlencode(params or {})}"
        status, text, headers = self._exchange("POST", asked, b"".join(_form("boundary", source)), [])
        if self.kill_at == len(self.writes) - 1:
            raise Killed
        if status != 200:
            raise ApiError("POST", path, status, explain(jsonlib.loads(text)))
        return Answer("POST", path, status, headers, text)

    def client(self) -> Client:
        return Client(self)

    def everything(self) -> dict[str, Any]:
        names = sorted(row["name"] for row in self.result("GET", "/collections")["collections"])
        aliases = self.result("GET", "/aliases")["aliases"]
        shown = {name: self.result("GET", f"/collections/{name}") for name in names}
        return {"collections": shown, "aliases": sorted((row["alias_name"], row["collection_name"]) for row in aliases)}

    def _exchange(self, method: str, path: str, raw: bytes, headers: list[Any]) -> tuple[int, str, dict[str, str]]:
        status, body, answered = self._bytes(method, path, raw, headers)
        return status, body.decode(), answered

    def _bytes(self, method: str, path: str, raw: bytes, headers: list[Any]) -> tuple[int, bytes, dict[str, str]]:
        route, _mark, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": route,
            "raw_path": route.encode(),
            "query_string": query.encode(),
            "headers": headers,
        }
        sent: list[dict[str, Any]] = []

        unread = [{"type": "http.request", "body": raw, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if unread:
                return unread.pop()
            # Nobody hangs up: who waits for that is cancelled when the answer is complete.
            return await asyncio.get_running_loop().create_future()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        answered = {name.decode().title(): value.decode() for name, value in sent[0].get("headers", [])}
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]), answered
